"""Test files of XTREME's nine tasks in all their languages, in the official formats, and a model that reads them.

    write_tests(Path("data"), 200)      at most 200 rows a language
    write_encoder(Path("encoder"))      4 blocks of width 128, 50,000 pieces

Rows have the catalogue's mean lengths, spread as in the real sets; a word is a piece. Labels take turns.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from xtr.catalogue.languages import iso3
from xtr.catalogue.lookup import find_task

TASKS = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")
SPREAD = {"xnli": 0.3, "pawsx": 0.3, "udpos": 0.6, "panx": 0.55, "bucc2018": 0.5, "tatoeba": 0.4}
"""Standard deviation of a row's logarithmic length; 0.3 for questions."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
VOCABULARY, HIDDEN, BLOCKS = 50_000, 128, 4


def _words() -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    rng = random.Random(0)
    drawn = ("".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(2 * VOCABULARY))
    return list(dict.fromkeys(drawn))[: VOCABULARY - len(SPECIAL) - len(letters) - 1]


def write_encoder(folder: Path) -> None:
    """Write a tokenizer that scores pieces as XLM-R's does, and an encoder of random weights."""
    letters = [*"▁abcdefghijklmnopqrstuvwxyz"]
    pieces = [*((each, 0.0) for each in SPECIAL), *((each, -15.0) for each in letters)]
    pieces += [(f"▁{word}", -10.0) for word in _words()]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    named = dict(
        zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL, strict=True)
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="<s>",
        sep_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
        **named,
    )
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.05,
    )
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    fast.save_pretrained(folder)


class _Text:
    """Random words, so many as a task's rows have."""

    def __init__(self, name: str) -> None:
        self.rng = random.Random(name)
        self.words = _words()
        self.mean, self.spread = find_task(name).tokens_per_row, SPREAD.get(name, 0.3)

    def say(self, share: float = 1.0) -> str:
        length = share * self.mean * math.exp(self.rng.gauss(-(self.spread**2) / 2, self.spread))
        return " ".join(self.rng.choices(self.words, k=max(2, round(length))))


def write_tests(folder: Path, n: int) -> None:
    """Write at most `n` rows a language: of BUCC half of them a side, of Tatoeba as many pairs."""
    for name in TASKS:
        text = _Text(name)
        for language in find_task(name).languages:
            WRITERS[name](folder / name, text, language, n)


def _write_pairs(folder: Path, text: _Text, language: str, n: int) -> None:
    labels = find_task(folder.name).labels
    _write(
        folder / f"test-{language}.tsv",
        (f"{text.say(0.5)}\t{text.say(0.5)}\t{labels[i % len(labels)]}" for i in range(n)),
    )


def _write_tagged(folder: Path, text: _Text, language: str, n: int) -> None:
    labels = find_task(folder.name).labels
    sentences = (text.say().split() for _ in range(n))
    _write(
        folder / f"test-{language}.tsv",
        (
            f"{word}\t{labels[len(word) % len(labels)]}" if word else ""
            for sentence in sentences
            for word in (*sentence, "")
        ),
    )


def _write_questions(folder: Path, text: _Text, language: str, n: int) -> None:
    path = {
        "xquad": f"xquad.{language}.json",
        "mlqa": f"MLQA_V1/test/test-context-{language}-question-{language}.json",
        "tydiqa": f"tydiqa-goldp-v1.1-dev/tydiqa.goldp.{language}.dev.json",
    }[folder.name]
    paragraphs = []
    for i in range(n):
        context = text.say(0.93)
        answer = text.rng.choice(context.split())
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        asked = {"id": f"{language}-{i}", "question": text.say(0.07), "answers": answers}
        paragraphs.append({"context": context, "qas": [asked]})
    document = {"version": "1", "data": [{"title": folder.name, "paragraphs": paragraphs}]}
    _write(folder / path, [json.dumps(document)])


def _write_corpora(folder: Path, text: _Text, language: str, n: int) -> None:
    for split in ("dev", "test"):
        for side in (language, "en"):
            _write(
                folder / f"{language}-en.{split}.{side}",
                (f"{side}-{i:09d}\t{text.say()}" for i in range(n // 2)),
            )
        gold = (f"{language}-{i:09d}\ten-{i:09d}" for i in range(0, n // 2, 2))
        _write(folder / f"{language}-en.{split}.gold", gold)


def _write_bitext(folder: Path, text: _Text, language: str, n: int) -> None:
    for side in (iso3(language), "eng"):
        _write(folder / f"tatoeba.{iso3(language)}-eng.{side}", (text.say() for _ in range(n)))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


WRITERS: Mapping[str, Callable[[Path, _Text, str, int], None]] = {
    **dict.fromkeys(("xnli", "pawsx"), _write_pairs),
    **dict.fromkeys(("udpos", "panx"), _write_tagged),
    **dict.fromkeys(("xquad", "mlqa", "tydiqa"), _write_questions),
    "bucc2018": _write_corpora,
    "tatoeba": _write_bitext,
}
