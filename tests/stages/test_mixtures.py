"""Mixtures, languages, masked language modelling, carried heads and checkpoints, through the real stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.stages.sample import SMALL, a_sweep
from xtr.data.demo import TARGET_LANGUAGES
from xtr.data.rows import PairRow
from xtr.errors import InputError
from xtr.spec.budget import pair_dimensions
from xtr.spec.check import check_sweep
from xtr.spec.space import Choice, Value
from xtr.spec.sweep import Pair, PairsSpec, SweepSpec
from xtr.stages.path import Path as StagePath
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import Pretrained, TrainStage
from xtr.stages.training import training_rows

Build = Callable[..., Runner]


@pytest.fixture
def build(encoder_folder: Path, tmp_path: Path) -> Build:
    def build(**change: object) -> Runner:
        spec = a_sweep(tmp_path / "runs", str(encoder_folder))
        stages = spec.stages.model_copy(update=change)
        return Runner(spec.model_copy(update={"stages": stages}))

    return build


def path_of(
    runner: Runner, intermediate: str, target: str = "pawsx", params: Mapping[str, Value] | None = None
) -> StagePath:
    return Paths(runner.spec, runner.source).path(Pair(intermediate, target), params or {}, 1)


def link(runner: Runner, intermediate: str, params: Mapping[str, Value] | None = None) -> TrainStage:
    [stage] = path_of(runner, intermediate, params=params).intermediate
    return stage


def heads(runner: Runner, stage: TrainStage) -> set[str]:
    return {path.stem.split("-")[0] for path in (runner.store.folder(stage.key) / "heads").iterdir()}


def test_a_mixture_trains_a_head_for_each_kind_of_task_and_scores_each_task(build: Build) -> None:
    runner = build()
    stage = link(runner, "squad_v1+csqa")
    outcome = runner.train(stage)
    assert heads(runner, stage) == {"span", "choice"}
    assert set(outcome.scores_after(1)) == {"squad_v1/f1", "squad_v1/exact_match", "csqa/accuracy"}
    assert outcome.steps == 2 * (2 + 2), "an epoch passes over the 16 rows of each, 8 a step"


def test_a_paused_mixture_goes_on_to_the_same_bits(
    build: Build, tmp_path: Path, encoder_folder: Path
) -> None:
    whole = build()
    stage = link(whole, "squad_v1+csqa")
    expected = whole.train(stage)
    paused = Runner(a_sweep(tmp_path / "paused", str(encoder_folder)))
    paused.train(stage, until_epoch=1)
    assert paused.train(stage).result == expected.result
    files = [runner.store.open(stage.key) for runner in (whole, paused)]
    assert files[0] is not None
    assert files[1] is not None
    assert files[0].files == files[1].files


def test_tasks_with_the_same_labels_share_a_head(build: Build) -> None:
    runner = build()
    stage = link(runner, "mnli")
    pooled = replace(
        stage, parts=(stage.parts[0], replace(stage.parts[0], name="mnli@xa", languages=("xa",)))
    )
    runner.train(pooled)
    assert len(list((runner.store.folder(pooled.key) / "heads").iterdir())) == 1


def test_masked_language_modelling_is_a_member_with_a_share_of_the_steps(build: Build) -> None:
    runner = build()
    stage = link(runner, "mnli+mlm")
    assert stage.parts[1].languages == TARGET_LANGUAGES
    outcome = runner.train(stage)
    assert heads(runner, stage) == {"pair", "mlm"}
    assert outcome.steps == 2 * (2 + 2), "half of the steps, on top of the task's own"
    assert set(outcome.scores_after(2)) >= {"mnli/accuracy", "mlm/accuracy", "mlm/likelihood"}


def rows_of(runner: Runner, expression: str, params: Mapping[str, Value] | None = None) -> list[PairRow]:
    rows = training_rows(runner.source, link(runner, expression, params).parts[0], 1)
    assert all(isinstance(row, PairRow) for row in rows)
    return [row for row in rows if isinstance(row, PairRow)]


def test_languages_share_the_examples_equally_and_translate_no_item_twice(build: Build) -> None:
    runner = build()
    english, foreign = (rows_of(runner, f"mnli@{code}") for code in ("en", "xa"))
    mixed = rows_of(runner, "mnli@en,xa")
    assert [row.id for row in english] == [row.id for row in foreign] == [row.id for row in mixed]
    assert mixed[0::2] == english[0::2]
    assert mixed[1::2] == foreign[1::2]
    assert english[1].first != foreign[1].first


def test_members_have_their_own_fraction_and_length(build: Build) -> None:
    runner = build()
    params: dict[str, Value] = {"intermediate.fraction": 0.5, "intermediate.csqa.fraction": 0.25}
    squad, csqa = link(runner, "squad_v1+csqa", params).parts
    assert (squad.settings.fraction, csqa.settings.fraction) == (0.5, 0.25)


def test_a_target_can_be_trained_in_other_languages_and_is_selected_in_the_source_language(
    build: Build,
) -> None:
    runner = build()
    [part] = path_of(runner, "none", "pawsx@xa,xb").training[0].parts
    assert (part.languages, part.select_languages) == (("xa", "xb"), ("en",))
    assert runner.train(path_of(runner, "none", "pawsx@xa").training[0]).scores_after(1)["accuracy"] >= 0


def test_the_source_language_is_a_setting(build: Build) -> None:
    runner = build(source_language="xa")
    [part] = path_of(runner, "none", "xnli").training[0].parts
    assert (part.languages, part.select_languages) == (("xa",), ("xa",))


def test_a_head_is_carried_where_it_is_asked_for_and_fits(build: Build) -> None:
    frozen: dict[str, Value] = {
        "intermediate.epochs": 3,
        "target.learning_rate": 1e-30,
        "target.epochs": 1,
    }

    def heads_after(carry_head: bool, intermediate: str) -> list[bool]:
        """Whether each weight of the target's head is still that of the intermediate stage."""
        runner = build(target=SMALL.model_copy(update={"carry_head": carry_head}))
        path = path_of(runner, intermediate, "xnli", frozen)
        assert path.target is not None
        runner.train(path.target)
        name = "pair"
        stored = [
            next((runner.store.folder(stage.key) / "heads").glob(f"{name}-*"), None)
            for stage in path.training
        ]
        if stored[0] is None or stored[1] is None:
            return []
        before, after = (load_file(file) for file in stored if file)
        return [bool((before[each] == after[each]).all()) for each in before]

    assert all(heads_after(True, "mnli"))
    assert not all(heads_after(False, "mnli"))
    assert heads_after(True, "csqa") == []


def test_a_checkpoint_takes_the_place_of_the_sweep_s_encoder(build: Build) -> None:
    runner = build()
    trained = link(runner, "mnli")
    runner.train(trained)
    folder = runner.store.folder(trained.key) / "encoder"
    path = path_of(runner, f"checkpoint:{folder}", "pawsx")
    assert isinstance(path.start, Pretrained)
    assert path.intermediate == ()
    assert path.start.key != path_of(runner, "none").start.key
    assert runner.train(path.training[0]).steps > 0
    chain = path_of(runner, f"checkpoint:{folder}>csqa", "pawsx")
    assert [stage.task for stage in chain.training] == ["csqa", "pawsx"]
    assert chain.training[0].parent == path.start


def test_a_checkpoint_s_folder_is_found_from_any_folder(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(encoder_folder.parent)
    pairs = PairsSpec(intermediate=(f"checkpoint:./{encoder_folder.name}",), target=("xnli",))
    assert pairs.intermediate == (f"checkpoint:{encoder_folder}",)
    spec = a_sweep(tmp_path).model_copy(
        update={"pairs": PairsSpec(intermediate=("checkpoint:./absent",), target=("xnli",))}
    )
    with pytest.raises(InputError, match="no such folder"):
        check_sweep(spec)


def test_members_of_a_mixture_have_only_amounts_to_search(tmp_path: Path) -> None:
    names = ("epochs", "mnli.epochs", "mnli.fraction", "csqa.fraction", "mnli+csqa.epochs")
    space = {f"intermediate.{name}": Choice((1,)) for name in names}
    spec = a_sweep(tmp_path)
    search = spec.search.model_copy(update={"space": space})
    kept = pair_dimensions(spec.model_copy(update={"search": search}), Pair("mnli+csqa", "xnli"))
    assert [name.removeprefix("intermediate.") for name in kept] == [
        name for name in names if name != "mnli.epochs"
    ]
    alone = pair_dimensions(spec.model_copy(update={"search": search}), Pair("mnli", "xnli"))
    assert list(alone) == ["intermediate.epochs", "intermediate.mnli.epochs", "intermediate.mnli.fraction"]


def test_a_spec_of_expressions_survives_validation(tmp_path: Path) -> None:
    spec = a_sweep(tmp_path)
    pairs = spec.pairs.model_copy(update={"intermediate": ("mnli@en,xa+mlm>csqa",), "target": ("pawsx@xa",)})
    again = SweepSpec.model_validate(spec.model_copy(update={"pairs": pairs}).model_dump())
    assert again.pairs.pairs()[1] == Pair("mnli@en,xa+mlm>csqa", "pawsx@xa")
