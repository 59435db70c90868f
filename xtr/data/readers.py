"""This is where every file format of the catalogue is read: one function a format, looked up in `READERS`.

    READERS["pairs_tsv"]([Path("xnli/dev-de.tsv")], XNLI, "de")[0]
    -> PairRow(id="0", first="und er hat gesagt, ...", second="er rief seine Mutter ...", label="neutral")

Row ids are the file's own, or the row's number from 0. Text stays as it is but for white space at the ends of
TSV fields and bitext lines, which XTREME's scripts drop too. As there, quotes are text and nothing is CSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from xtr.catalogue.task import Format, Task
from xtr.data.jsonfiles import (
    Question,
    Record,
    field_object,
    field_objects,
    field_text,
    id_of,
    read_json_lines,
    read_questions,
)
from xtr.data.parsing import RowError, numbered_lines, parse_rows, read_text
from xtr.data.rows import Answer, ChoiceRow, PairRow, RetrievalRow, Row, SpanRow, TaggingRow
from xtr.errors import InputError, Problem, suggest

Reader = Callable[[Sequence[Path], Task, str], Sequence[Row]]

PAWSX_HEADER = ["id", "sentence1", "sentence2", "label"]
NO_CONSENSUS = "-"  # MNLI and SNLI: the annotators did not agree; everybody leaves these rows out


def read_pairs_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read XTREME's two-sentence files: first, second and, but in its tests, label."""
    del language
    lines = [(line, _fields(text)) for line, text in numbered_lines(read_text(paths[0]))]
    n_columns = _usual_width([fields for _, fields in lines], allowed=(3, 2))

    def parse(number: str, fields: list[str]) -> PairRow:
        _check_width(fields, n_columns)
        label = _known_label(fields[2], task) if n_columns == 3 else None
        return PairRow(number, fields[0], fields[1], label)

    return parse_rows(paths[0], lines, parse)


def read_pawsx_tsv(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read PAWS-X's own files: a header, then id, two sentences and, where it is known, the label."""
    del language
    lines = [(line, _fields(text)) for line, text in numbered_lines(read_text(paths[0]))]
    header = lines[0][1] if lines else PAWSX_HEADER
    if header not in (PAWSX_HEADER, PAWSX_HEADER[:3]):
        fault = RowError("the header is missing", "\t".join(header), "\t".join(PAWSX_HEADER))
        raise InputError(fault.problem(paths[0], 1))

    def parse(_number: str, fields: list[str]) -> PairRow:
        _check_width(fields, len(header))
        label = _known_label(fields[3], task) if len(header) == 4 else None
        return PairRow(fields[0], fields[1], fields[2], label)

    return parse_rows(paths[0], lines[1:], parse)


def read_nli_jsonl(paths: Sequence[Path], task: Task, language: str) -> list[PairRow]:
    """Read NLI as JSON lines, by MNLI's field names or plain ones; rows without a consensus are left out."""
    del language

    def parse(number: str, record: Record) -> PairRow | None:
        first = field_text(record, "premise", "sentence1")
        second = field_text(record, "hypothesis", "sentence2")
        label = field_text(record, "label", "gold_label") if _has(record, "label", "gold_label") else None
        if label == NO_CONSENSUS:
            return None
        row_id = id_of(record, "pairID", "uid", "id", number=number)
        return PairRow(row_id, first, second, None if label is None else _known_label(label, task))

    return read_json_lines(paths[0], parse)


def read_csqa_jsonl(paths: Sequence[Path], task: Task, language: str) -> list[ChoiceRow]:
    """Read CommonsenseQA: the question's stem and its choices in the order of their letters."""
    del task, language

    def parse(number: str, record: Record) -> ChoiceRow:
        question = field_object(record, "question")
        choices = sorted(
            (field_text(choice, "label"), field_text(choice, "text"))
            for choice in field_objects(question, "choices")
        )
        letters = [letter for letter, _ in choices]
        answer = field_text(record, "answerKey") if "answerKey" in record else None
        if answer is not None and answer not in letters:
            raise RowError("no choice has the letter of the answer", answer, ", ".join(letters))
        return ChoiceRow(
            id_of(record, "id", number=number),
            field_text(question, "stem"),
            tuple(text for _, text in choices),
            None if answer is None else letters.index(answer),
        )

    return read_json_lines(paths[0], parse)


def read_copa_jsonl(paths: Sequence[Path], task: Task, language: str) -> list[ChoiceRow]:
    """Read COPA and XCOPA; the prompt is the premise and an English question, as in XTREME's run_xcopa.py."""
    del task, language

    def parse(number: str, record: Record) -> ChoiceRow:
        asks = field_text(record, "question")
        if asks not in ("cause", "effect"):
            raise RowError("unknown kind of question", asks, "cause, effect")
        return ChoiceRow(
            id_of(record, "idx", number=number),
            f"{field_text(record, 'premise')} What was the {asks}?",
            (field_text(record, "choice1"), field_text(record, "choice2")),
            _choice_number(record["label"]) if "label" in record else None,
        )

    return read_json_lines(paths[0], parse)


def read_squad_json(paths: Sequence[Path], task: Task, language: str) -> list[SpanRow]:
    """Read SQuAD's JSON; answers that are all blanked, as in XTREME's tests, are None."""
    del task, language

    def parse(_number: str, question: Question) -> SpanRow:
        record = question.record
        if "id" not in record:
            raise RowError("the question has no id", field_text(record, "question"), "an id of its own")
        answers = field_objects(record, "answers") if "answers" in record else []
        spans = tuple(_answer(answer) for answer in answers)
        hidden = all(not span.text for span in spans)
        if not hidden:
            _check_offsets(spans, question.context)
        row_id = id_of(record, "id", number="")
        return SpanRow(row_id, field_text(record, "question"), question.context, None if hidden else spans)

    return read_questions(paths[0], parse)


def read_tagged_words(paths: Sequence[Path], task: Task, language: str) -> list[TaggingRow]:
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

    return parse_rows(paths[0], items, parse)


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


READERS: Mapping[Format, Reader] = {
    "pairs_tsv": read_pairs_tsv,
    "pawsx_tsv": read_pawsx_tsv,
    "nli_jsonl": read_nli_jsonl,
    "csqa_jsonl": read_csqa_jsonl,
    "copa_jsonl": read_copa_jsonl,
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
            _known_label(fields[1], task)
    except RowError as fault:
        fault.place = line
        raise


def _known_label(label: str, task: Task) -> str:
    if label not in task.labels:
        raise RowError("unknown label", label, ", ".join(task.labels), suggest(label, task.labels))
    return label


def _choice_number(value: object) -> int:
    if type(value) is not int or value not in (0, 1):
        raise RowError("the label is not the number of a choice", value, "0, 1")
    return value


def _answer(record: Record) -> Answer:
    start = record.get("answer_start")
    if not isinstance(start, int):
        raise RowError("'answer_start' is not a whole number", start, "the answer's first character")
    return Answer(field_text(record, "text"), start)


def _check_offsets(answers: Sequence[Answer], context: str) -> None:
    for answer in answers:
        found = context[answer.start : answer.start + len(answer.text)] if answer.start >= 0 else ""
        if found != answer.text:
            near = context.find(answer.text)
            hint = f"the text occurs at {near}" if near >= 0 else "the text does not occur in the context"
            received = f"{found!r} at {answer.start}"
            raise RowError("the context does not have the answer at its offset", received, answer.text, hint)


def _has(record: Record, *names: str) -> bool:
    return any(name in record for name in names)
