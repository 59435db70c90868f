"""This is where every file format of the catalogue is read: one function a format, looked up in `READERS`.

    READERS["pairs_tsv"]([Path("xnli/dev-de.tsv")], XNLI, "de")[0]
    -> PairRow(id="0", first="und er hat gesagt, ...", second="er rief seine Mutter ...", label="neutral")

Row ids are the file's own, or the row's number from 0. Text stays as it is but for white space at the ends of
TSV fields and bitext lines, which XTREME's scripts drop too. Quotes are text, but for those that a CSV
writer put there (docs/decisions/0012-quotes-in-tsv.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.task import Format, Task
from xtr.data.conllu import read_conllu_deprel, read_conllu_upos
from xtr.data.jsonfiles import Question, Record, read_json_lines, read_questions
from xtr.data.parsing import (
    RowError,
    check_width,
    known_label,
    numbered_lines,
    parse_rows,
    read_text,
    usual_width,
)
from xtr.data.records import (
    RecordParser,
    parse_copa,
    parse_cosmos,
    parse_csqa,
    parse_hellaswag,
    parse_jcommonsenseqa,
    parse_nli,
    parse_question,
    parse_repaired_question,
    parse_siqa,
)
from xtr.data.retrieval_files import (
    read_mewslix_entities,
    read_mewslix_mentions,
    read_mewslix_pairs,
    read_mining,
    read_squad_sentences,
    read_xquad_r,
)
from xtr.data.rows import ChoiceRow, PairRow, RetrievalRow, Row, SpanRow, TextRow
from xtr.data.tables import (
    fields_of,
    read_cosmos_csv,
    read_nli_tsv,
    read_qqp_partition,
    read_qqp_tsv,
    read_xnli_tsv,
    without_csv_quotes,
)
from xtr.data.words import read_ccg, read_rejoined_words, read_tagged_words
from xtr.errors import InputError, Problem

Reader = Callable[[Sequence[Path], Task, str], Sequence[Row]]

PAWSX_HEADER = ["id", "sentence1", "sentence2", "label"]


def read_pairs_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read XTREME's two-sentence files: first, second and, but in its tests, label."""
    del language
    lines = without_csv_quotes(
        [(line, fields_of(text)) for line, text in numbered_lines(read_text(paths[0]))]
    )
    n_columns = usual_width([fields for _, fields in lines], allowed=(3, 2))

    def parse(number: str, fields: list[str]) -> PairRow:
        check_width(fields, n_columns)
        label = known_label(fields[2], task) if n_columns == 3 else None
        return PairRow(number, fields[0], fields[1], label)

    return parse_rows(paths[0], lines, parse)


def read_pawsx_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read PAWS-X's own files: a header, then id, two sentences and, where it is known, the label."""
    del language
    lines = [(line, fields_of(text)) for line, text in numbered_lines(read_text(paths[0]))]
    header = lines[0][1] if lines else PAWSX_HEADER
    if header not in (PAWSX_HEADER, PAWSX_HEADER[:3]):
        fault = RowError("the header is missing", "\t".join(header), "\t".join(PAWSX_HEADER))
        raise InputError(fault.problem(paths[0], 1))

    def parse(_number: str, fields: list[str]) -> PairRow:
        check_width(fields, len(header))
        label = known_label(fields[3], task) if len(header) == 4 else None
        return PairRow(fields[0], fields[1], fields[2], label)

    return parse_rows(paths[0], lines[1:], parse)


def json_lines(parse: RecordParser) -> Reader:
    """Read a file with one JSON object a line, each a row."""

    def read(paths: Sequence[Path], task: Task, language: str) -> Sequence[Row]:
        del language
        return read_json_lines(paths[0], lambda number, record: parse(number, record, task))

    return read


def read_rounds(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read ANLI's rounds as one set; an id is that of its round and its own."""
    del language
    return [
        replace(row, id=f"{path.parent.name}/{row.id}")
        for path in paths
        for row in read_json_lines(path, lambda number, record: parse_nli(number, record, task))
    ]


def read_xnli_jsonl(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read one language out of XNLI's own files, in which all stand below each other."""

    def parse(number: str, record: Record) -> PairRow | None:
        return parse_nli(number, record, task) if record.get("language") == language else None

    return read_json_lines(paths[0], parse)


def read_siqa_labels(paths: Sequence[Path], task: Task, language: str) -> list[ChoiceRow]:
    """Read Social IQa's first release: questions in one file, the numbers of the answers in another."""
    del language
    labels = [text.strip() for _, text in numbered_lines(read_text(paths[1]))]

    def parse(number: str, record: Record) -> ChoiceRow:
        if int(number) >= len(labels):
            raise RowError("the row has no label", f"{len(labels)} labels in {paths[1]}", "a label a row")
        return parse_siqa(number, {**record, "label": labels[int(number)]}, task)

    rows = read_json_lines(paths[0], parse)
    n_rows = sum(bool(text.strip()) for _, text in numbered_lines(read_text(paths[0])))
    if n_rows < len(labels):
        fault = RowError("there are more labels than rows", f"{len(labels)} labels, {n_rows} rows")
        raise InputError(fault.problem(paths[1], n_rows + 1))
    return rows


def questions(parse: Callable[[str, Question], SpanRow | None]) -> Reader:
    """Read SQuAD's JSON: articles with paragraphs with questions."""

    def read(paths: Sequence[Path], task: Task, language: str) -> list[SpanRow]:
        del task, language
        return read_questions(paths[0], parse)

    return read


def read_repeated_ids(paths: Sequence[Path], task: Task, language: str) -> list[SpanRow]:
    """Read a file in which ids repeat, as in XTREME's TyDiQA training files: the second `7` becomes `7#2`."""
    del task, language
    seen: Counter[str] = Counter()

    def parse(number: str, question: Question) -> SpanRow:
        row = parse_question(number, question)
        seen[row.id] += 1
        return row if seen[row.id] == 1 else replace(row, id=f"{row.id}#{seen[row.id]}")

    return read_questions(paths[0], parse)


def read_tydiqa(paths: Sequence[Path], task: Task, language: str) -> list[SpanRow]:
    """Read one language out of TyDiQA's own file of all: its ids begin with the language's name."""
    del task
    mark = f"{LANGUAGES[language].name.lower()}-"

    def parse(number: str, question: Question) -> SpanRow | None:
        mine = str(question.record.get("id", mark)).startswith(mark)
        return parse_question(number, question) if mine else None

    return read_questions(paths[0], parse)


def read_bitext(paths: Sequence[Path], task: Task, language: str) -> list[RetrievalRow]:
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
    aligned = parse_rows(paths[0], pairs, parse)
    order = sorted(range(len(aligned)), key=lambda line: aligned[line].query)
    return [
        RetrievalRow(str(k), aligned[gold].query, aligned[k].candidate, gold) for k, gold in enumerate(order)
    ]


def read_text_lines(paths: Sequence[Path], task: Task, language: str) -> list[TextRow]:
    """Read plain text, one sentence or document a line; blank lines are skipped."""
    del task, language
    lines = [(line, text) for line, text in numbered_lines(read_text(paths[0])) if text.strip()]
    return parse_rows(paths[0], lines, lambda number, text: TextRow(number, text.strip()))


READERS: Mapping[Format, Reader] = {
    "pairs_tsv": read_pairs_tsv,
    "pawsx_tsv": read_pawsx_tsv,
    "nli_jsonl": json_lines(parse_nli),
    "nli_jsonl_rounds": read_rounds,
    "nli_tsv": read_nli_tsv,
    "xnli_jsonl": read_xnli_jsonl,
    "xnli_tsv": read_xnli_tsv,
    "qqp_tsv": read_qqp_tsv,
    "qqp_partition": read_qqp_partition,
    "csqa_jsonl": json_lines(parse_csqa),
    "copa_jsonl": json_lines(parse_copa),
    "hellaswag_jsonl": json_lines(parse_hellaswag),
    "cosmos_csv": read_cosmos_csv,
    "cosmos_jsonl": json_lines(parse_cosmos),
    "siqa_jsonl": json_lines(parse_siqa),
    "siqa_labels": read_siqa_labels,
    "jcommonsenseqa_jsonl": json_lines(parse_jcommonsenseqa),
    "tagged_words": read_tagged_words,
    "rejoined_words": read_rejoined_words,
    "conllu_upos": read_conllu_upos,
    "conllu_deprel": read_conllu_deprel,
    "ccg_tsv": read_ccg,
    "squad_json": questions(parse_question),
    "squad_json_repeated_ids": read_repeated_ids,
    "squad_json_repaired": questions(parse_repaired_question),
    "tydiqa_json": read_tydiqa,
    "bitext": read_bitext,
    "text_lines": read_text_lines,
    "mining": read_mining,
    "mining_hidden": read_mining,
    "xquad_r": read_xquad_r,
    "squad_sentences": read_squad_sentences,
    "mewslix_pairs": read_mewslix_pairs,
    "mewslix_mentions": read_mewslix_mentions,
    "mewslix_entities": read_mewslix_entities,
}
