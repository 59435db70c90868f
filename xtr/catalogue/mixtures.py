"""Mixtures of intermediate tasks that have a name of their own."""

from __future__ import annotations

from collections.abc import Mapping

ANLI_PLUS = ("anli", "mnli", "snli")
"""ANLI+ of the X-STILTs paper (Phang et al. 2020): the three sets pooled, one head, proportional sampling."""

MIXTURES: Mapping[str, tuple[str, ...]] = {
    "anli_plus": ANLI_PLUS,
    "all9": (*ANLI_PLUS, "qqp", "squad_v2", "squad_v1", "hellaswag", "ccg", "cosmosqa", "csqa"),
}
"""Name to members; `all9` are the nine intermediate tasks of that paper, ANLI+ holding MNLI."""
