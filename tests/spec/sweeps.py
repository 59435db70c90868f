"""A good sweep file and a way to read variants of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from xtr.errors import InputError, Problem
from xtr.spec.load import load_sweep
from xtr.spec.sweep import SweepSpec

GOOD = """\
version: 1
name: small
model: {name: demo}
pairs:
  intermediate: [mnli, mnli>squad_v1]
  target: [xnli, tatoeba]
  exclude:
    - {intermediate: mnli, target: xnli, because: same training data}
stages:
  target:
    learning_rate: 1e-5
    tasks: {mnli: {max_length: 96}}
  evaluate: {languages: [en, de]}
search:
  space:
    intermediate.epochs: {int: [1, 3]}
    intermediate.fraction: {choice: [0.1, 1.0]}
    target.learning_rate: {log_float: [5e-6, 5e-5]}
    target.weight_decay: {float: [0, 0.1]}
    target.epochs: 2
  early_stopping: {keep: 0.5}
  start_with:
    - {intermediate.epochs: 1, target.learning_rate: 1.0e-5}
  confirm: {top: 2, seeds: [2, 3]}
storage: {root: runs}
"""


def write(folder: Path, text: str, name: str = "sweep.yaml") -> Path:
    """Write a sweep file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(
    path: Path, overrides: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    """Read a file that must be refused, and return what was said."""
    with pytest.raises(InputError) as caught:
        load_sweep(path, overrides, env or {})
    return caught.value.problems


def only_problem(path: Path, overrides: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Problem:
    """Read a file in which exactly one thing is wrong, and return what was said."""
    problems = problems_of(path, overrides, env)
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


def load_text(folder: Path, text: str, overrides: Sequence[str] = ()) -> SweepSpec:
    """Read a sweep file from its text."""
    return load_sweep(write(folder, text), overrides, {})
