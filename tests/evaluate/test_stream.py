"""The stream: an output is the same to the bit whatever else is in the stream and whoever shares the work."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.train.test_workers import on_two_ranks
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.errors import InputError
from xtr.evaluate.predict import run_examples
from xtr.evaluate.stream import ALONE, Strand, Stream, width_of
from xtr.families.family import Example, HeadSettings, Tokens
from xtr.families.registry import family_of
from xtr.model.encoder import Encoder, load_encoder
from xtr.model.heads import TaskModel
from xtr.model.world import World

LONGEST = 24


def a_model(encoder: Encoder, name: str) -> TaskModel:
    torch.manual_seed(0)
    task = find_task(name)
    return TaskModel(encoder.model, family_of(task).head(encoder, task, HeadSettings()))


def strand(encoder: Encoder, demo: DemoSource, name: str, language: str, n: int | None = None) -> Strand:
    task = find_task(name)
    family, rows = family_of(task), demo.rows(task, "test", language)[:n]
    return Strand(family, family.encode(rows, task, encoder.tokenizer, LONGEST), LONGEST)


def same(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


@pytest.mark.parametrize("name", ["xnli", "xcopa", "udpos", "xquad", "tatoeba"])
def test_an_output_is_the_same_bits_in_any_company_and_what_one_row_alone_comes_to(
    name: str, demo: DemoSource, encoder: Encoder
) -> None:
    model = a_model(encoder, name)
    stream = Stream(model, encoder.tokenizer, batch_size=8)
    together = [strand(encoder, demo, name, language) for language in ("xb", "xa", "xd")]
    stream.run(together)
    for language, among in zip(("xb", "xa", "xd"), together, strict=True):
        alone = strand(encoder, demo, name, language)
        stream.run([alone])
        assert same(alone.outputs, among.outputs)
        one_by_one = run_examples(model, alone.family, encoder.tokenizer, alone.examples, batch_size=1)
        for expected, output in zip(one_by_one, alone.outputs, strict=True):
            assert torch.allclose(expected, output, atol=1e-5)
    few = strand(encoder, demo, name, "xa", 1)
    stream.run([few])
    assert torch.equal(few.outputs[0], together[1].outputs[0])


@pytest.mark.parametrize("length", [20, 23, 24, 60, 100, 128])
def test_rows_of_any_place_and_padding_in_a_batch_come_to_the_same_bits(
    length: int, encoder: Encoder
) -> None:
    rng, model, family = random.Random(0), a_model(encoder, "udpos"), family_of(find_task("udpos"))

    def example(n: int) -> Example:
        return Example(0, (Tokens(tuple(rng.randrange(5, 200) for _ in range(n))),))

    own = [example(length) for _ in range(3)]
    stream = Stream(model, encoder.tokenizer, batch_size=64)
    alone = Strand(family, own, 128)
    stream.run([alone])
    for _ in range(3):
        others = [example(rng.randint(max(1, length - 6), length)) for _ in range(60)]
        mixed = Strand(family, rng.sample([*own, *others], 63), 128)
        stream.run([mixed])
        for each, output in zip(own, alone.outputs, strict=True):
            assert torch.equal(mixed.outputs[[id(e) for e in mixed.examples].index(id(each))], output)


def test_a_width_leaves_room_or_is_the_longest_input() -> None:
    for longest in (24, 50, 384, 512):
        for length in range(1, longest + 1):
            width = width_of(length, longest)
            assert length < width <= longest or length == width == longest
            assert width - length <= max(4, length / 8)


def shared_work(world: World, encoder_folder: Path, demo: DemoSource, folder: Path) -> None:
    """What each of two ranks runs: many sentences, then fewer than there are ranks."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    encoder = load_encoder(str(encoder_folder))
    many, one = several(encoder, demo, world)
    if world.leads:
        torch.save([many, one], folder / "outputs.pt")
    else:
        assert sum(map(len, many)) < sum(len(each) for each in several(encoder, demo, ALONE)[0])
    torch.distributed.destroy_process_group()


def several(encoder: Encoder, demo: DemoSource, world: World) -> tuple[list[Tensor], list[Tensor]]:
    stream = Stream(a_model(encoder, "udpos"), encoder.tokenizer, 8, world)
    strands = [strand(encoder, demo, "udpos", language) for language in ("en", "xa")]
    one = strand(encoder, demo, "udpos", "xd", 1)
    stream.run(strands)
    stream.run([one])
    return [output for each in strands for output in each.outputs], one.outputs


def test_two_ranks_come_to_the_bits_of_one(encoder_folder: Path, demo: DemoSource, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    on_two_ranks(shared_work, lambda world: (world, encoder_folder, demo, tmp_path))
    for shared, alone in zip(
        torch.load(tmp_path / "outputs.pt"),
        several(load_encoder(str(encoder_folder)), demo, ALONE),
        strict=True,
    ):
        assert same(shared, alone)


def test_a_batch_that_does_not_fit_into_memory_is_run_in_halves(demo: DemoSource, encoder: Encoder) -> None:
    model = a_model(encoder, "xnli")
    stream = Stream(model, encoder.tokenizer, batch_size=8)
    whole, halved = (strand(encoder, demo, "xnli", "xa") for _ in range(2))
    stream.run([whole])
    seen: list[int] = []

    def short_of_memory(_module: torch.nn.Module, _args: object, read: dict[str, Tensor]) -> None:
        seen.append(len(read["input_ids"]))
        if seen[-1] > fits:
            raise torch.OutOfMemoryError("out of memory")

    fits = 3
    hook = model.encoder.register_forward_pre_hook(short_of_memory, with_kwargs=True)
    try:
        stream.run([halved])
        assert max(seen) > fits
        for expected, output in zip(whole.outputs, halved.outputs, strict=True):
            assert torch.allclose(expected, output, atol=1e-5)
        fits = 0
        with pytest.raises(InputError, match="one example alone does not fit"):
            stream.run([halved])
    finally:
        hook.remove()
