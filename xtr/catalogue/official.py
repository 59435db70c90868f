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

from xtr.catalogue.targets import ENTITIES, UPOS, XNLI
from xtr.catalogue.task import AnswerRules

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


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SCORED: Mapping[str, Scored] = {
    "xnli": Scored("labels", _codes("ar bg de el en es fr hi ru sw th tr ur vi zh"), labels=XNLI.labels),
    "pawsx": Scored("labels", _codes("de en es fr ja ko zh"), labels=("0", "1")),
    "xcopa": Scored("choices", _codes("et ht id it qu sw ta th tr vi zh")),
    "udpos": Scored(
        "tags",
        _codes(
            "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
        ),
        _codes("lt pl ro uk wo"),
        UPOS,
    ),
    "panx": Scored(
        "tags",
        _codes(
            "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te "
            "th tl tr ur vi yo zh"
        ),
        _codes("az gu lt pa pl qu ro uk"),
        ENTITIES,
    ),
    "xquad": Scored("answers", _codes("ar de el en es hi ru th tr vi zh"), ("ro",)),
    "mlqa": Scored("answers", _codes("ar de en es hi vi zh"), rules="mlqa"),
    "tydiqa": Scored("answers", _codes("ar bn en fi id ko ru sw te")),
    "bucc2018": Scored("pairs", _codes("de fr ru zh")),
    "tatoeba": Scored(
        "indices",
        _codes(
            "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr "
            "ur vi zh"
        ),
        _codes("az lt pl ro uk"),
    ),
    "mewslix": Scored("rankings", _codes("ar de en es fa ja pl ro ta tr uk")),
    "lareqa": Scored("rankings", _codes("ar de el en es hi ru th tr vi zh")),
}


def scored_languages(task: str, benchmark: str) -> tuple[str, ...]:
    """List the languages over which a benchmark averages a task, sorted."""
    scored = SCORED[task]
    return tuple(sorted((*scored.languages, *(scored.added if benchmark == "xtreme-r" else ()))))
