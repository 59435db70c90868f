"""Whether a stage comes to the scores that the Hugging Face Trainer comes to, on the same real work.

    XTR_DATA=... XTR_MINILM=... python benchmarks/parity.py

Both fine-tune the same MiniLM on the same pairs of questions (QQP) with the same settings, five seeds each, and
are scored on the same dev rows. A seed gives both the same head; order, dropout masks and padding are each one's
own, and nothing of xtr is inside the Trainer. Told are the mean difference with its interval, paired by seed, and
by two one-sided tests whether it lies within the spread that seeds alone make: two standard deviations of the
Trainer's. Without the data or the encoder nothing is measured.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)

from benchmarks.figures import Figure, keep
from xtr.analysis.tables import columns
from xtr.catalogue.lookup import find_task
from xtr.data.open import open_source
from xtr.data.rows import Row
from xtr.data.subsets import nested_subset
from xtr.evaluate.predict import predict_encoded
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of
from xtr.model.encoder import load_encoder
from xtr.model.heads import SentenceHead, TaskModel
from xtr.model.rows import keep_rows, restore_rows
from xtr.model.world import World
from xtr.spec.sweep import DataSpec, StorageSpec
from xtr.stages.occurring import occurring_pieces
from xtr.statistics.intervals import paired_differences, paired_interval
from xtr.statistics.significance import equivalence
from xtr.train.loop import Learner, Pause, Recipe, decay_of_run, train
from xtr.train.optimise import BETAS, CLIP_NORM, EPSILON
from xtr.train.step import Lesson

TASK, FOLDER = find_task("qqp"), "intermediate/qqp"
SEEDS = (1, 2, 3, 4, 5)
N_TRAIN, N_DEV, MAX_LENGTH = 800, 600, 64
RATE, EPOCHS, BATCH, WARMUP, DECAY = 2e-4, 1, 16, 0.1, 0.01


@dataclass(frozen=True)
class Work:
    """What both are given."""

    encoder: str
    rows: Sequence[Row]
    train: Sequence[Example]
    dev: Sequence[Example]


def read_work(data: str, encoder: str, folder: Path) -> Work:
    """Choose rows of the dev file at hand, and encode them once for both."""
    spec = DataSpec(source="official", official_root=data, folders={TASK.name: FOLDER})
    rows = open_source(spec, StorageSpec(root=str(folder)).workplace()).rows(TASK, "select", "en")
    chosen = [rows[i] for i in nested_subset(len(rows), N_TRAIN + N_DEV, seed=0, task="parity")]
    tokenizer, family = load_encoder(encoder).tokenizer, family_of(TASK)
    train, dev = (
        family.encode(part, TASK, tokenizer, MAX_LENGTH) for part in (chosen[:N_TRAIN], chosen[N_TRAIN:])
    )
    return Work(encoder, chosen[N_TRAIN:], train, dev)


def new_head(encoder_name: str, seed: int) -> tuple[Learner, SentenceHead]:
    """Make a learner without lessons, with the head that a seed gives."""
    encoder = load_encoder(encoder_name)
    torch.manual_seed(seed)
    head = family_of(TASK).head(encoder, TASK, HeadSettings())
    assert isinstance(head, SentenceHead)
    return Learner(TaskModel(encoder.model, head), encoder.tokenizer, ()), head


def with_xtr(work: Work, seed: int, folder: Path) -> float:
    """Train as a stage does, and return the accuracy on dev."""
    learner, _ = new_head(work.encoder, seed)
    learner = Learner(learner.model, learner.tokenizer, (Lesson(TASK.name, family_of(TASK), work.train),))
    recipe = Recipe(TASK.name, seed, RATE, EPOCHS, BATCH, WARMUP, DECAY)
    encoder = learner.model.encoder
    pieces = occurring_pieces([*work.train, *work.dev], learner.tokenizer.all_special_ids)
    keep_rows(encoder, pieces)  # type: ignore[arg-type]
    train(learner, recipe, pause=Pause(folder, every_steps=10**9), score=lambda _: {}, world=World())
    restore_rows(encoder, decay=decay_of_run(learner, recipe))  # type: ignore[arg-type]
    predictions = predict_encoded(
        learner.model, learner.tokenizer, TASK, work.rows, work.dev, batch_size=BATCH
    )
    return accuracy(work, predictions)


def with_trainer(work: Work, seed: int, folder: Path) -> float:
    """Train with the Trainer, and return the accuracy on dev."""
    learner, head = new_head(work.encoder, seed)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        num_train_epochs=EPOCHS,
        learning_rate=RATE,
        warmup_steps=WARMUP,
        weight_decay=DECAY,
        max_grad_norm=CLIP_NORM,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
        adam_epsilon=EPSILON,
        optim="adamw_torch_fused",
        seed=seed,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(
        with_head(work.encoder, head),
        arguments,
        data_collator=DataCollatorWithPadding(learner.tokenizer),
        train_dataset=features(work.train),  # type: ignore[arg-type]
    )
    with redirect_stdout(StringIO()):  # it prints its summary
        trainer.train()
        scores = trainer.predict(features(work.dev)).predictions  # type: ignore[arg-type]
    return accuracy(work, [TASK.labels[int(best)] for best in scores.argmax(-1)])


def with_head(encoder: str, head: SentenceHead) -> PreTrainedModel:
    """Load the Trainer's model: a pooler and a classifier are a dense layer, tanh and a linear one, like ours."""
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=len(TASK.labels), classifier_dropout=0.0
    )
    model.bert.pooler.dense.load_state_dict(head.dense.state_dict())
    model.classifier.load_state_dict(head.out.state_dict())
    return model


def features(examples: Sequence[Example]) -> list[dict[str, object]]:
    """Write examples as the Trainer's collator reads them."""
    return [
        {
            "input_ids": list(tokens.input_ids),
            "token_type_ids": list(tokens.token_type_ids or ()),
            "labels": example.target[0],
        }
        for example in examples
        for tokens in example.sequences
    ]


def accuracy(work: Work, predictions: Sequence[str]) -> float:
    """Score predictions in points of 100."""
    return 100 * family_of(TASK).score(work.rows, predictions, TASK, "en")["accuracy"]


def measured(work: Work, folder: Path) -> list[Figure]:
    """Train with both in turn, seed by seed."""
    ours: dict[int, float] = {}
    theirs: dict[int, float] = {}
    for seed in SEEDS:
        for name, scores, run in (("xtr", ours, with_xtr), ("Trainer", theirs, with_trainer)):
            began = time.perf_counter()
            scores[seed] = run(work, seed, folder / f"{name}{seed}")
            print(f"seed {seed} {name} {scores[seed]:.1f}, {time.perf_counter() - began:.0f} s", flush=True)
    apart = paired_differences(ours, theirs)
    cells = [(str(seed), *(f"{each[seed]:.1f}" for each in (ours, theirs, apart))) for seed in SEEDS]
    print(columns(("seed", "xtr", "Trainer", "difference"), cells))
    interval = paired_interval(ours, theirs)
    assert interval.low is not None
    assert interval.high is not None
    margin = 2 * statistics.stdev(theirs.values())
    p = equivalence(list(apart.values()), margin=margin)
    between = f"{len(SEEDS)} seeds, {interval.low:+.2f} to {interval.high:+.2f}"
    untrained = 100 * max(
        statistics.fmean(e.target[0] == label for e in work.dev) for label in range(len(TASK.labels))
    )
    return [
        Figure("accuracy of the most frequent label", untrained, "points", "-", True),
        *(
            Figure(f"accuracy, {name}", mean, "points", "baseline + 5", mean >= untrained + 5)
            for name, mean in (
                ("xtr", statistics.fmean(ours.values())),
                ("Trainer", statistics.fmean(theirs.values())),
            )
        ),
        Figure("margin: two standard deviations of the Trainer's seeds", margin, "points", "-", True),
        Figure(
            f"xtr - Trainer ({between})",
            interval.mean,
            "points",
            f"within {margin:.2f}",
            interval.low <= 0 <= interval.high,
        ),
        Figure(
            "p of a difference beyond the margin",
            p if p is not None else 1.0,
            "",
            "below 0.05",
            p is not None and p < 0.05,
        ),
    ]


if __name__ == "__main__":
    data, encoder = (os.environ.get(name, "") for name in ("XTR_DATA", "XTR_MINILM"))
    if not (encoder and data and (Path(data) / FOLDER).is_dir()):
        print("parity: not measured; XTR_DATA and XTR_MINILM name no data and no encoder")
        raise SystemExit
    torch.set_num_threads(1)  # scores are measured, not time
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
        keep(
            "parity",
            "python benchmarks/parity.py",
            measured(read_work(data, encoder, Path(scratch)), Path(scratch)),
        )
