"""This is where the demo world becomes files, in the formats and folders of the official data sets.

    write_world(Path("runs/data/demo"), seed=0, scale=1.0)
    head -1 runs/data/demo/xnli/train-en.tsv   -> "kifobe do sunu ." TAB "kifobe la sunu ." TAB "neutral"

Unlike XTREME's, the test files carry labels, since the demo is scored at home.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xtr.data.demo.corpus import documents, plain_text
from xtr.data.demo.sizes import n_items
from xtr.data.demo.tasks import (
    PAWSX_LABELS,
    XNLI_LABELS,
    CopaItem,
    PairItem,
    QuizItem,
    SentenceItem,
    SpanItem,
    draw_copa,
    draw_pairs,
    draw_quiz,
    draw_sentences,
    draw_spans,
    spelling_label,
    tag_entities,
    tag_words,
)
from xtr.data.demo.world import (
    SELECT_LANGUAGES,
    STOP,
    TARGET_LANGUAGES,
    Clause,
    Meaning,
    World,
    answer,
    arrange,
    ask,
    draw_world,
)
from xtr.fingerprint import canonical_json

ENGLISH = ("en",)
TRANSLATED_SQUAD = "squad-translate-train-train-v1.1.json"


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes items of one world below one folder."""

    world: World
    folder: Path
    scale: float

    def size(self, task: str, split: str) -> int:
        return n_items(task, split, self.scale)

    def lines(self, path: str, lines: Iterable[str]) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)

    def clause(self, clause: Clause, language: str) -> str:
        return self.world.say([*arrange(clause, language), STOP], language)


def write_world(folder: Path, *, seed: int, scale: float) -> None:
    """Write every task and the pretraining text of a world below a folder.

    Args:
        folder: the data root that an official reader is pointed at.
        seed: decides words, preferences, items and text.
        scale: share of the full sizes, at least a dozen items a split.
    """
    writer = _Writer(draw_world(seed), folder, scale)
    for write in (
        _write_pairs,
        _write_spelling,
        _write_choices,
        _write_tagging,
        _write_spans,
        _write_bitexts,
        _write_text,
        _write_corpora,
        _write_answering_sentences,
    ):
        write(writer)


def _write_pairs(writer: _Writer) -> None:
    plan: tuple[tuple[str, str, str, Sequence[str]], ...] = (
        ("mnli", "train", "xnli/train-{}.tsv", TARGET_LANGUAGES),
        ("xnli", "dev", "xnli/dev-{}.tsv", TARGET_LANGUAGES),
        ("xnli", "test", "xnli/test-{}.tsv", TARGET_LANGUAGES),
        ("pawsx", "train", "pawsx/train-{}.tsv", TARGET_LANGUAGES),
        ("pawsx", "dev", "pawsx/dev-{}.tsv", TARGET_LANGUAGES),
        ("pawsx", "test", "pawsx/test-{}.tsv", TARGET_LANGUAGES),
    )
    for task, split, path, languages in plan:
        labels = PAWSX_LABELS if task == "pawsx" else XNLI_LABELS
        items = draw_pairs(writer.world, task, split, writer.size(task, split), labels)
        for language in languages:
            writer.lines(path.format(language), (_pair_line(writer, item, language) for item in items))


def _pair_line(writer: _Writer, item: PairItem, language: str) -> str:
    return "\t".join((writer.clause(item.first, language), writer.clause(item.second, language), item.label))


def _write_spelling(writer: _Writer) -> None:
    """Write pairs like MNLI's whose labels no meaning decides: learning them spoils what MNLI has taught."""
    for split in ("train", "dev"):
        lines = []
        for item in draw_pairs(writer.world, "spelling", split, writer.size("spelling", split), XNLI_LABELS):
            first, second = (writer.clause(clause, "en") for clause in (item.first, item.second))
            lines.append("\t".join((first, second, spelling_label(first))))
        writer.lines(f"spelling/{split}-en.tsv", lines)


def _write_choices(writer: _Writer) -> None:
    for split in ("train", "dev"):
        quiz = draw_quiz(writer.world, split, writer.size("csqa", split))
        lines = (_quiz_line(writer, item, f"{split}-{number}") for number, item in enumerate(quiz))
        writer.lines(f"commonsenseqa/{split}_rand_split.jsonl", lines)
    for split, name, languages in (
        ("train", "train", ENGLISH),
        ("dev", "val", TARGET_LANGUAGES),
        ("test", "test", TARGET_LANGUAGES),
    ):
        items = draw_copa(writer.world, split, writer.size("xcopa", split))
        for language in languages:
            lines = (_copa_line(writer, item, number, language) for number, item in enumerate(items))
            writer.lines(f"xcopa/{name}-{language}.jsonl", lines)


def _quiz_line(writer: _Writer, item: QuizItem, name: str) -> str:
    letters = "ABCDE"
    texts = [writer.world.say([choice], "en") for choice in item.choices]
    return canonical_json(
        {
            "id": name,
            "question": {
                "question_concept": writer.world.say([item.clause.verb], "en"),
                "stem": writer.world.say(ask(item.clause, item.slot, "en"), "en"),
                "choices": [
                    {"label": letter, "text": text} for letter, text in zip(letters, texts, strict=True)
                ],
            },
            "answerKey": letters[item.label],
        }
    )


def _copa_line(writer: _Writer, item: CopaItem, number: int, language: str) -> str:
    marker = Meaning("THEN" if item.asks_for == "effect" else "WHY")
    premise = writer.world.say([*arrange(item.premise, language), STOP, marker], language)
    first, second = (writer.clause(choice, language) for choice in item.choices)
    return canonical_json(
        {
            "premise": premise,
            "choice1": first,
            "choice2": second,
            "question": item.asks_for,
            "label": item.label,
            "idx": number,
            "changed": False,
        }
    )


def _write_tagging(writer: _Writer) -> None:
    taggers: dict[str, Callable[[Sequence[Meaning]], list[str]]] = {"udpos": tag_words, "panx": tag_entities}
    for task, tag in taggers.items():
        for split in ("train", "dev", "test"):
            items = draw_sentences(writer.world, task, split, writer.size(task, split))
            for language in TARGET_LANGUAGES:
                sentences = (_tagged_lines(writer, item, language, tag) for item in items)
                writer.lines(
                    f"{task}/{split}-{language}.tsv", (line for lines in sentences for line in lines)
                )


def _tagged_lines(
    writer: _Writer, item: SentenceItem, language: str, tag: Callable[[Sequence[Meaning]], list[str]]
) -> list[str]:
    meanings = item.arranged(language)
    words = [writer.world.say([meaning], language) for meaning in meanings]
    return [*(f"{word}\t{label}" for word, label in zip(words, tag(meanings), strict=True)), ""]


def _write_spans(writer: _Writer) -> None:
    plan: tuple[tuple[str, str, str, Sequence[str]], ...] = (
        ("squad", "train", "squad/train-v1.1.json", ENGLISH),
        ("squad", "train", f"squad/mlqa-translate-train/{{}}_{TRANSLATED_SQUAD}", TARGET_LANGUAGES[1:]),
        ("squad", "dev", "squad/dev-v1.1.json", ENGLISH),
        ("xquad", "test", "xquad/xquad.{}.json", TARGET_LANGUAGES),
        ("tydiqa", "train", "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{}.train.json", TARGET_LANGUAGES),
        ("tydiqa", "test", "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{}.dev.json", TARGET_LANGUAGES),
    )
    for task, split, path, languages in plan:
        items = draw_spans(writer.world, task, split, writer.size(task, split))
        for language in languages:
            paragraphs = [
                _paragraph(writer, item, f"{task}-{split}-{language}-{number}", language)
                for number, item in enumerate(items)
            ]
            document = {"version": "1.1", "data": [{"title": task, "paragraphs": paragraphs}]}
            writer.lines(path.format(language), [json.dumps(document, ensure_ascii=False)])


def _paragraph(writer: _Writer, item: SpanItem, name: str, language: str) -> dict[str, object]:
    say = writer.world.say
    sentences = [writer.clause(clause, language) for clause in item.context]
    clause = item.context[item.asked]
    gold = answer(clause, item.slot, language)
    before = arrange(clause, language)[: arrange(clause, language).index(gold[0])]
    lead = [*sentences[: item.asked], *([say(before, language)] if before else [])]
    start = sum(len(text) + 1 for text in lead)
    question = {
        "id": name,
        "question": say(ask(clause, item.slot, language), language),
        "answers": [{"answer_start": start, "text": say(gold, language)}],
    }
    return {"context": " ".join(sentences), "qas": [question]}


def _write_bitexts(writer: _Writer) -> None:
    items = draw_sentences(writer.world, "tatoeba", "test", writer.size("tatoeba", "test"))
    for language in (*TARGET_LANGUAGES[1:], *SELECT_LANGUAGES):
        for side, spoken in ((language, language), ("eng", "en")):
            lines = (writer.world.say(item.arranged(spoken), spoken) for item in items)
            writer.lines(f"tatoeba/tatoeba.{language}-eng.{side}", lines)


def _write_text(writer: _Writer) -> None:
    writer.lines("mlm/text.txt", documents(writer.world, writer.size("mlm", "train")))
    for language in TARGET_LANGUAGES:
        writer.lines(f"mlm/{language}.txt", plain_text(writer.world, language, writer.size("text", "train")))
        held_out = plain_text(writer.world, language, writer.size("text", "dev"), "held-out text")
        writer.lines(f"mlm/{language}.dev.txt", held_out)


def _write_corpora(writer: _Writer) -> None:
    """Write BUCC's corpora: of three sentences one is said on both sides, one on each alone."""
    seed = writer.world.seed
    for split in ("dev", "test"):
        items = draw_sentences(writer.world, "bucc2018", split, writer.size("bucc2018", split))
        for language in TARGET_LANGUAGES[1:]:
            path = f"bucc2018/{language}-en.{split}"
            for spoken, absent in ((language, 2), ("en", 1)):
                lines = (
                    f"{spoken}-{number:09d}\t{writer.world.say(item.arranged(spoken), spoken)}"
                    for number, item in enumerate(items)
                    if (number + seed) % 3 != absent
                )
                writer.lines(f"{path}.{spoken}", lines)
            both = range(-seed % 3, len(items), 3)
            writer.lines(f"{path}.gold", (f"{language}-{number:09d}\ten-{number:09d}" for number in both))


def _write_answering_sentences(writer: _Writer) -> None:
    """Write XQuAD-R: paragraphs of two sentences, and where they begin and end."""
    items = draw_spans(writer.world, "xquad-r", "test", writer.size("xquad-r", "test"))
    for language in TARGET_LANGUAGES:
        paragraphs = []
        for number, item in enumerate(items):
            first, second = (writer.clause(clause, language) for clause in item.context)
            breaks = [[0, len(first)], [len(first) + 1, len(first) + 1 + len(second)]]
            paragraph = _paragraph(writer, item, f"xquad-r-{number}", language)
            paragraphs.append({**paragraph, "sentence_breaks": breaks})
        document = {"version": "1.1", "data": [{"title": "xquad-r", "paragraphs": paragraphs}]}
        writer.lines(f"xquad-r/{language}.json", [json.dumps(document, ensure_ascii=False)])
