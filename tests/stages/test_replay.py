"""Replay: later links of a chain go over rows of earlier ones, and a sweep that does not ask keeps its stages."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.stages.sample import SMALL, a_sweep
from xtr.errors import InputError
from xtr.spec.check import check_sweep
from xtr.spec.settings import TaskSettings, TrainSettings
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import TrainStage

REPLAYING = SMALL.model_copy(update={"replay_share": 0.25})


def sweep(root: Path, model: str = "demo", settings: TrainSettings = REPLAYING) -> SweepSpec:
    spec = a_sweep(root, model)
    return spec.model_copy(update={"stages": spec.stages.model_copy(update={"intermediate": settings})})


def links(runner: Runner, intermediate: str) -> tuple[TrainStage, ...]:
    return Paths(runner.spec, runner.source).links(Pair(intermediate, "xnli"), {}, 1)


def keys(runner: Runner, intermediate: str) -> list[str]:
    return [stage.key for stage in links(runner, intermediate)]


def test_only_later_links_change_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    plain = Runner(sweep(tmp_path, settings=SMALL))
    asked = Runner(sweep(tmp_path))
    less = Runner(sweep(tmp_path, settings=SMALL.model_copy(update={"replay_share": 0.1})))
    for alone in ("mnli", "mnli+squad_v1"):
        assert keys(asked, alone) == keys(plain, alone)
    chains = [keys(runner, "mnli>squad_v1>csqa") for runner in (plain, asked, less)]
    assert len({chain[0] for chain in chains}) == 1, "the first link has nothing to go over, so it is shared"
    assert len({chain[1] for chain in chains}) == len({chain[2] for chain in chains}) == 3


def test_each_link_goes_over_all_tasks_before_it_once_each(tmp_path: Path) -> None:
    runner = Runner(sweep(tmp_path))
    _, second, third = links(runner, "mnli+squad_v1>csqa>mnli+copa")
    assert [(part.name, part.replayed) for part in second.parts] == [
        ("csqa", False), ("mnli", True), ("squad_v1", True),
    ]  # fmt: skip
    assert [(part.name, part.replayed) for part in third.parts] == [
        ("mnli", False), ("copa", False), ("squad_v1", True), ("csqa", True),
    ]  # fmt: skip
    assert (second.task, third.task) == ("csqa", "mnli+copa")
    assert [second.share_of(part) for part in second.parts] == [None, 0.125, 0.125]


def test_masked_language_modelling_that_is_the_link_keeps_its_steps(tmp_path: Path) -> None:
    _, stage = links(Runner(sweep(tmp_path)), "mnli>mlm")
    assert [stage.share_of(part) for part in stage.parts] == [None, 0.25]


def test_a_link_keeps_its_steps_and_reads_replayed_rows_with_their_own_head(
    encoder_folder: Path, tmp_path: Path
) -> None:
    still = REPLAYING.model_copy(update={"tasks": {"squad_v1": TaskSettings(learning_rate=1e-30)}})
    runner = Runner(sweep(tmp_path, str(encoder_folder), still))
    first, second = links(runner, "mnli>squad_v1")
    before, after = runner.train(first), runner.train(second)
    assert before.steps == 2 * 2
    assert after.steps == 2 * (2 + 1), (
        "a quarter of the steps is at least one of three, on top of its own two"
    )
    assert set(after.scores_after(2)) == {"squad_v1/f1", "squad_v1/exact_match", "mnli/accuracy"}
    [learnt] = (runner.store.folder(first.key) / "heads").iterdir()
    replayed = load_file(runner.store.folder(second.key) / "heads" / learnt.name)
    assert all(bool((replayed[name] == weight).all()) for name, weight in load_file(learnt).items())


def test_a_target_has_nothing_to_replay_and_steps_are_left(tmp_path: Path) -> None:
    spec = a_sweep(tmp_path)
    stages = spec.stages.model_copy(update={"target": REPLAYING})
    with pytest.raises(InputError, match=r"stages.target.replay_share: only the links of a chain replay"):
        check_sweep(spec.model_copy(update={"stages": stages}))
    with pytest.raises(ValueError, match="leave no step"):
        TrainSettings.model_validate({"replay_share": 0.4, "mixture": {"mlm_share": 0.6}})
