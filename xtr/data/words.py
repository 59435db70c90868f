"""This is where files of tagged words are read: one word a line, XTREME's cut sentences, and CCG.

read_tagged_words([Path("panx/dev-de.tsv")], PANX, "de")[0]
-> TaggingRow(id="0", words=("Anton", "schlief"), tags=("B-PER", "O"))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xtr.catalogue.task import Task
from xtr.data.parsing import (
    RowError,
    check_width,
    known_label,
    numbered_lines,
    parse_rows,
    read_text,
    usual_width,
)
from xtr.data.rows import TaggingRow
from xtr.errors import InputError

Lines = list[tuple[int, list[str]]]
"""The lines of a sentence: number and fields."""


def read_tagged_words(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
    """Read one word a line with, but in XTREME's tests, its tag; blank lines, however many, end a sentence.

    WikiAnn's own files write every word as `en:word`; that prefix is cut where every word has it.
    """
    items = list(sentences_of(paths[0], lambda text: [field.strip() for field in text.split("\t")]))
    words = [fields for _, sentence in items for _, fields in sentence]
    n_columns = usual_width(words, allowed=(2, 1))
    mark = f"{language}:" if all(fields[0].startswith(f"{language}:") for fields in words) else ""

    def parse(number: str, sentence: Lines) -> TaggingRow:
        for line, fields in sentence:
            _check_word(line, fields, n_columns, task)
        tags = tuple(fields[1] for _, fields in sentence) if n_columns == 2 else None
        return TaggingRow(number, tuple(fields[0].removeprefix(mark) for _, fields in sentence), tags)

    return parse_rows(paths[0], items, parse)


def words_and_numbers(paths: Sequence[Path]) -> list[Path]:
    """Of the files `train.<model>` and `train.<model>.idx` of all models, choose the first model's two."""
    names = set(paths)
    found = next((path for path in paths if path.with_name(f"{path.name}.idx") in names), paths[0])
    return [found, found.with_name(f"{found.name}.idx")]


def read_rejoined_words(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
    """Read sentences that XTREME cut at 128 sub-words, and join them by the sentence numbers of the `.idx` file.

    Its tests carry one placeholder (O or X) for every tag; such a file has no tags.
    """
    del language
    lines, numbers = (numbered_lines(read_text(path)) for path in paths)
    if len(lines) != len(numbers):
        received = f"{len(lines)} lines, but {len(numbers)} in {paths[1]}"
        fault = RowError(
            "the two files have different lengths", received, "a sentence number beside every word"
        )
        raise InputError(fault.problem(paths[0], min(len(lines), len(numbers)) + 1))
    sentences: dict[str, Lines] = {}
    for (line, text), (_, number) in zip(lines, numbers, strict=True):
        if text.strip():
            sentences.setdefault(number.strip(), []).append((line, text.strip().split("\t")))
    found = {fields[-1] for sentence in sentences.values() for _, fields in sentence}
    hidden = len(found) == 1 and found <= {"O", "X"}

    def parse(number: str, sentence: Lines) -> TaggingRow:
        for line, fields in sentence:
            _check_word(line, fields, 2, task)
        tags = None if hidden else tuple(fields[1] for _, fields in sentence)
        return TaggingRow(number, tuple(fields[0] for _, fields in sentence), tags)

    return parse_rows(paths[0], [(sentence[0][0], sentence) for sentence in sentences.values()], parse)


def read_ccg(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
    """Read CCG as jiant has it: `words TAB categories`, both between blanks, and the number of each category."""
    del language
    try:
        numbers = json.loads(read_text(paths[1]))
    except json.JSONDecodeError as error:
        raise InputError(RowError("this is not JSON", error.msg).problem(paths[1], error.lineno)) from error
    if not isinstance(numbers, dict):
        raise InputError(
            RowError("this is not an object", numbers, "{category: number}").problem(paths[1], 1)
        )

    def parse(number: str, text: str) -> TaggingRow:
        fields = [field.split() for field in text.split("\t")]
        if len(fields) != 2 or len(fields[0]) != len(fields[1]):
            received = " and ".join(str(len(field)) for field in fields)
            raise RowError("words and categories do not fit", received, "as many of both, a tab between them")
        words, categories = fields
        for category in categories:
            if category not in numbers:
                raise RowError("unknown category", category, f"the {len(numbers)} of {paths[1]}")
        tags = tuple(known_label(str(numbers[category]), task) for category in categories)
        return TaggingRow(number, tuple(words), tags)

    lines = [(line, text) for line, text in numbered_lines(read_text(paths[0])) if text.strip()]
    return parse_rows(paths[0], lines, parse)


def sentences_of(
    path: Path, fields_of: Callable[[str], list[str]], comment: str = "\0"
) -> Iterator[tuple[int, Lines]]:
    """Yield (first line, lines) of every run of lines between blank ones."""
    sentence: Lines = []
    for line, text in (*numbered_lines(read_text(path)), (0, "")):
        if not text.strip():
            if sentence:
                yield sentence[0][0], sentence
            sentence = []
        elif not text.startswith(comment):
            sentence.append((line, fields_of(text)))


def _check_word(line: int, fields: Sequence[str], n_columns: int, task: Task) -> None:
    try:
        check_width(fields, n_columns)
        if not fields[0]:
            raise RowError("the word is empty", "\t".join(fields), "a word")
        if n_columns == 2:
            known_label(fields[1], task)
    except RowError as fault:
        fault.place = line
        raise
