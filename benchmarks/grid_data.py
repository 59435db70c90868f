"""Files for a grid of nine intermediate and nine target tasks, in the official formats, small but in proportion.

    write_grid(Path("data"), scale=0.002)

Training sets have the paper's sizes (Phang et al. 2020, table 1; the targets' from the catalogue) times `scale`,
rows the catalogue's mean lengths times `SHORTER`. Sentences are words of the demo world at random, and labels take
turns: the grid measures what is shared, not what is learnt.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from xtr.catalogue.lookup import find_task
from xtr.data.demo.world import Meaning, draw_world
from xtr.fingerprint import derive_seed
from xtr.train.pretrain import pretrain_encoder

INTERMEDIATE = ("anli_plus", "mnli", "qqp", "squad_v2", "squad_v1", "hellaswag", "ccg", "cosmosqa", "csqa")
TARGET = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")

SIZES: Mapping[str, int] = {
    "anli": 162_865,
    "mnli": 392_702,
    "snli": 549_367,
    "qqp": 363_846,
    "squad_v2": 130_319,
    "squad_v1": 87_599,
    "hellaswag": 39_905,
    "ccg": 38_015,
    "cosmosqa": 25_588,
    "csqa": 9_741,
    **{name: find_task(name).n_train or 0 for name in ("pawsx", "udpos", "panx", "tydiqa")},
}
"""Training rows; ANLI+ is the first three together, 1,104,934."""

SHORTER = 0.2
"""A row's words are this share of the tokens that the catalogue gives for a row."""

SELECT_ROWS, FEWEST_ROWS = 8, 8


class Words:
    """Sentences of the demo world's English words, drawn at random."""

    def __init__(self, seed: int = 0) -> None:
        lexicon = draw_world(seed).lexicon["en"]
        self.known = [word for meaning, word in lexicon.items() if meaning != Meaning(".")]
        self.rng = random.Random(derive_seed("grid", seed))

    def say(self, n: int) -> str:
        """Draw a sentence of about `n` words, one at least."""
        return " ".join(self.rng.choices(self.known, k=max(1, round(n * self.rng.uniform(0.5, 1.5)))))


def write_grid(folder: Path, *, scale: float) -> None:
    """Write training and select files of every task; retrieval tasks, which are never trained, a few pairs."""
    words = Words()
    for name, size in SIZES.items():
        for split, n in (("train", max(FEWEST_ROWS, round(size * scale))), ("select", SELECT_ROWS)):
            WRITERS[name](folder, words, name, split, n)
    _write_retrieval(folder, words)


def write_encoder(folder: Path) -> None:
    """Train a tokenizer and the demo's small encoder on a little of the same text."""
    words = Words()
    text = folder.with_suffix(".txt")
    _write_lines(text, (words.say(12) for _ in range(400)))
    pretrain_encoder(text, folder, seed=0, scale=0.01, threads=1)


def _length(name: str) -> float:
    return find_task(name).tokens_per_row * SHORTER


def _write_nli(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    labels, half = find_task(name).labels, _length(name) / 2
    rows = [(f"{split}-{i}", words.say(half), words.say(half), labels[i % 3]) for i in range(n)]
    if name == "anli":
        names = ("uid", "context", "hypothesis", "label")
        every = [dict(zip(names, (*row[:3], row[3][0]), strict=True)) for row in rows]
        for number in range(3):  # its rounds
            path = f"anli/anli_v1.0/R{number + 1}/{'train' if split == 'train' else 'dev'}.jsonl"
            _write_json(folder / path, every[number::3])
        return
    named = "train" if split == "train" else {"mnli": "dev_matched", "snli": "dev"}[name]
    path = {
        "mnli": f"xnli/multinli_1.0/multinli_1.0_{named}.jsonl",
        "snli": f"snli/snli_1.0/snli_1.0_{named}.jsonl",
    }[name]
    names = ("pairID", "sentence1", "sentence2", "gold_label")
    _write_json(folder / path, (dict(zip(names, row, strict=True)) for row in rows))


def _write_qqp(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    half = _length(name) / 2
    lines = (f"{i}\t{i}a\t{i}b\t{words.say(half)}\t{words.say(half)}\t{i % 2}" for i in range(n))
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    _write_lines(folder / f"qqp/QQP/{'train' if split == 'train' else 'dev'}.tsv", [header, *lines])


def _write_pawsx(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    half = _length(name) / 2
    lines = (f"{words.say(half)}\t{words.say(half)}\t{i % 2}" for i in range(n))
    _write_lines(folder / f"pawsx/{'train' if split == 'train' else 'dev'}-en.tsv", lines)


def _write_questions(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    if name == "tydiqa" and split == "select":
        return  # a tenth of its training rows is held out
    paths = {
        "squad_v1": "squad/{}-v1.1.json",
        "squad_v2": "squad/{}-v2.0.json",
        "tydiqa": "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.{}.json",
    }
    paragraphs = []
    for i in range(n):
        context = words.say(_length(name) * 0.8)
        answer = words.rng.choice(context.split())
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        impossible = name == "squad_v2" and i % 3 == 0
        question = {
            "id": f"{name}-{split}-{i}",
            "question": words.say(_length(name) * 0.2),
            "answers": [] if impossible else answers,
            **({"is_impossible": impossible} if name == "squad_v2" else {}),
        }
        paragraphs.append({"context": context, "qas": [question]})
    document = {"version": "1", "data": [{"title": name, "paragraphs": paragraphs}]}
    path = paths[name].format("train" if split == "train" else "dev")
    _write_lines(folder / path, [json.dumps(document)])


def _write_hellaswag(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    piece = _length(name) / 4 / 3  # four choices, each read with its context
    rows = (
        {
            "ind": i,
            "ctx_a": words.say(piece),
            "ctx_b": words.say(piece),
            "endings": [words.say(piece) for _ in range(4)],
            "label": i % 4,
        }
        for i in range(n)
    )
    _write_json(folder / f"hellaswag/hellaswag_{'train' if split == 'train' else 'val'}.jsonl", rows)


def _write_cosmos(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    whole = _length(name) / 4
    path = folder / f"cosmosqa/{'train' if split == 'train' else 'valid'}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "context", "question", *(f"answer{k}" for k in range(4)), "label"))
        for i in range(n):
            asked = (words.say(whole * 0.7), words.say(whole * 0.15))
            writer.writerow((i, *asked, *(words.say(whole * 0.15) for _ in range(4)), i % 4))


def _write_csqa(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    piece = _length(name) / 5
    rows = (
        {
            "id": f"{split}-{i}",
            "question": {
                "stem": words.say(piece * 0.8),
                "choices": [{"label": letter, "text": words.say(piece * 0.2)} for letter in "ABCDE"],
            },
            "answerKey": "ABCDE"[i % 5],
        }
        for i in range(n)
    )
    _write_json(folder / f"commonsenseqa/{'train' if split == 'train' else 'dev'}_rand_split.jsonl", rows)


def _write_tagged(folder: Path, words: Words, name: str, split: str, n: int) -> None:
    labels = find_task(name).labels
    sentences = (words.say(_length(name)).split() for _ in range(n))
    if name == "ccg":
        lines = (
            f"{' '.join(each)}\t{' '.join('N' if len(w) % 2 else 'NP' for w in each)}" for each in sentences
        )
        _write_lines(folder / f"ccg/ccg.{'train' if split == 'train' else 'dev'}", lines)
        _write_lines(folder / "ccg/tags_to_id.json", [json.dumps({"N": 1, "NP": 2})])
        return
    path = folder / f"{name}/{'train' if split == 'train' else 'dev'}-en.tsv"
    tagged = (f"{word}\t{labels[len(word) % 3 * 2]}" for each in sentences for word in [*each, ""])
    _write_lines(path, (line if line.split("\t")[0] else "" for line in tagged))


def _write_retrieval(folder: Path, words: Words) -> None:
    pairs = list(dict.fromkeys((words.say(6), words.say(6)) for _ in range(4 * SELECT_ROWS)))
    for language in ("dan",):
        for side, place in ((language, 0), ("eng", 1)):
            _write_lines(folder / f"tatoeba/tatoeba.{language}-eng.{side}", (pair[place] for pair in pairs))
    for side, place in (("de", 0), ("en", 1)):
        lines = (f"{side}-{i:09d}\t{pair[place]}" for i, pair in enumerate(pairs))
        _write_lines(folder / f"bucc2018/de-en.dev.{side}", lines)
    gold = (f"de-{i:09d}\ten-{i:09d}" for i in range(0, len(pairs), 2))
    _write_lines(folder / "bucc2018/de-en.dev.gold", gold)


def _write_json(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    _write_lines(path, map(json.dumps, rows))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


WRITERS: Mapping[str, Callable[[Path, Words, str, str, int], None]] = {
    **dict.fromkeys(("anli", "mnli", "snli"), _write_nli),
    **dict.fromkeys(("squad_v1", "squad_v2", "tydiqa"), _write_questions),
    **dict.fromkeys(("ccg", "udpos", "panx"), _write_tagged),
    "qqp": _write_qqp,
    "pawsx": _write_pawsx,
    "hellaswag": _write_hellaswag,
    "cosmosqa": _write_cosmos,
    "csqa": _write_csqa,
}
