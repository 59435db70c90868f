"""This is where a task's family is found by the name that the catalogue gives."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xtr.catalogue.task import Task
from xtr.fingerprint import digest

if TYPE_CHECKING:  # a family imports torch, its name need not
    from xtr.families.family import Family

FAMILIES = {
    "pair": "xtr.families.pair:Pair",
    "choice": "xtr.families.choice:Choice",
    "tagging": "xtr.families.tagging:Tagging",
    "span": "xtr.families.span:Span",
    "retrieval": "xtr.families.retrieval:Retrieval",
    "mlm": "xtr.families.mlm:Mlm",
    "mining": "xtr.families.mining:Mining",
    "ranking": "xtr.families.ranking:Ranking",
}

PREDICTING = dict.fromkeys(FAMILIES, 1)
"""Raised when a family predicts otherwise from the same model: evaluations are computed anew."""
SCORING = dict.fromkeys(FAMILIES, 1)
"""Raised when a family's scores, thresholds or files change: evaluations are scored anew, without a model."""


def family_of(task: Task) -> Family[Any, Any]:
    """Return the family that trains and scores a task."""
    module, name = FAMILIES[task.family].split(":")
    family: Family[Any, Any] = getattr(import_module(module), name)()
    return family


def head_id(task: Task) -> str:
    """Name the head that a task needs: tasks of one family with the same ordered labels can share it."""
    return f"{task.family}-{digest([task.family, list(task.labels)])[:8]}"
