"""This is where commands answer: in text, or with `--json` in one JSON document and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xtr.fingerprint import JSON

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def show(document: dict[str, JSON], text: str, *, as_json: bool) -> None:
    """Print an answer's text, or its document."""
    say(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) if as_json else text)


def say(text: str) -> None:
    """Print a line at once, also where the output is a file."""
    print(text, flush=True)  # noqa: T201


def hush(text: str) -> None:
    """Say nothing: what a command tells as it goes, while its answer is JSON."""
    del text
