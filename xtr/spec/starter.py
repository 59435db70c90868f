"""This is where a first sweep file is written: `xtr init`.

Starter(Path("mine.yaml")).text()                              -> a sweep on the demo world, ready to run
Starter(Path("mine.yaml"), model="xlm-roberta-base").text()    -> the same on the hub's data, for one GPU
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from xtr.errors import InputError, Problem
from xtr.spec.dump import to_line
from xtr.spec.load import load_sweep

DEMO = "demo"
OPTIONS = {
    "pairs.intermediate": "--intermediate",
    "pairs.target": "--target",
    "model": "--model",
    "data": "--data",
}
"""Which option of `xtr init` a part of the file comes from."""


@dataclass(frozen=True, slots=True)
class Starter:
    """What somebody wants to begin with.

    Attributes:
        file: where it is to stand; the sweep is named after it.
        intermediate, target: expressions as in the file's pairs; empty ones are filled for the model.
        official: folder of official data; None reads the hub, and the demo's encoder reads the demo world.
    """

    file: Path
    model: str = DEMO
    intermediate: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    official: str | None = None

    def text(self) -> str:
        """Write the file."""
        known = _DEMO if self.model == DEMO else _PRETRAINED
        said = {
            "file": shlex.quote(str(self.file)),
            "name": name_of(self.file),
            "model": to_line(self.model),
            "intermediate": to_line(list(self.intermediate)) if self.intermediate else known["intermediate"],
            "target": to_line(list(self.target)) if self.target else known["target"],
            "data": to_line(self._data),
        }
        return "".join(map(_aligned, _TEXT.format_map({**known, **said}).splitlines(keepends=True)))

    @property
    def _data(self) -> dict[str, str]:
        if self.model == DEMO:
            return {"source": "demo"}
        if self.official is None:
            return {"source": "hub"}
        return {"source": "official", "official_root": self.official}


def write_starter(starter: Starter) -> None:
    """Write a first sweep file that is known to be valid; one that exists is left alone.

    Raises:
        InputError: the file exists or cannot be written, or an option names what xtr does not know.
    """
    if starter.model == DEMO and starter.official is not None:
        problem = "the demo's encoder knows the words of the demo world alone"
        raise InputError(Problem(problem, "--data", starter.official, hint="--model xlm-roberta-base"))
    file, text = starter.file, starter.text()
    _check(text)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        hint = f"another name, or: xtr plan {file}"
        raise InputError(Problem("this file exists, and is left as it is", str(file), hint=hint)) from None
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror}", str(file))) from None


def name_of(file: Path) -> str:
    """Make a sweep's name of a file's: `My Sweep.yaml` becomes `my-sweep`."""
    return re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("._-")[:100] or "sweep"


def _check(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "starter.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            load_sweep(path)
        except InputError as error:
            raise InputError(replace(each, where=_option(each.where)) for each in error.problems) from None


def _option(where: str) -> str:
    """Say which option a place in the file comes from."""
    path = where.rpartition(" ")[2]
    return next((option for part, option in OPTIONS.items() if path.startswith(part)), path)


def _aligned(line: str) -> str:
    """Put a comment behind a value where the others stand."""
    value, sign, comment = line.rpartition("  # ")
    return f"{value:<{_COMMENTS_FROM - 2}}{sign}{comment}" if value else line


_TEXT = """\
# Question : which intermediate task helps which target, and with what settings?
# Look     : xtr plan {file}    (stages, tokens, hours and disk, before anything is spent)
# Run      : xtr run {file}     (the same command goes on with it; nothing finished is done again)
# Read     : xtr best {name}; xtr evaluate {name}
#
# docs/sweep-file.md lists every key with its default. An editor completes and checks this file after
# `xtr schema > sweep.schema.json` and with this line on top: # yaml-language-server: $schema=sweep.schema.json

version: 1
name: {name}
description: ""  # what the sweep asks, in words

model: {{name: {model}}}  # {about_model}

pairs:  # none -> target is always added: what every transfer is measured against
  intermediate: {intermediate}  # tasks, mnli@de, mnli+mlm, mnli>squad_v1; all names: xtr tasks
  target: {target}

stages:  # what all trials have in common; a dimension below takes precedence
  intermediate: {{batch_size: {batch_size}, max_length: {max_length}}}
  target: {{batch_size: {batch_size}, max_length: {max_length}}}
  evaluate: {evaluate}

search:
  space:  # intermediate dimensions are finite, so that targets share their stages
    intermediate.learning_rate: {intermediate_rates}
    intermediate.fraction: {{choice: [0.1, 1.0]}}
    target.learning_rate: {target_rates}
    target.epochs: {{int: [2, 4]}}
  trials_per_pair: 4
  generation: 2  # trials that are proposed before results are looked at
  concurrent_trials: {at_once}
  early_stopping: {{rung_epochs: 1, keep: 0.5}}  # after one target epoch the better half goes on
  confirm: {{seeds: [2, 3]}}  # the best of each pair again, on seeds that the search has not used

{compute}
# budget: {{wall_hours: 8}}  # also gpu_hours, and money with prices; then the run ends in order, exit code 4
# storage: {{root: s3://bucket/runs}}  # by default the folder runs, here

data: {data}
"""
_COMMENTS_FROM = 36

_DEMO: Mapping[str, str] = {
    "about_model": "the demo world's own small encoder; a hub id or a folder otherwise",
    "intermediate": "[squad_v1, csqa]",
    "target": "[tydiqa, tatoeba]",
    "batch_size": "16",
    "max_length": "96",
    "evaluate": "{layer: 0}  # retrieval is best on the words themselves in so small an encoder",
    "intermediate_rates": "{choice: [3e-4, 5e-4]}",
    "target_rates": "{log_float: [2e-4, 1e-3]}",
    "at_once": "2",
    "compute": "# compute: {per_worker: {CPU: 4, GPU: 1}}  # what a trial trains on; by default one CPU core",
}
_PRETRAINED: Mapping[str, str] = {
    "about_model": "a hub id, locked at first use, or a folder",
    "intermediate": "[mnli, squad_v1]",
    "target": "[xnli, panx, tydiqa]",
    "batch_size": "32",
    "max_length": "256",
    "evaluate": "{split: test}  # what xtr evaluate opens, once the winners are known",
    "intermediate_rates": "{choice: [1e-5, 2e-5]}",
    "target_rates": "{log_float: [5e-6, 5e-5]}",
    "at_once": "1",
    "compute": "compute: {per_worker: {CPU: 4, GPU: 1}}  # what a trial trains on; GPU: 0 is the processor",
}
