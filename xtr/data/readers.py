"""This is where every file format of the catalogue is read: one function a format, looked up in `READERS`.

    READERS["pairs_tsv"]([Path("xnli/dev-de.tsv")], XNLI, "de")[0]
    -> PairRow(id="0", first="und er hat gesagt, ...", second="er rief seine Mutter ...", label="neutral")

Row ids are the file's own, or the row's number from 0. Text stays as it is but for white space at the ends of
TSV fields and bitext lines, which XTREME's scripts drop too. As there, quotes are text and nothing is CSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from xtr.catalogue.task import Format, Task
from xtr.data.jsonfiles import read_json_lines, read_questions
from xtr.data.parsing import STRICT, BadRows, RowError, numbered_lines, parse_rows, read_text
from xtr.data.records import (
    RecordParser,
    known_label,
    parse_copa,
    parse_csqa,
    parse_nli,
    parse_question,
)
from xtr.data.rows import PairRow, RetrievalRow, Row, SpanRow, TaggingRow
from xtr.errors import InputError, Problem


class Reader(Protocol):
    """Reads the files of one split; `bad` says how many malformed rows may be left out."""

    def __call__(
        self, paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT
    ) -> Sequence[Row]:
        """Read them."""
        ...


PAWSX_HEADER = ["id", "sentence1", "sentence2", "label"]


def read_pairs_tsv(paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT) -> list[PairRow]:
    """Read XTREME's two-sentence files: first, second and, but in its tests, label."""
    del language
    lines = [(line, _fields(text)) for line, text in numbered_lines(read_text(paths[0]))]
    n_columns = _usual_width([fields for _, fields in lines], allowed=(3, 2))

    def parse(number: str, fields: list[str]) -> PairRow:
        _check_width(fields, n_columns)
        label = known_label(fields[2], task) if n_columns == 3 else None
        return PairRow(number, fields[0], fields[1], label)

    return parse_rows(paths[0], lines, parse, bad)


def read_pawsx_tsv(paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT) -> list[PairRow]:
    """Read PAWS-X's own files: a header, then id, two sentences and, where it is known, the label."""
    del language
    lines = [(line, _fields(text)) for line, text in numbered_lines(read_text(paths[0]))]
    header = lines[0][1] if lines else PAWSX_HEADER
    if header not in (PAWSX_HEADER, PAWSX_HEADER[:3]):
        fault = RowError("the header is missing", "\t".join(header), "\t".join(PAWSX_HEADER))
        raise InputError(fault.problem(paths[0], 1))

    def parse(_number: str, fields: list[str]) -> PairRow:
        _check_width(fields, len(header))
        label = known_label(fields[3], task) if len(header) == 4 else None
        return PairRow(fields[0], fields[1], fields[2], label)

    return parse_rows(paths[0], lines[1:], parse, bad)


def json_lines(parse: RecordParser) -> Reader:
    """Read a file with one JSON object a line, each a row."""

    def read(paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT) -> Sequence[Row]:
        del language
        return read_json_lines(paths[0], lambda number, record: parse(number, record, task), bad)

    return read


def read_squad_json(paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT) -> list[SpanRow]:
    """Read SQuAD's JSON: articles with paragraphs with questions."""
    del task, language
    return read_questions(paths[0], parse_question, bad)


def read_tagged_words(
    paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT
) -> list[TaggingRow]:
    """Read one word a line with, but in XTREME's tests, its tag; blank lines, however many, end a sentence.

    WikiAnn's own files write every word as `en:word`; that prefix is cut where every word has it.
    """
    sentences: list[list[tuple[int, list[str]]]] = [[]]
    for line, text in numbered_lines(read_text(paths[0])):
        if text.strip():
            sentences[-1].append((line, _fields(text)))
        elif sentences[-1]:
            sentences.append([])
    items = [(sentence[0][0], sentence) for sentence in sentences if sentence]
    words = [fields for _, sentence in items for _, fields in sentence]
    n_columns = _usual_width(words, allowed=(2, 1))
    mark = f"{language}:" if all(fields[0].startswith(f"{language}:") for fields in words) else ""

    def parse(number: str, sentence: list[tuple[int, list[str]]]) -> TaggingRow:
        for line, fields in sentence:
            _check_word(line, fields, n_columns, task)
        tags = tuple(fields[1] for _, fields in sentence) if n_columns == 2 else None
        return TaggingRow(number, tuple(fields[0].removeprefix(mark) for _, fields in sentence), tags)

    return parse_rows(paths[0], items, parse, bad)


def read_bitext(
    paths: Sequence[Path], task: Task, language: str, bad: BadRows = STRICT
) -> list[RetrievalRow]:
    """Read two aligned files, foreign and English, in the order in which XTREME scores them.

    The English side is sorted by code point, ties by line; see RetrievalRow.
    """
    del task, language
    foreign, english = (numbered_lines(read_text(path)) for path in paths)
    if len(foreign) != len(english):
        received = f"{len(foreign)} lines, but {len(english)} in {paths[1]}"
        where = f"{paths[0]}:{min(len(foreign), len(english)) + 1}"
        allowed = "line k beside line k"
        raise InputError(Problem("the two sides have different lengths", where, received, allowed))

    def parse(number: str, pair: tuple[str, str]) -> RetrievalRow:
        sentence, translation = (text.strip() for text in pair)
        if not sentence or not translation:
            raise RowError("one side of the pair is blank", " | ".join(pair), "a sentence on both sides")
        return RetrievalRow(number, translation, sentence, int(number))

    pairs = [(line, (text, other)) for (line, text), (_, other) in zip(foreign, english, strict=True)]
    aligned = parse_rows(paths[0], pairs, parse, bad)
    order = sorted(range(len(aligned)), key=lambda line: aligned[line].query)
    return [
        RetrievalRow(str(k), aligned[gold].query, aligned[k].candidate, gold) for k, gold in enumerate(order)
    ]


READERS: Mapping[Format, Reader] = {
    "pairs_tsv": read_pairs_tsv,
    "pawsx_tsv": read_pawsx_tsv,
    "nli_jsonl": json_lines(parse_nli),
    "csqa_jsonl": json_lines(parse_csqa),
    "copa_jsonl": json_lines(parse_copa),
    "tagged_words": read_tagged_words,
    "squad_json": read_squad_json,
    "bitext": read_bitext,
}


def _fields(text: str) -> list[str]:
    return [field.strip() for field in text.split("\t")]


def _usual_width(rows: Sequence[Sequence[str]], *, allowed: tuple[int, int]) -> int:
    """How many columns most rows of a file have, so that one broken row does not condemn the others."""
    widths = Counter(map(len, rows))
    return max(allowed, key=widths.__getitem__)


def _check_width(fields: Sequence[str], n_columns: int) -> None:
    if len(fields) != n_columns:
        received = f"{len(fields)} columns: {' | '.join(fields)}"
        raise RowError("wrong number of columns", received, f"{n_columns}, between tabs")


def _check_word(line: int, fields: Sequence[str], n_columns: int, task: Task) -> None:
    try:
        _check_width(fields, n_columns)
        if not fields[0]:
            raise RowError("the word is empty", "\t".join(fields), "a word")
        if n_columns == 2:
            known_label(fields[1], task)
    except RowError as fault:
        fault.place = line
        raise
