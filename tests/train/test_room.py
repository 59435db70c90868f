"""Too little memory: a step is done again in smaller micro-batches, to the bits of a run that began with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.train.learners import make_learner, run, same_bits, weights
from tests.train.test_workers import on_two_ranks
from xtr.data.demo.source import DemoSource
from xtr.errors import InputError
from xtr.evaluate.predict import run_examples
from xtr.model.world import World
from xtr.train.loop import Learner
from xtr.train.step import MICRO_BATCH_TOKENS

Phase = Literal["forward", "backward"]


def give_memory_for(n_tokens: int, learner: Learner, phase: Phase = "forward") -> list[int]:
    """Let the encoder run out of memory above so many tokens at once; list the sizes of what it is given."""
    seen: list[int] = []

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    def forward(_module: torch.nn.Module, _args: object, read: dict[str, Tensor]) -> None:
        seen.append(read["input_ids"].numel())
        if seen[-1] > n_tokens and (phase == "forward" or not torch.is_grad_enabled()):
            fail()

    def backward(_module: torch.nn.Module, _args: object, outputs: Any) -> None:
        if seen[-1] > n_tokens and outputs.last_hidden_state.requires_grad:
            outputs.last_hidden_state.register_hook(fail)

    learner.model.encoder.register_forward_pre_hook(forward, with_kwargs=True)
    learner.model.encoder.register_forward_hook(backward)
    return seen


@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize("name", ["mnli", "csqa"])
def test_a_run_short_of_memory_comes_to_the_bits_of_one_with_small_micro_batches(
    name: str,
    phase: Phase,
    encoder_folder: Path,
    demo: DemoSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roomy = make_learner(encoder_folder, demo, name, dropout=0.1)
    [lesson] = roomy.lessons
    largest = max(example.length * len(example.sequences) for example in lesson.examples)
    monkeypatch.setitem(MICRO_BATCH_TOKENS, "cpu", 2 * largest)
    expected = run(roomy, lambda _: {}, tmp_path / "roomy", every_steps=3)

    short = make_learner(encoder_folder, demo, name, dropout=0.1)
    sizes = give_memory_for(2 * largest, short, phase)
    monkeypatch.setitem(MICRO_BATCH_TOKENS, "cpu", 64 * largest)
    progress = run(short, lambda _: {}, tmp_path / "short", every_steps=3)
    assert max(sizes) > 2 * largest, "memory has to run out for this to say anything"
    assert sum(size > 2 * largest for size in sizes) <= 5, "halved once, it stays halved"
    assert progress.epochs == expected.epochs
    assert same_bits(weights(short), weights(roomy))
    assert f"at most {2 * largest} tokens" in caplog.messages[-1]


@pytest.mark.parametrize("name", ["mnli", "squad_qa_retrieval"])
def test_an_example_that_does_not_fit_alone_ends_the_run_in_words(
    name: str, encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    learner = make_learner(encoder_folder, demo, name)
    give_memory_for(3, learner)
    with pytest.raises(InputError, match=f"max_length of {name}"):
        run(learner, lambda _: {}, tmp_path)


def test_predictions_short_of_memory_are_those_of_smaller_batches(
    encoder_folder: Path, demo: DemoSource
) -> None:
    learner = make_learner(encoder_folder, demo, "udpos")
    [lesson] = learner.lessons
    longest = max(example.length for example in lesson.examples)

    def outputs(batch_size: int) -> list[Tensor]:
        return run_examples(
            learner.model, lesson.family, learner.tokenizer, lesson.examples, batch_size=batch_size
        )

    expected = outputs(4)
    sizes = give_memory_for(4 * longest, learner)
    for one, other in zip(outputs(len(lesson.examples)), expected, strict=True):
        torch.testing.assert_close(one, other)
    assert max(sizes) > 4 * longest
    learner = make_learner(encoder_folder, demo, "udpos")
    give_memory_for(3, learner)
    with pytest.raises(InputError, match="one example alone does not fit"):
        outputs(8)


def crowded_work(world: World, encoder_folder: Path, demo: DemoSource, folder: Path) -> None:
    """Train where the second rank has less memory than the first, then where both have what it has."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    for name, tokens in (("short", 4096), ("small", 64)):
        MICRO_BATCH_TOKENS["cpu"] = tokens
        learner = make_learner(encoder_folder, demo)
        if name == "short":
            sizes = give_memory_for(64 if world.rank else 10**6, learner)
        run(learner, lambda _: {}, folder / name, world=world)
        save_file(weights(learner), folder / f"{name}{world.rank}.safetensors")
        torch.distributed.barrier()
    assert max(sizes) > 64, "each has tried more"
    assert max(sizes[-4:]) <= 64, "what one cannot, none does"

    learner = make_learner(encoder_folder, demo)
    if world.rank:
        give_memory_for(3, learner)
    with pytest.raises(InputError, match="one example alone"):
        run(learner, lambda _: {}, folder / "none", world=world)
    torch.distributed.destroy_process_group()


def test_ranks_agree_on_what_fits_on_all_of_them(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    on_two_ranks(crowded_work, lambda world: (world, encoder_folder, demo, tmp_path))
    files = [f"{name}{rank}.safetensors" for name in ("short", "small") for rank in (0, 1)]
    one, *others = (load_file(tmp_path / name) for name in files)
    assert all(same_bits(one, other) for other in others)
