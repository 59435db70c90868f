"""This is where scores of the links of winners' chains are rows: what an encoder still knew after each training.

sweeps/<name>/forgetting.jsonl    one row per winner, seed, link, task, language and metric
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from xtr.catalogue.task import Split
from xtr.fingerprint import canonical_json
from xtr.storage import read_lines, write_atomic

FILE, MLM = "forgetting.jsonl", "mlm"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One metric of one checkpoint on a winner's path, in one language.

    Attributes:
        intermediate, target, seed: the winner.
        link: how many trainings the checkpoint has behind it; 0 is the pretrained encoder.
        after: those trainings, as the sweep names them: `mnli>squad_v1`.
        value: in [0, 1]; the loss of masked language modelling is minus the logarithm of `likelihood`, in nats.
        n: rows that were scored.
        stage: the evaluation's key.
    """

    intermediate: str
    target: str
    seed: int
    link: int
    after: str
    task: str
    split: Split
    language: str
    metric: str
    value: float
    n: int
    stage: str = ""


def write_links(folder: Path, rows: Iterable[LinkRow], split: Split) -> None:
    """Replace the rows that an evaluation on a split came to; those of held-out text belong to every one."""
    kept = [row for row in read_links(folder) if row.split != split and row.task != MLM]
    write_atomic(folder / FILE, "".join(canonical_json(asdict(row)) + "\n" for row in [*kept, *rows]))


def read_links(folder: Path) -> list[LinkRow]:
    """Read every row; none where nobody asked."""
    return [LinkRow(**json.loads(line)) for line in read_lines(folder / FILE)]
