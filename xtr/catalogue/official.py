"""What the official scorers read: for every task the form of its files and the languages that count.

    SCORED["xnli"].form             -> "labels": one label a line
    scored_languages("xquad", "xtreme-r")   -> ("ar", "de", "el", "en", "es", "hi", "ro", "ru", ...)

Files lie in `<folder>/<task>/test-<language>.<suffix>`, predictions and labels under the same names. Source:
evaluate.py of google-research/xtreme; LAReQA's files are ours, because nothing there scores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import AnswerRules, Family

Form = Literal["labels", "indices", "choices", "tags", "answers", "pairs", "rankings"]

SUFFIXES: Mapping[Form, str] = {
    "labels": "tsv",
    "indices": "tsv",
    "choices": "jsonl",
    "tags": "tsv",
    "answers": "json",
    "pairs": "tsv",
    "rankings": "json",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A task as an official scorer sees it.

    Attributes:
        form: what its files hold. `labels`: one a line. `indices`: one whole number a line. `choices`: a JSON
            object with a `label` a line. `tags`: one a line, a blank line after each sentence. `answers`: one JSON
            object from question to answer; its labels are SQuAD's JSON. `pairs`: two ids a line, a tab between.
            `rankings`: one JSON object from query to at most 20 ids, best first; its labels name the right ids.
        languages: those that XTREME counts, or XTREME-R where XTREME has not the task.
        added: those that XTREME-R counts besides.
        labels: the labels or tags there are; empty where there is no such set.
        rules: by whose rules answers are compared.
    """

    form: Form
    languages: tuple[str, ...]
    added: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    rules: AnswerRules = "squad"

    @property
    def suffix(self) -> str:
        """The end of its files' names."""
        return SUFFIXES[self.form]


FORMS: Mapping[Family, Form] = {
    "pair": "labels",
    "choice": "choices",
    "tagging": "tags",
    "span": "answers",
    "retrieval": "indices",
    "mining": "pairs",
    "ranking": "rankings",
}

SCORED: Mapping[str, Scored] = {
    name: Scored(
        form=FORMS[task.family],
        languages=task.languages,
        added=task.added_languages,
        labels=task.labels,
        rules=task.answer_rules,
    )
    for groups in BENCHMARKS.values()
    for group in groups.values()
    for name in group
    for task in [find_task(name)]
}


def scored_languages(task: str, benchmark: str) -> tuple[str, ...]:
    """List the languages over which a benchmark averages a task, sorted."""
    scored = SCORED[task]
    return tuple(sorted((*scored.languages, *(scored.added if benchmark == "xtreme-r" else ()))))
