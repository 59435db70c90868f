"""This is where tables are read: TSV files with a header, QQP, Cosmos QA's CSV, and what CSV quotes do to TSV.

read_nli_tsv([Path("XNLI-MT-1.0/multinli/multinli.train.de.tsv")], MNLI, "de")[0]
-> PairRow(id="0", first="Konzeptionell ...", second="Produkt ...", label="neutral")
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from xtr.catalogue.task import Task
from xtr.data.jsonfiles import Record
from xtr.data.parsing import AnyRow, RowError, check_width, known_label, numbered_lines, parse_rows, read_text
from xtr.data.records import parse_cosmos, parse_nli
from xtr.data.rows import ChoiceRow, PairRow
from xtr.errors import InputError

QQP_COLUMNS = ("question1", "question2")


def fields_of(text: str) -> list[str]:
    """Cut a line at its tabs."""
    return [field.strip() for field in text.split("\t")]


def without_csv_quotes(lines: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Undo the quotes of a CSV writer, `"a ""b"" c"` -> `a "b" c`, where all quotes of the file are such.

    XTREME's scripts write PAWS-X and XNLI with such a writer, older copies of them without.
    """
    quoted = [field for _, fields in lines for field in fields if '"' in field]
    if not quoted or not all(map(_is_csv_quoted, quoted)):
        return list(lines)
    return [
        (line, [field[1:-1].replace('""', '"') if '"' in field else field for field in fields])
        for line, fields in lines
    ]


def _is_csv_quoted(field: str) -> bool:
    """Say whether a CSV writer can have made this field: it quotes what holds a quote, and doubles that."""
    inside = field[1:-1]
    return (
        len(field) > 3
        and field[0] == field[-1] == '"'
        and '""' in inside
        and '"' not in inside.replace('""', "")
    )


def read_nli_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read NLI with a header: GLUE's MNLI, SNLI's text files, XNLI's machine translations, KorNLI."""
    del language
    return _read_headed(
        paths[0],
        ("sentence1", "premise"),
        lambda number, record: parse_nli(number, record, task),
        short="keep",
    )


def read_xnli_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read one language out of XNLI's own files, in which all stand below each other."""

    def parse(number: str, record: Record) -> PairRow | None:
        return parse_nli(number, record, task)

    return _read_headed(paths[0], ("language",), parse, only=f"{language}\t")


def read_qqp_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read GLUE's QQP; rows that lack a column are left out, as everybody does."""
    del language

    def parse(number: str, record: Record) -> PairRow:
        first, second = (str(record[name]) for name in QQP_COLUMNS)
        label = known_label(str(record["is_duplicate"]), task) if "is_duplicate" in record else None
        return PairRow(str(record.get("id", number)), first, second, label)

    return _read_headed(paths[0], ("question1",), parse, short="drop")


def read_qqp_partition(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read QQP as Wang et al. (2017) divided it: label, two questions and an id, without a header."""
    del language

    def parse(_number: str, fields: list[str]) -> PairRow:
        check_width(fields, 4)
        return PairRow(fields[3], fields[1], fields[2], known_label(fields[0], task))

    lines = [(line, fields_of(text)) for line, text in numbered_lines(read_text(paths[0]))]
    return parse_rows(paths[0], lines, parse)


def read_cosmos_csv(paths: Sequence[Path], task: Task, language: str) -> list[ChoiceRow]:
    """Read Cosmos QA's CSV files; a field in quotes may run over several lines."""
    del language
    reader = csv.reader(io.StringIO(read_text(paths[0]), newline=""))
    header = next(reader, [])
    _check_header(paths[0], header, ("context",))
    rows = ((reader.line_num, fields) for fields in reader if fields)

    def parse(number: str, fields: list[str]) -> ChoiceRow:
        if len(fields) != len(header):
            raise RowError("wrong number of columns", f"{len(fields)}", f"{len(header)}: {', '.join(header)}")
        return parse_cosmos(number, dict(zip(header, fields, strict=True)), task)

    return parse_rows(paths[0], rows, parse)


def _read_headed(
    path: Path,
    wanted: tuple[str, ...],
    parse: Callable[[str, Record], AnyRow | None],
    *,
    only: str = "",
    short: Literal["refuse", "keep", "drop"] = "refuse",
) -> list[AnyRow]:
    """Read a TSV file whose first line names its columns.

    Args:
        path: the file.
        wanted: one of these columns must be there.
        parse: makes a row of a record.
        only: read only lines that begin so.
        short: what is done with a row that lacks columns at its end; kept, its record lacks them too.
    """
    lines = numbered_lines(read_text(path))
    header = fields_of(lines[0][1]) if lines else []
    _check_header(path, header, wanted)

    def parse_line(number: str, text: str) -> AnyRow | None:
        fields = fields_of(text)
        if short != "refuse" and len(fields) < len(header):
            return parse(number, dict(zip(header, fields, strict=False))) if short == "keep" else None
        check_width(fields, len(header))
        return parse(number, dict(zip(header, fields, strict=True)))

    return parse_rows(path, [(line, text) for line, text in lines[1:] if text.startswith(only)], parse_line)


def _check_header(path: Path, header: Sequence[str], wanted: tuple[str, ...]) -> None:
    if not set(wanted) & set(header):
        fault = RowError("the header is missing", " | ".join(header), f"a column {' or '.join(wanted)}")
        raise InputError(fault.problem(path, 1))
