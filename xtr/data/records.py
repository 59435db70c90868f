"""This is where one record of a data set becomes a row: a mapping of named fields, from JSON or from the hub.

    parse_nli("0", {"premise": "He slept.", "hypothesis": "He was awake.", "label": "contradiction"}, MNLI)
    -> PairRow(id="0", first="He slept.", second="He was awake.", label="contradiction")

A parser raises RowError for what is malformed and returns None for rows that everybody leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xtr.catalogue.task import Columns, Task
from xtr.data.jsonfiles import Question, Record, field_object, field_objects, field_text, id_of
from xtr.data.parsing import RowError
from xtr.data.rows import Answer, ChoiceRow, PairRow, Row, SpanRow, TaggingRow
from xtr.errors import suggest

RecordParser = Callable[[str, Record, Task], Row | None]

NO_CONSENSUS = "-"  # MNLI and SNLI: the annotators did not agree; everybody leaves these rows out


def parse_nli(number: str, record: Record, task: Task) -> PairRow | None:
    """Read NLI by MNLI's field names or plain ones."""
    first = field_text(record, "premise", "sentence1")
    second = field_text(record, "hypothesis", "sentence2")
    label = field_text(record, "label", "gold_label") if _has(record, "label", "gold_label") else None
    if label == NO_CONSENSUS:
        return None
    row_id = id_of(record, "pairID", "uid", "id", number=number)
    return PairRow(row_id, first, second, None if label is None else known_label(label, task))


def parse_csqa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read CommonsenseQA: the question's stem and its choices in the order of their letters."""
    del task
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


def parse_copa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read COPA and XCOPA; the prompt is the premise and an English question, as in XTREME's run_xcopa.py."""
    del task
    asks = field_text(record, "question")
    if asks not in ("cause", "effect"):
        raise RowError("unknown kind of question", asks, "cause, effect")
    return ChoiceRow(
        id_of(record, "idx", number=number),
        f"{field_text(record, 'premise')} What was the {asks}?",
        (field_text(record, "choice1"), field_text(record, "choice2")),
        _choice_number(record["label"]) if "label" in record else None,
    )


def parse_question(_number: str, question: Question) -> SpanRow:
    """Read a question in SQuAD's layout; answers that are all blanked, as in XTREME's tests, are None."""
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


def known_label(label: str, task: Task) -> str:
    """Return a label that the task has; anything else is malformed."""
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


def _hub_question(number: str, record: Record, task: Task) -> SpanRow:
    del task
    answers = field_object(record, "answers")
    texts, starts = answers.get("text"), answers.get("answer_start")
    listed = [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=True)]  # type: ignore[call-overload]
    return parse_question(number, Question(field_text(record, "context"), {**record, "answers": listed}))


def _hub_csqa(number: str, record: Record, task: Task) -> ChoiceRow:
    choices = field_object(record, "choices")
    listed = [{"label": a, "text": b} for a, b in zip(choices["label"], choices["text"], strict=True)]  # type: ignore[call-overload]
    question = {"stem": field_text(record, "question"), "choices": listed}
    hidden = record.get("answerKey") in (None, "")
    rest = {name: value for name, value in record.items() if not (name == "answerKey" and hidden)}
    return parse_csqa(number, {**rest, "question": question}, task)


def _hub_words(number: str, record: Record, task: Task) -> TaggingRow:
    words, tags = record.get("tokens"), record.get("ner_tags", record.get("pos_tags"))
    if not isinstance(words, list) or not words:
        raise RowError("'tokens' is not a list of words", words, "a list of text")
    if not isinstance(tags, list):
        raise RowError("'ner_tags' or 'pos_tags' is missing", tags, "a tag for each token")
    for tag in tags:
        known_label(str(tag), task)
    return TaggingRow(number, tuple(words), tuple(tags))


RECORDS: Mapping[Columns, RecordParser] = {
    "nli": parse_nli,
    "csqa": _hub_csqa,
    "copa": parse_copa,
    "question": _hub_question,
    "words": _hub_words,
}
