"""Small learners on the demo world, built the same way in every process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import XLMRobertaXLConfig, XLMRobertaXLModel

from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.evaluate.predict import predict
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of
from xtr.model.encoder import load_encoder
from xtr.model.heads import TaskModel
from xtr.model.world import World
from xtr.train.loop import Learner, Pause, Recipe, Scorer, train
from xtr.train.progress import Progress
from xtr.train.step import Lesson, prepare, step_loss

RECIPE = Recipe(
    task="mnli",
    seed=1,
    learning_rate=1e-3,
    epochs=2,
    batch_size=4,
    warmup_fraction=0.1,
    weight_decay=0.01,
)
N_ROWS = 14  # 4 steps an epoch, the last of 2 rows
NEVER = 10**9


def make_learner(
    encoder_folder: Path, demo: DemoSource, name: str = "mnli", n_rows: int = N_ROWS, dropout: float = 0.0
) -> Learner:
    task, encoder = find_task(name), load_encoder(str(encoder_folder))
    for module in encoder.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    family = family_of(task)
    torch.manual_seed(0)
    model = TaskModel(encoder.model, family.head(encoder, task, HeadSettings()))
    rows = demo.rows(task, "train", "en")[:n_rows]
    lesson = Lesson(name, family, family.encode_training(rows, task, encoder.tokenizer, 24))
    return Learner(model, encoder.tokenizer, (lesson,))


def make_mixture(encoder_folder: Path, demo: DemoSource, names: tuple[str, ...], n_rows: int) -> Learner:
    """A learner of several tasks with a head each."""
    alone = [make_learner(encoder_folder, demo, name, n_rows) for name in names]
    heads = [learner.model.heads[0] for learner in alone]
    model = TaskModel(alone[0].model.encoder, *heads)  # type: ignore[arg-type]
    lessons = tuple(replace(learner.lessons[0], head=i) for i, learner in enumerate(alone))
    return Learner(model, alone[0].tokenizer, lessons)


def make_xl(encoder_folder: Path) -> Path:
    """Leave a tiny encoder of the architecture of XLM-R XL beside another one, with its tokenizer."""
    folder = encoder_folder.with_name("xl")
    if not (folder / "config.json").exists():
        tokenizer = load_encoder(str(encoder_folder)).tokenizer
        config = XLMRobertaXLConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=tokenizer.pad_token_id,
        )
        torch.manual_seed(0)
        tokenizer.save_pretrained(folder)
        XLMRobertaXLModel(config).save_pretrained(folder)
    return folder


def select_scorer(learner: Learner, demo: DemoSource, name: str = "mnli") -> Scorer:
    task = find_task(name)
    rows = demo.rows(task, "select", "en")

    def score(model: TaskModel) -> dict[str, float]:
        predictions = predict(model.reading(0), learner.tokenizer, task, rows, max_length=24, batch_size=8)
        scores: dict[str, float] = family_of(task).score(rows, predictions, task, "en")
        return scores

    return score


def run(
    learner: Learner,
    scorer: Scorer,
    folder: Path,
    *,
    recipe: Recipe = RECIPE,
    every_steps: int = NEVER,
    after_epoch: int | None = None,
    after_step: int | None = None,
    world: World = World(),  # noqa: B008 (frozen)
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    pause = Pause(folder, every_steps, after_epoch, after_step, stop=stop)
    return train(learner, recipe, pause=pause, score=scorer, world=world)


def one_step(learner: Learner, batch: Sequence[Example]) -> float:
    """Run one step of the first lesson forward and backward, and return its loss."""
    step = prepare(learner.model, learner.tokenizer, learner.lessons[0], batch, World())
    return float(step_loss(learner.model, step, World()))


def weights(learner: Learner) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in learner.model.state_dict().items()}


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
