"""Replay: a later link of a chain goes over rows of earlier ones where the expression says so, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.stages.sample import SMALL, a_sweep
from xtr.errors import InputError
from xtr.spec.expressions import parse_intermediate
from xtr.spec.settings import MixtureSettings, TaskSettings, TrainSettings
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.index import summary
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import TrainStage


def replaying(share: float) -> TrainSettings:
    return SMALL.model_copy(update={"mixture": MixtureSettings(replay_share=share)})


def sweep(root: Path, settings: TrainSettings, model: str = "demo") -> SweepSpec:
    spec = a_sweep(root, model)
    return spec.model_copy(update={"stages": spec.stages.model_copy(update={"intermediate": settings})})


def links(runner: Runner, intermediate: str) -> tuple[TrainStage, ...]:
    return Paths(runner.spec, runner.source).links(Pair(intermediate, "xnli"), {}, 1)


def keys(runner: Runner, intermediate: str) -> list[str]:
    return [stage.key for stage in links(runner, intermediate)]


def test_links_that_do_not_replay_are_shared_whatever_the_share(tmp_path: Path) -> None:
    much, little = (Runner(sweep(tmp_path, replaying(share))) for share in (0.25, 0.1))
    for without in ("mnli", "mnli+squad_v1", "mnli>squad_v1+csqa"):
        assert keys(much, without) == keys(little, without)
    plain = keys(much, "mnli>squad_v1>csqa")
    chains = [plain, *(keys(runner, "mnli>squad_v1+replay>csqa+replay") for runner in (much, little))]
    assert len({chain[0] for chain in chains}) == 1, "the first link has nothing to go over"
    assert len({chain[1] for chain in chains}) == len({chain[2] for chain in chains}) == 3


def test_each_link_goes_over_all_tasks_before_it_once_each(tmp_path: Path) -> None:
    runner = Runner(sweep(tmp_path, replaying(0.25)))
    _, second, third = links(runner, "mnli+squad_v1>csqa+replay>replay+mnli+copa")
    assert [(part.name, part.replayed) for part in second.parts] == [
        ("csqa", False), ("mnli", True), ("squad_v1", True),
    ]  # fmt: skip
    assert [(part.name, part.replayed) for part in third.parts] == [
        ("mnli", False), ("copa", False), ("squad_v1", True), ("csqa", True),
    ]  # fmt: skip
    assert (second.task, third.task) == ("csqa+replay", "mnli+copa+replay")
    assert [second.share_of(part) for part in second.parts] == [None, 0.125, 0.125]


def test_masked_language_modelling_that_is_the_link_keeps_its_steps(tmp_path: Path) -> None:
    _, stage = links(Runner(sweep(tmp_path, replaying(0.25))), "mnli>mlm+replay")
    assert [stage.share_of(part) for part in stage.parts] == [None, 0.25]


def test_a_link_keeps_its_steps_and_reads_replayed_rows_with_their_own_head(
    encoder_folder: Path, tmp_path: Path
) -> None:
    still = replaying(0.25).model_copy(update={"tasks": {"squad_v1": TaskSettings(learning_rate=1e-30)}})
    runner = Runner(sweep(tmp_path, still, str(encoder_folder)))
    first, second = links(runner, "mnli>squad_v1+replay")
    before, after = runner.train(first), runner.train(second)
    assert before.steps == 2 * 2
    assert after.steps == 2 * (2 + 1), (
        "a quarter of the steps is at least one of three, on top of its own two"
    )
    assert set(after.scores_after(2)) >= {"squad_v1/f1", "squad_v1/exact_match", "mnli/accuracy"}
    [learnt] = (runner.store.folder(first.key) / "heads").iterdir()
    replayed = load_file(runner.store.folder(second.key) / "heads" / learnt.name)
    assert all(bool((replayed[name] == weight).all()) for name, weight in load_file(learnt).items())
    manifest = runner.store.read(second.key)
    assert manifest is not None and summary(manifest).task == "squad_v1+replay"


def test_a_task_that_shares_the_head_of_what_is_replayed_goes_on_with_it(
    encoder_folder: Path, tmp_path: Path
) -> None:
    still = replaying(0.25).model_copy(update={"tasks": {"copa": TaskSettings(learning_rate=1e-30)}})
    runner = Runner(sweep(tmp_path, still, str(encoder_folder)))
    first, second = links(runner, "csqa>copa+replay")
    for stage in (first, second):
        runner.train(stage)
    learnt, gone_on = (load_file(*(runner.store.folder(s.key) / "heads").iterdir()) for s in (first, second))
    assert all(bool((gone_on[name] == weight).all()) for name, weight in learnt.items())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mnli+replay", "mnli+replay has no other task before it to replay"),
        ("checkpoint:org/name>mnli+replay", "mnli+replay has no other task before it to replay"),
        ("mnli>mnli+csqa+replay", "mnli+csqa+replay has no other task before it to replay"),
        ("mnli>replay", "replay stands beside a task of its own"),
    ],
)
def test_what_has_nothing_to_replay_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_intermediate(text)
    [problem] = refused.value.problems
    assert (problem.what, problem.received, problem.allowed) == (complaint, text, "mnli>squad_v1+replay")


def test_shares_leave_steps_to_the_tasks_themselves() -> None:
    with pytest.raises(ValueError, match="leave no step"):
        MixtureSettings(replay_share=0.4, mlm_share=0.6)
