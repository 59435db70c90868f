"""What a training step costs without padding, beside the Hugging Face Trainer.

    python benchmarks/training.py nli
    python benchmarks/training.py ner
    python benchmarks/training.py ner-zipf
    python benchmarks/training.py qa

All train the same tiny model (4 layers of 128, 50,000 pieces, random, no dropout) on the same synthetic examples
in the same order and steps with the same optimiser; the Trainer pads to the maximum, or to the longest of a step.
Lengths are log-normal like those of MNLI, of WikiAnn and of SQuAD's windows. One run after the other in turn, five
times; figures are medians of the ratios. Before that each example's loss is compared, and after it the mean loss
of each training. Pieces are drawn evenly, so nearly half of the table's rows occur: 19,000 in 2,000 examples of
NER lengths. In real text fewer do: 2,000 rows of PAN-X's English training file have 5,818 different ones among
21,705 (in MiniLM's pieces), the most frequent with shares of 9, 5 and 3 %. `ner-zipf` draws them so, by Zipf's law
with exponent 1: shares are 9, 5 and 3 %, and 7,600 different ones occur, rather more than in the real file.
"""

from __future__ import annotations

import copy
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import accumulate
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
import transformers
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    XLMRobertaConfig,
    XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification,
)

from benchmarks.figures import Figure, run_parts
from xtr.families.family import Example, Tokens
from xtr.families.pair import Pair
from xtr.families.span import Span
from xtr.families.tagging import Tagging
from xtr.model.heads import SentenceHead, TaskModel, TokenHead
from xtr.model.rows import keep_rows, restore_rows
from xtr.model.world import World
from xtr.stages.occurring import occurring_pieces
from xtr.train.batches import epoch_order
from xtr.train.loop import Learner, Pause, Recipe, decay_of_run, train
from xtr.train.optimise import BETAS, EPSILON
from xtr.train.rates import linear_schedule
from xtr.train.step import Lesson

THREADS, REPEATS, PIECES, LABELS, PAD, NO_LABEL = 2, 5, 50_000, 3, 1, -100
RATE, WARMUP, DECAY = 1e-4, 0.1, 0.01


@dataclass(frozen=True)
class Work:
    """What is trained: lengths in tokens, examples, and the goals against both ways of padding."""

    median: float
    sigma: float
    longest: int
    n_examples: int
    batch_size: int
    family: Any
    peer: type[transformers.PreTrainedModel]
    over_padded: float
    over_dynamic: float | None
    zipf: bool = False


WORKS = {
    "nli": Work(36, 0.46, 128, 2_000, 32, Pair(), XLMRobertaForSequenceClassification, 2.4, 1.6),
    "ner": Work(12, 0.55, 128, 2_000, 32, Tagging(), XLMRobertaForTokenClassification, 6.0, 2.0),
    "ner-zipf": Work(12, 0.55, 128, 2_000, 32, Tagging(), XLMRobertaForTokenClassification, 6.0, 2.0, True),
    "qa": Work(181, 0.32, 384, 300, 16, Span(), XLMRobertaForQuestionAnswering, 1.8, None),
}


def make_examples(work: Work) -> list[Example]:
    """Draw examples; every token but the first and the last may be tagged, or begin an answer."""
    rng = random.Random(0)
    pieces = range(4, PIECES)
    upto = list(accumulate(1 / rank if work.zipf else 1 for rank, _ in enumerate(pieces, 1)))
    examples = []
    for row in range(work.n_examples):
        n = min(work.longest, max(4, round(math.exp(rng.gauss(math.log(work.median), work.sigma)))))
        tokens = Tokens((0, *rng.choices(pieces, cum_weights=upto, k=n - 2), 2))
        inner = range(1, n - 1)
        target: tuple[int, ...] = (rng.randrange(LABELS),)
        places: tuple[tuple[int, int], ...] = ()
        if isinstance(work.family, Tagging):
            target = tuple(rng.randrange(LABELS) for _ in inner)
            places = tuple((place - 1, place) for place in inner)
        if isinstance(work.family, Span):
            start = rng.choice(inner)
            target, places = (start, min(n - 2, start + 3)), tuple((i, i + 1) for i in range(n))
        examples.append(Example(row, (tokens,), target, places))
    return examples


def make_peer(work: Work) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=PIECES,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=514,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        type_vocab_size=1,
        num_labels=2 if isinstance(work.family, Span) else LABELS,
    )
    return work.peer(config)


def make_learner(work: Work, peer: transformers.PreTrainedModel, examples: Sequence[Example]) -> Learner:
    """Give our model the peer's weights."""
    encoder = copy.deepcopy(peer.roberta)
    encoder.pooler = None
    width = encoder.config.hidden_size
    head: SentenceHead | TokenHead
    if isinstance(work.family, Pair):
        head = SentenceHead(width, LABELS)
        head.dense.load_state_dict(peer.classifier.dense.state_dict())
        head.out.load_state_dict(peer.classifier.out_proj.state_dict())
    else:
        head = TokenHead(width, peer.config.num_labels)
        theirs = peer.qa_outputs if isinstance(work.family, Span) else peer.classifier
        head.out.load_state_dict(theirs.state_dict())
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<pad>": PAD})), pad_token="<pad>"
    )
    return Learner(TaskModel(encoder, head), tokenizer, (Lesson("synthetic", work.family, examples),))


def collated(work: Work, examples: Sequence[Example], *, width: int | None) -> dict[str, Tensor]:
    """Pad as transformers' collators do: to `width`, or to the longest; labels of tokens are padded with -100."""
    width = width or max(example.length for example in examples)
    ids = [list(example.sequences[0].input_ids) for example in examples]
    batch = {
        "input_ids": torch.tensor([each + [PAD] * (width - len(each)) for each in ids]),
        "attention_mask": torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in ids]),
    }
    if isinstance(work.family, Span):
        start, end = torch.tensor([example.target for example in examples]).unbind(1)
        return batch | {"start_positions": start, "end_positions": end}
    if isinstance(work.family, Tagging):
        rows = [[NO_LABEL, *each.target, NO_LABEL] for each in examples]
        return batch | {"labels": torch.tensor([row + [NO_LABEL] * (width - len(row)) for row in rows])}
    return batch | {"labels": torch.tensor([example.target[0] for example in examples])}


class Peer(Trainer):
    """The Trainer, with our order, learning rates and, of questions, a softmax that leaves padding out."""

    def compute_loss(self, model: nn.Module, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if "start_positions" not in inputs:
            return super().compute_loss(model, inputs, *args, **kwargs)
        return question_losses(model, inputs).mean()

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler:
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Rise and fall as `train` does, whose first step is not lost to a rate of nought."""
        rate = partial(linear_schedule, n_steps=num_training_steps, warmup_fraction=WARMUP, peak=1.0)
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, rate)
        return self.lr_scheduler


def question_losses(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Each question's mean cross-entropy of start and end."""
    outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    hidden = inputs["attention_mask"] == 0
    start, end = (
        functional.cross_entropy(scores.masked_fill(hidden, -math.inf), inputs[where], reduction="none")
        for scores, where in (
            (outputs.start_logits, "start_positions"),
            (outputs.end_logits, "end_positions"),
        )
    )
    return (start + end) / 2


@torch.inference_mode()
def largest_difference(work: Work, peer: transformers.PreTrainedModel, learner: Learner) -> float:
    """Compare the loss of each of the first examples, ours in steps, theirs padded to the maximum."""
    examples = learner.lessons[0].examples[: 4 * work.batch_size]
    ours, theirs = [], []
    for start in range(0, len(examples), work.batch_size):
        batch = examples[start : start + work.batch_size]
        outputs = learner.model(work.family.inputs(batch, learner.tokenizer, torch.device("cpu")))
        inputs = collated(work, batch, width=work.longest)
        for i, example in enumerate(batch):
            loss = work.family.loss(outputs[i : i + 1, : example.length], [example])
            ours.append(float(loss) / work.family.n_items(example))
            alone = {name: tensor[i : i + 1] for name, tensor in inputs.items()}
            question = isinstance(work.family, Span)
            theirs.append(float(question_losses(peer, alone) if question else peer(**alone).loss))
    return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))


def with_trainer(
    work: Work,
    peer: transformers.PreTrainedModel,
    examples: Sequence[Example],
    folder: Path,
    width: int | None,
) -> float:
    """Train with the Trainer; return the mean loss over its steps."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=work.batch_size,
        num_train_epochs=1,
        learning_rate=RATE,
        weight_decay=DECAY,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
        adam_epsilon=EPSILON,
        optim="adamw_torch_fused",
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
    )
    trainer = Peer(
        copy.deepcopy(peer),
        arguments,
        data_collator=partial(collated, work, width=width),
        train_dataset=list(examples),  # type: ignore[arg-type]
    )
    with redirect_stdout(StringIO()):  # it prints its summary
        return float(trainer.train().training_loss)


def with_xtr(
    work: Work, peer: transformers.PreTrainedModel, examples: Sequence[Example], folder: Path
) -> float:
    """Train as a stage does, on the rows of the table that occur; return the mean loss over its steps."""
    recipe = Recipe("synthetic", 1, RATE, 1, work.batch_size, WARMUP, DECAY)
    learner = make_learner(work, peer, examples)
    encoder = learner.model.encoder
    keep_rows(encoder, occurring_pieces(examples, [PAD]))  # type: ignore[arg-type]
    pause = Pause(folder, every_steps=10**9)
    progress = train(learner, recipe, pause=pause, score=lambda _: {}, world=World())
    restore_rows(encoder, decay=decay_of_run(learner, recipe))  # type: ignore[arg-type]
    return progress.epochs[0].loss


@dataclass
class Turn:
    """One training of each kind, in turn: seconds of the clock and of the cores, and the mean loss."""

    wall: dict[str, float]
    cores: dict[str, float]
    loss: dict[str, float]


def take_turn(kinds: dict[str, Callable[[Path], float]], folder: Path) -> Turn:
    turn = Turn({}, {}, {})
    for name, run in kinds.items():
        began, used = time.perf_counter(), time.process_time()
        turn.loss[name] = run(folder / name)
        turn.wall[name], turn.cores[name] = time.perf_counter() - began, time.process_time() - used
    print(" ".join(f"{name} {seconds:.2f} s" for name, seconds in turn.wall.items()), flush=True)
    return turn


def part(name: str, folder: Path) -> Iterator[Figure]:
    """Measure one kind of lengths."""
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    work = WORKS[name]
    examples, peer = make_examples(work), make_peer(work)
    lengths = [example.length for example in examples]
    spread = f"tokens: median {statistics.median(lengths):g}, longest {max(lengths)}; mean"
    yield Figure(f"{name}, {spread}", statistics.mean(lengths), "tokens", "-", True)
    apart = largest_difference(work, peer, make_learner(work, peer, examples))
    yield Figure("largest difference of an example's loss", apart, "", "at most 1e-5", apart <= 1e-5)

    in_order = [examples[i] for i in epoch_order(len(examples), seed=1, task="synthetic", epoch=0)]
    kinds: dict[str, Callable[[Path], float]] = {
        "padded": lambda at: with_trainer(work, peer, in_order, at, work.longest),
        "dynamic": lambda at: with_trainer(work, peer, in_order, at, None),
        "xtr": lambda at: with_xtr(work, peer, examples, at),
    }
    turns = [take_turn(kinds, folder / str(i)) for i in range(REPEATS)]
    yield Figure(
        "xtr, the whole training", statistics.median(turn.wall["xtr"] for turn in turns), "s", "-", True
    )
    for kind, goal in (("padded", work.over_padded), ("dynamic", work.over_dynamic)):
        loss = max(abs(turn.loss[kind] - turn.loss["xtr"]) for turn in turns)
        yield Figure(f"mean loss beside Trainer, {kind}", loss, "", "at most 1e-4", loss <= 1e-4)
        wall = statistics.median(turn.wall[kind] / turn.wall["xtr"] for turn in turns)
        cores = statistics.median(turn.cores[kind] / turn.cores["xtr"] for turn in turns)
        peer_name = f"Trainer, padded to {work.longest}" if kind == "padded" else "Trainer, dynamic padding"
        wanted = f"at least {goal:g}" if goal else "-"
        yield Figure(f"{peer_name} / xtr, time", wall, "x", wanted, wall >= (goal or 0), peer_name)
        yield Figure(f"{peer_name} / xtr, core seconds", cores, "x", "-", True)


PARTS = {name: partial(part, name) for name in WORKS}

if __name__ == "__main__":
    run_parts("training", PARTS)
