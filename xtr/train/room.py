"""This is where a step that does not fit into memory is done again in smaller micro-batches.

    room = Room(model, tokenizer, World(device="cuda"))
    step = room.prepare(lesson, batch)
    room.step_loss(model, step, seed)     -> the loss, with half the tokens at once after a lack of memory

A step is cut anywhere without a change of its mathematics, and a repeated one draws the dropout masks that it
would have drawn with the smaller micro-batches from the start. Ranks of a data-parallel run cannot repeat a step,
since the others wait in the middle of it: `agree` tries the largest micro-batches before the first one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from xtr.families.family import Example
from xtr.model.memory import attempt, too_long
from xtr.model.world import World
from xtr.train.sharding import bytes_held
from xtr.train.step import Lesson, Prepared, cut_step, prepare, step_loss, tokens_at_once

LOG = logging.getLogger(__name__)

ACTIVATION_BYTES = 68
"""What a block keeps of a token until its backward pass, per unit of its width: 34 bytes where all is in 16 bits
and attention keeps no matrix (Korthikanti et al. 2022, arXiv 2205.05198, 4.1), twice that where it is in 32.
"""


class Room:
    """How many tokens go through the encoder at once in a run: fewer where memory is short."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerFast, world: World) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.world = world
        self.tokens = tokens_at_once(model, torch.device(world.device))

    def prepare(self, lesson: Lesson, batch: Sequence[Example]) -> Prepared:
        """Make a step ready to be run."""
        return prepare(self.model, self.tokenizer, lesson, batch, self.world, self.tokens)

    def step_loss(self, runner: nn.Module, step: Prepared, seed: int) -> Tensor:
        """Run a step forward and backward, see `step.step_loss`; its masks are drawn from the seed.

        Args:
            runner: the model, or what runs it data-parallel.

        Raises:
            InputError: one example alone does not fit.
            torch.OutOfMemoryError: this is one rank of several; the worker group is started again.
        """

        def run() -> Tensor:
            torch.manual_seed(seed)
            return step_loss(runner, step, self.world)

        if self.world.size > 1:
            return run()
        while (loss := attempt(run)) is None:
            self.model.zero_grad(set_to_none=True)
            self._shrink(step.lesson, step.batch)
            step = self.prepare(step.lesson, step.batch)
        return loss

    def agree(self, lessons: Sequence[Lesson], optimizer: torch.optim.Optimizer) -> None:
        """Find, before the model is made data-parallel, how many tokens at once fit on each rank.

        The smallest finding holds for all.

        Args:
            optimizer: has its moments already where the run goes on from a state.

        Raises:
            InputError: one example alone does not fit on some rank.
        """
        if self.world.size == 1:
            return
        moments = 0 if optimizer.state else 2
        found = self._estimated(moments) if self.world.sharded else self._tried(lessons, moments)
        smallest = torch.tensor(found, device=self.world.device)
        torch.distributed.all_reduce(smallest, op=torch.distributed.ReduceOp.MIN)
        if not int(smallest):
            raise too_long(max(map(_size, lessons[0].examples)), " or ".join(each.name for each in lessons))
        self.tokens = int(smallest)

    def _tried(self, lessons: Sequence[Lesson], moments: int) -> int:
        """Run the longest examples, with memory set aside for the moments that are still to come."""
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]

        def run() -> int:
            set_aside = [torch.empty_like(weight) for weight in trained for _ in range(moments)]
            found = min(map(self._fitting, lessons))
            del set_aside
            return found

        return attempt(run) or 0

    def _estimated(self, moments: int) -> int:
        """Work out how many tokens fit beside this rank's shards.

        A pass that failed on one rank would leave the others waiting in the middle of it, so none is tried.
        """
        device = torch.device(self.world.device)
        if device.type == "cpu":
            return self.tokens
        torch.cuda.empty_cache()  # of what the weights took before they were cut
        free, _ = torch.cuda.mem_get_info(device)
        to_come = (1 + moments) * bytes_held(self.model)  # gradients, too
        config: Any = self.model.encoder.config  # type: ignore[union-attr]
        a_token: int = ACTIVATION_BYTES * config.hidden_size * config.num_hidden_layers
        # The other half is for the blocks that are gathered and the exchange of their gradients.
        return max(1, min(self.tokens, int(free - to_come) // 2 // a_token))

    def _fitting(self, lesson: Lesson) -> int:
        """Halve the tokens until the longest examples fit; 0 where one alone does not."""
        longest = sorted(range(len(lesson.examples)), key=lambda i: lesson.examples[i].length)
        tokens = self.tokens
        while True:
            chosen = longest[-max(1, tokens // lesson.examples[longest[-1]].length) :]
            batch = cut_step(lesson.drawn(chosen, self.tokenizer, 0), self.model, tokens)[-1]

            def run(batch: Sequence[Example] = batch) -> Tensor:
                inputs = lesson.family.inputs(batch, self.tokenizer, torch.device(self.world.device))
                outputs = self.model(inputs, lesson.head)
                loss = outputs.sum() if lesson.family.whole_step else lesson.family.loss(outputs, batch)
                torch.autograd.backward(loss)
                return loss.detach()

            self.model.train()
            fits = attempt(run) is not None
            self.model.zero_grad(set_to_none=True)
            if fits or len(batch) == 1:
                return tokens if fits else 0
            tokens //= 2

    def _shrink(self, lesson: Lesson, batch: Sequence[Example]) -> None:
        longest = max(map(_size, batch))
        if lesson.family.whole_step or self.tokens <= longest:
            raise too_long(longest, lesson.name)
        self.tokens //= 2
        LOG.warning(
            "memory is short: this step is done again, and from here on at most %d tokens go through the encoder "
            "at once",
            self.tokens,
        )


def _size(example: Example) -> int:
    return example.length * len(example.sequences)
