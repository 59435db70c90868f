"""This is where Universal Dependencies' CoNLL-U is read, as XTREME's preprocessing reads it.

    read_conllu_upos([Path("ud-treebanks-v2.5/UD_German-GSD/de_gsd-ud-test.conllu")], UDPOS, "de")[0]
    -> TaggingRow(id="de_gsd-ud-test/0", words=("Am", "Montag"), tags=("ADP", "NOUN"))

Words are as they are written: a contraction is one word with the tag of its head, without blanks or zero-width
non-joiners in it. Empty nodes are left out, and so are sentences whose words are withheld (`_`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xtr.catalogue.task import Task
from xtr.data.parsing import RowError, known_label, parse_rows
from xtr.data.rows import TaggingRow
from xtr.data.words import Lines, sentences_of

Tag = Callable[[Sequence[str]], str]

FORM, UPOS, HEAD, DEPREL, N_COLUMNS = 1, 3, 6, 7, 10
HEADS_FIRST = {
    "": ("VERB", "NOUN", "PROPN", "PRON", "ADJ", "NUM", "ADV", "INTJ", "AUX", "ADP", "DET", "PART", "CCONJ",
         "SCONJ", "X", "PUNCT"),
    "es": ("VERB", "AUX", "PRON", "ADP", "DET"),
    "fr": ("VERB", "AUX", "PRON", "NOUN", "ADJ", "ADV", "ADP", "DET", "PART", "SCONJ"),
    "it": ("VERB", "AUX", "ADV", "PRON", "ADP", "DET", "INTJ"),
}  # fmt: skip
"""Which part of speech heads a contraction whose parts hang equally high (ud-conversion-tools), by language."""


def read_conllu_upos(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
    """Read the part of speech of each written word, from all treebanks of a language."""
    return _read_conllu(paths, task, language, lambda fields: fields[UPOS])


def read_conllu_deprel(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
    """Read the universal relation of each written word, subtypes cut off."""
    return _read_conllu(paths, task, language, lambda fields: fields[DEPREL].split(":")[0])


def _read_conllu(paths: Sequence[Path], task: Task, language: str, tag: Tag) -> list[TaggingRow]:
    ranks = HEADS_FIRST.get(language, HEADS_FIRST[""])

    def parse(number: str, sentence: Lines) -> TaggingRow | None:
        words = list(_written_words(sentence, ranks))
        n_missing = sum(form == "_" for _, form, _ in words)
        if n_missing and n_missing >= len(words) - 1:  # the text of some treebanks may not be published
            return None
        tags = tuple(_tag_at(line, tag(fields), task) for line, _, fields in words)
        return TaggingRow(number, tuple(_as_written(form) for _, form, _ in words), tags)

    rows: list[TaggingRow] = []
    for path in paths:
        found = parse_rows(path, sentences_of(path, lambda text: text.split("\t"), comment="#"), parse)
        rows += [TaggingRow(f"{path.stem}/{row.id}", row.words, row.tags) for row in found]
    return rows


def _as_written(form: str) -> str:
    """Drop zero-width non-joiners and inner blanks, as XTREME does."""
    return form.replace("\u200c", "").replace(" ", "") or form


def _tag_at(line: int, tag: str, task: Task) -> str:
    try:
        return known_label(tag, task)
    except RowError as fault:
        fault.place = line
        raise


def _written_words(sentence: Lines, ranks: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, form and columns of each written word; a contraction has the columns of its head."""
    by_id: dict[str, list[str]] = {}
    for line, fields in sentence:
        if len(fields) != N_COLUMNS:
            raise RowError(
                "wrong number of columns", f"{len(fields)}", f"{N_COLUMNS}, between tabs", place=line
            )
        by_id[fields[0]] = fields
    inside = 0
    for line, fields in sentence:
        number = fields[0]
        if "." in number:  # an empty node stands for what is not written
            continue
        if "-" in number:
            first, last = _range(number, line)
            parts = [by_id[str(n)] for n in range(first, last + 1) if str(n) in by_id]
            if not parts:
                raise RowError("a contraction has no parts", number, "the words of its range", place=line)
            inside = last
            yield line, fields[FORM], _head_of(parts, by_id, ranks)
        elif not number.isdecimal():
            raise RowError("not the number of a word", number, "1, 1-2 or 1.1", place=line)
        elif int(number) > inside:
            yield line, fields[FORM], fields


def _range(number: str, line: int) -> tuple[int, int]:
    first, _, last = number.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        raise RowError("not the number of a word", number, "1, 1-2 or 1.1", place=line)
    return int(first), int(last)


def _head_of(parts: Sequence[list[str]], by_id: dict[str, list[str]], ranks: Sequence[str]) -> list[str]:
    """Choose the part that hangs highest in the tree; among equals, that of the foremost part of speech."""
    heights = [_height(part, by_id) for part in parts]
    highest = [part for part, height in zip(parts, heights, strict=True) if height == min(heights)]
    return min(highest, key=lambda part: ranks.index(part[UPOS]) if part[UPOS] in ranks else len(ranks))


def _height(fields: Sequence[str], by_id: dict[str, list[str]]) -> int:
    """Count the words between a word and the root of its tree."""
    seen = {fields[0]}
    while fields[HEAD] in by_id and fields[HEAD] not in seen:
        seen.add(fields[HEAD])
        fields = by_id[fields[HEAD]]
    return len(seen)
