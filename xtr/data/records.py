"""This is where one record of a data set becomes a row: a mapping of named fields, from JSON or from the hub.

    parse_nli("0", {"premise": "He slept.", "hypothesis": "He was awake.", "label": "contradiction"}, MNLI)
    -> PairRow(id="0", first="He slept.", second="He was awake.", label="contradiction")

A parser raises RowError for what is malformed and returns None for rows that everybody leaves out. `RECORDS` names
the parsers of the hub's columns; there, class numbers have become class names before a parser sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xtr.catalogue.task import Columns, Task
from xtr.data.jsonfiles import Question, Record, field_object, field_objects, field_text, field_texts, id_of
from xtr.data.parsing import RowError, known_label
from xtr.data.rows import Answer, ChoiceRow, PairRow, Row, SpanRow, TaggingRow

RecordParser = Callable[[str, Record, Task], Row | None]

NO_CONSENSUS = "-"  # MNLI and SNLI: the annotators did not agree; everybody leaves these rows out


COPA_NAMES = {"choice1": 0, "choice2": 1}  # SuperGLUE's class names on the hub
NLI_WORDS = {
    "e": "entailment",
    "n": "neutral",
    "c": "contradiction",
    "contradictory": "contradiction",  # in XNLI's machine translations
}


def parse_nli(number: str, record: Record, task: Task) -> PairRow | None:
    """Read NLI by any of its sets' field names; labels may be short ones."""
    first = field_text(record, "premise", "sentence1", "context")
    second = field_text(record, "hypothesis", "sentence2", "hypo")
    label = _label(record, "label", "gold_label")
    if label == NO_CONSENSUS:
        return None
    if label is not None and label not in task.labels:
        label = NLI_WORDS.get(label, label)
    row_id = id_of(record, "pairID", "uid", "sentence_pair_id", "id", number=number)
    return PairRow(row_id, first, second, None if label is None else known_label(label, task))


def parse_snli(number: str, record: Record, task: Task) -> PairRow | None:
    """Read SNLI as the hub has it: rows without a label are those on which annotators did not agree."""
    row = parse_nli(number, record, task)
    return None if row is None or row.label is None else row


def parse_pair(number: str, record: Record, task: Task) -> PairRow:
    """Read two sentences and a label, as PAWS-X and most sets of pairs have them."""
    label = _label(record, "label")
    return PairRow(
        id_of(record, "id", "idx", number=number),
        field_text(record, "sentence1", "text1", "premise"),
        field_text(record, "sentence2", "text2", "hypothesis"),
        None if label is None else known_label(label, task),
    )


def parse_qqp(number: str, record: Record, task: Task) -> PairRow:
    """Read QQP as the hub has it: its class names are words there, its labels numbers here."""
    label = _label(record, "label")
    names = {"not_duplicate": "0", "duplicate": "1"}
    return PairRow(
        id_of(record, "idx", "id", number=number),
        field_text(record, "question1"),
        field_text(record, "question2"),
        None if label is None else known_label(names.get(label, label), task),
    )


def parse_csqa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read CommonsenseQA: the question's stem and its choices in the order of their letters.

    The hub has the stem as `question` and the choices as two lists.
    """
    del task
    on_hub = "choices" in record
    question = {**record, "stem": record.get("question")} if on_hub else field_object(record, "question")
    choices = sorted(_lettered(question))
    letters = [letter for letter, _ in choices]
    answer = field_text(record, "answerKey") if record.get("answerKey") else None
    if answer is not None and answer not in letters:
        raise RowError("no choice has the letter of the answer", answer, ", ".join(letters))
    return ChoiceRow(
        id_of(record, "id", number=number),
        field_text(question, "stem"),
        tuple(text for _, text in choices),
        None if answer is None else letters.index(answer),
    )


def parse_hellaswag(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read HellaSwag: the prompt is the whole sentence, each choice the begun one with an ending.

    Where a copy has no `ctx_a` and `ctx_b`, the prompt is all of the context and a choice the ending alone.
    """
    del task
    endings = field_texts(record, "endings")
    prompt, begun = (
        field_text(record, "ctx_a", "ctx"),
        field_text(record, "ctx_b") if "ctx_a" in record else "",
    )
    choices = tuple(f"{begun} {ending}".strip() for ending in endings)
    return ChoiceRow(
        id_of(record, "ind", number=number),
        prompt,
        choices,
        _choice_number(record, len(endings), as_text=True),
    )


def parse_cosmos(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read Cosmos QA: the prompt is the context and the question."""
    del task
    choices = tuple(field_text(record, f"answer{n}") for n in range(4))
    prompt = f"{field_text(record, 'context')} {field_text(record, 'question')}"
    return ChoiceRow(
        id_of(record, "id", number=number), prompt, choices, _choice_number(record, 4, as_text=True)
    )


def parse_siqa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read Social IQa: the right answer is a letter (`correct`) or, on the hub, a number from 1 (`label`)."""
    del task
    choices = tuple(field_text(record, f"answer{letter}") for letter in "ABC")
    answer = record.get("correct") or record.get("label") or None
    marks = {"A": 0, "B": 1, "C": 2, "1": 0, "2": 1, "3": 2}
    if answer is not None and answer not in marks:
        raise RowError("the answer is none of the three", answer, "A, B, C or 1, 2, 3")
    prompt = f"{field_text(record, 'context')} {field_text(record, 'question')}"
    return ChoiceRow(number, prompt, choices, None if answer is None else marks[str(answer)])


def parse_jcommonsenseqa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read JCommonsenseQA."""
    del task
    choices = tuple(field_text(record, f"choice{n}") for n in range(5))
    row_id = id_of(record, "q_id", number=number)
    return ChoiceRow(row_id, field_text(record, "question"), choices, _choice_number(record, 5))


def parse_copa(number: str, record: Record, task: Task) -> ChoiceRow:
    """Read COPA and XCOPA; the prompt is the premise and an English question, as in XTREME's run_xcopa.py."""
    del task
    asks, label = field_text(record, "question"), record.get("label")
    if asks not in ("cause", "effect"):
        raise RowError("unknown kind of question", asks, "cause, effect")
    return ChoiceRow(
        id_of(record, "idx", number=number),
        f"{field_text(record, 'premise')} What was the {asks}?",
        (field_text(record, "choice1"), field_text(record, "choice2")),
        _choice_number({**record, "label": COPA_NAMES.get(str(label), label)}, 2),
    )


def parse_question(_number: str, question: Question) -> SpanRow:
    """Read a question in SQuAD's layout.

    A question that is marked impossible has no answer; answers that are absent or all blanked, as in XTREME's
    tests, are hidden.
    """
    record = question.record
    if "id" not in record:
        raise RowError("the question has no id", field_text(record, "question"), "an id of its own")
    text, row_id = field_text(record, "question"), id_of(record, "id", number="")
    if record.get("is_impossible") is True:
        return SpanRow(row_id, text, question.context, ())
    answers = field_objects(record, "answers") if "answers" in record else []
    spans = tuple(_answer(answer) for answer in answers)
    hidden = all(not span.text for span in spans)
    if not hidden:
        _check_offsets(spans, question.context)
    return SpanRow(row_id, text, question.context, None if hidden else spans)


def parse_repaired_question(number: str, question: Question) -> SpanRow | None:
    """Read a question of a set with known wrong offsets (SQuAD-it, CMRC 2018).

    An answer that is not at its offset is taken where its text occurs nearest to it; one that is blank or occurs
    nowhere is left out, and so is a question that keeps no answer.
    """
    answers = [_answer(record) for record in field_objects(question.record, "answers")]
    found = [span for answer in answers if (span := _nearest(answer, question.context))]
    if not found:
        return None
    record = {
        **question.record,
        "answers": [{"text": each.text, "answer_start": each.start} for each in found],
    }
    return parse_question(number, Question(question.context, record))


def parse_hub_question(number: str, record: Record, task: Task) -> SpanRow:
    """Read a question as the hub has it: context and question side by side, answers as two lists."""
    del task
    answers = field_object(record, "answers")
    texts, starts = field_texts(answers, "text"), answers.get("answer_start")
    if not isinstance(starts, list) or len(starts) != len(texts):
        raise RowError("'answer_start' does not fit 'text'", starts, f"{len(texts)} whole numbers")
    pairs = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    return parse_question(number, Question(field_text(record, "context"), {**record, "answers": pairs}))


def parse_hub_unanswerable(number: str, record: Record, task: Task) -> SpanRow:
    """Read SQuAD 2.0 as the hub has it: a question without answers has none."""
    row = parse_hub_question(number, record, task)
    return SpanRow(row.id, row.question, row.context, row.answers or ())


def parse_words(number: str, record: Record, task: Task) -> TaggingRow:
    """Read words and their tags as the hub has them."""
    words = tuple(field_texts(record, "tokens"))
    names = [name for name in ("pos_tags", "ner_tags", "upos", "tags") if name in record]
    tags = tuple(known_label(tag, task) for tag in field_texts(record, names[0])) if names else None
    if not words or (tags is not None and len(tags) != len(words)):
        raise RowError("words and tags do not fit", f"{len(words)} words, {len(tags or ())} tags", "one each")
    return TaggingRow(number, words, tags)


def _label(record: Record, *names: str) -> str | None:
    """Return the label; a number is written as text, and -1 and null are the hub's words for none."""
    for name in names:
        if name in record:
            value = record[name]
            if value is None or value == -1:
                return None
            return str(value) if type(value) is int else field_text(record, name)
    return None


def _lettered(question: Record) -> list[tuple[str, str]]:
    choices = question.get("choices")
    if isinstance(choices, dict):
        return list(zip(field_texts(choices, "label"), field_texts(choices, "text"), strict=True))
    return [
        (field_text(choice, "label"), field_text(choice, "text"))
        for choice in field_objects(question, "choices")
    ]


def _choice_number(record: Record, n_choices: int, *, as_text: bool = False) -> int | None:
    """Return the number of the right choice; absent, empty, null and -1 mean that it is hidden."""
    value = record.get("label")
    if value is None or value == "" or (type(value) is int and value == -1):
        return None
    number = int(value) if as_text and isinstance(value, str) and value.isdecimal() else value
    if type(number) is not int or number not in range(n_choices):
        allowed = ", ".join(map(str, range(n_choices)))
        raise RowError("the label is not the number of a choice", value, allowed)
    return number


def _nearest(answer: Answer, context: str) -> Answer | None:
    """Find where the answer's text occurs nearest to its offset."""
    if not answer.text:
        return None
    places = []
    place = context.find(answer.text)
    while place >= 0:
        places.append(place)
        place = context.find(answer.text, place + 1)
    return Answer(answer.text, min(places, key=lambda each: abs(each - answer.start))) if places else None


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


RECORDS: Mapping[Columns, RecordParser] = {
    "nli": parse_nli,
    "snli": parse_snli,
    "pair": parse_pair,
    "qqp": parse_qqp,
    "csqa": parse_csqa,
    "copa": parse_copa,
    "hellaswag": parse_hellaswag,
    "cosmos": parse_cosmos,
    "siqa": parse_siqa,
    "jcommonsenseqa": parse_jcommonsenseqa,
    "question": parse_hub_question,
    "unanswerable": parse_hub_unanswerable,
    "words": parse_words,
}
