"""This is where the demo world's encoder comes from: a small XLM-R, pretrained on the world's text.

    pretrain_encoder(world / "mlm/text.txt", Path("runs/data/encoder"), seed=0, scale=1.0, threads=2)
    AutoModel.from_pretrained("runs/data/encoder")       -> 2 layers of 96, 0.3 M parameters
    AutoTokenizer.from_pretrained("runs/data/encoder")   -> BPE with XLM-R's special tokens

The folder looks like a checkpoint from the hub, so nothing else in xtr knows that it is a demo. Pure PyTorch:
equal text, seed, scale and number of threads give equal weights on one machine. One to five minutes on a
laptop's core.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM
from transformers import logging as transformers_logging

from xtr.fingerprint import derive_seed

transformers_logging.disable_progress_bar()  # of weights that are written in a blink

Tell = Callable[[int, int], None]
"""Called after every step with its number and how many there are."""

SPECIAL = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}
BOS, PAD, EOS, UNK, MASK = range(5)  # XLM-R's numbers, but for <mask>, which is its last


@dataclass(frozen=True, slots=True)
class Recipe:
    """The constants of the demo encoder; tried on the worlds of several seeds.

    Attributes:
        vocabulary: BPE pieces asked for; training stops earlier once every word is one piece.
        positions: learnt positions, two of which XLM-R's numbering never uses.
        initial_sd: standard deviation of the initial weights; wider than XLM-R's 0.02, as the model is small.
        batch_size: documents a step.
        steps: at scale 1; a smaller scale takes the same share of them, at least `fewest_steps`.
        learning_rate: at its peak; half or twice of it learns visibly worse.
        warmup: share of the steps; then the rate falls linearly to 0.
        masked: share of the words that are predicted; of these 80 % are masked, 10 % replaced, 10 % kept.
        bucket: batches that are drawn and sorted by length together.
    """

    vocabulary: int = 1500
    hidden: int = 96
    layers: int = 2
    heads: int = 2
    feed_forward: int = 384
    positions: int = 130
    initial_sd: float = 0.1
    batch_size: int = 32
    steps: int = 3000
    fewest_steps: int = 20
    learning_rate: float = 1.5e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warmup: float = 0.06
    clip_norm: float = 1.0
    masked: float = 0.2
    bucket: int = 50


RECIPE = Recipe()
RECIPES = {"demo": RECIPE, "demo-small": Recipe(hidden=48, feed_forward=192)}
"""By the name of the encoder: the world's own, and one of a quarter of its weights beyond the embeddings."""


def pretrain_encoder(  # noqa: PLR0913 (a recipe's choices, each by its name)
    text: Path,
    folder: Path,
    *,
    seed: int,
    scale: float,
    threads: int,
    name: str = "demo",
    tell: Tell | None = None,
) -> None:
    """Train a tokenizer and an encoder on a text and save both into a folder.

    Writes `config.json`, `model.safetensors` (with the language-model head), the tokenizer's files and
    `pretraining.json` (steps, and the mean loss in nats of the first and last tenth of them).

    Args:
        text: one document a line; a tab parts a sentence from its translation.
        folder: created if absent; the caller moves it to its final place.
        seed: decides weights, masks and order.
        scale: share of the recipe's steps.
        threads: of PyTorch, while this runs; enters the rounding, hence the weights. More than there are idle
            cores is many times slower, since OpenMP's threads wait for each other by spinning.
        name: of its recipe; the two differ in their widths alone.
        tell: hears of every step.
    """
    documents = text.read_text(encoding="utf-8").splitlines()
    tokenizer = train_tokenizer(documents)
    steps = max(RECIPE.fewest_steps, round(RECIPE.steps * scale))
    with _torch_threads(threads):
        model = build_model(len(tokenizer), seed=seed, recipe=RECIPES[name])
        losses = train_masked(model, encode(documents, tokenizer), steps=steps, seed=seed, tell=tell)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    tenth = max(1, steps // 10)
    summary = {
        "schema_version": 1,
        "steps": steps,
        "first_loss": sum(losses[:tenth]) / tenth,
        "last_loss": sum(losses[-tenth:]) / tenth,
    }
    (folder / "pretraining.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_tokenizer(documents: Sequence[str]) -> PreTrainedTokenizerFast:
    """Train a BPE tokenizer with XLM-R's special tokens and templates.

    BPE and not XLM-R's unigram: the unigram trainer never learns whole words from so few of them. Words are
    split at blanks before pieces are marked, so that the offsets of a piece never hold the blank before it.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        documents,
        trainers.BpeTrainer(
            vocab_size=RECIPE.vocabulary,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=[chr(code) for code in range(ord("!"), ord("~") + 1)],
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", BOS), ("</s>", EOS)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=RECIPE.positions - 2,
        model_input_names=["input_ids", "attention_mask"],
        **SPECIAL,
    )


def encode(documents: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Number the pieces of each document, a translation as a pair, cut at the model's length."""
    texts = [tuple(document.split("\t", 1)) for document in documents]
    inputs = [text if len(text) == 2 else text[0] for text in texts]
    backend: Tokenizer = tokenizer.backend_tokenizer
    return [encoding.ids[: RECIPE.positions - 2] for encoding in backend.encode_batch(inputs)]


def build_model(vocabulary: int, *, seed: int, recipe: Recipe = RECIPE) -> XLMRobertaForMaskedLM:
    """Build an XLM-R of a recipe's size, without dropout, with weights drawn from a seed."""
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.feed_forward,
        max_position_embeddings=recipe.positions,
        initializer_range=recipe.initial_sd,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        bos_token_id=BOS,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("demo", seed, "encoder"))
        return XLMRobertaForMaskedLM(config)


def train_masked(
    model: XLMRobertaForMaskedLM,
    documents: Sequence[Sequence[int]],
    *,
    steps: int,
    seed: int,
    tell: Tell | None = None,
) -> list[float]:
    """Train a model to fill in masked pieces; return the loss of every step in nats a masked piece.

    Raises:
        ValueError: there are no documents.
    """
    if not documents:
        raise ValueError("no documents to pretrain on")
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=RECIPE.learning_rate,
        betas=RECIPE.betas,
        weight_decay=RECIPE.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    generator = torch.Generator().manual_seed(derive_seed("demo", seed, "masks"))
    order = random.Random(derive_seed("demo", seed, "order"))
    batches = bucketed_batches([len(ids) for ids in documents], order)
    losses = []
    model.train()
    for _, batch in zip(range(steps), batches, strict=False):
        ids = _pad([documents[number] for number in batch])
        corrupted, chosen = corrupt(ids, model.config.vocab_size, generator)
        hidden = model.roberta(corrupted, attention_mask=(ids != PAD).long()).last_hidden_state
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[chosen]), ids[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), RECIPE.clip_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if tell is not None:
            tell(len(losses), steps)
    return losses


def _rate(step: int, steps: int) -> float:
    warmup = max(1, round(RECIPE.warmup * steps))
    return min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def bucketed_batches(lengths: Sequence[int], rng: random.Random) -> Iterator[list[int]]:
    """Yield batches of document numbers for ever, each of documents about as long as each other."""
    size = RECIPE.batch_size
    while True:
        order = rng.sample(range(len(lengths)), len(lengths))
        for start in range(0, len(order), size * RECIPE.bucket):
            near = sorted(order[start : start + size * RECIPE.bucket], key=lengths.__getitem__)
            batches = [near[first : first + size] for first in range(0, len(near), size)]
            rng.shuffle(batches)
            yield from batches


def _pad(documents: Sequence[Sequence[int]]) -> torch.Tensor:
    longest = max(map(len, documents))
    return torch.tensor([[*ids, *[PAD] * (longest - len(ids))] for ids in documents])


def corrupt(
    ids: torch.Tensor, vocabulary: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose the pieces to predict and hide most of them; return the corrupted ids and what was chosen.

    At least one piece of a batch is chosen.
    """
    draw = torch.rand(ids.shape, generator=generator)
    draw[ids <= EOS] = 1.0  # <s>, <pad> and </s> are never predicted
    chosen = (draw < RECIPE.masked) | (draw == draw.min())
    fate = torch.rand(ids.shape, generator=generator)
    random_ids = torch.randint(MASK + 1, vocabulary, ids.shape, generator=generator)
    corrupted = torch.where(chosen & (fate < 0.8), MASK, ids)
    return torch.where(chosen & (fate >= 0.9), random_ids, corrupted), chosen
