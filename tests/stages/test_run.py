"""The runner: a stage is read where it is there, trained where it is not, and the same bits either way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.stages.sample import a_sweep
from xtr.catalogue.lookup import find_task
from xtr.data.rows import PairRow
from xtr.errors import Diverged, InputError
from xtr.metrics.accuracy import accuracy
from xtr.model.encoder import Encoder, load_encoder
from xtr.spec.sweep import DataSpec, EvaluateSettings, Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import ITEMS, EvaluateStage, TrainStage
from xtr.stages.training import check_length, training_rows
from xtr.stages.work import capped
from xtr.train.pretrain import build_model, train_tokenizer

XNLI = find_task("xnli")
Build = Callable[..., Runner]


@pytest.fixture
def build(encoder_folder: Path, tmp_path: Path) -> Build:
    """Make a runner on a store of its own."""

    def build(
        store: str = "runs", data: DataSpec | None = None, evaluate: EvaluateSettings | None = None
    ) -> Runner:
        return Runner(a_sweep(tmp_path / store, str(encoder_folder), data, evaluate))

    return build


def target_stage(runner: Runner, intermediate: str = "none", target: str = "xnli") -> TrainStage:
    stage = Paths(runner.spec, runner.source).path(Pair(intermediate, target), {}, 1).target
    assert stage is not None
    return stage


def evaluations(runner: Runner, stage: TrainStage, languages: tuple[str, ...]) -> tuple[EvaluateStage, ...]:
    return Paths(runner.spec, runner.source).evaluations(stage, stage, XNLI, "test", languages)


def files_of(runner: Runner, stage: TrainStage) -> dict[str, str]:
    manifest = runner.store.open(stage.key)
    assert manifest is not None
    return manifest.files


def test_a_training_leaves_an_encoder_a_head_and_scores_by_epoch(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    outcome = runner.train(stage)
    assert not outcome.reused
    assert outcome.steps == 4
    assert all("accuracy" in outcome.scores_after(epoch) for epoch in (1, 2))
    folder = runner.store.folder(stage.key)
    assert load_encoder(str(folder / "encoder")).hidden_size == 96
    [head] = (folder / "heads").iterdir()
    assert load_file(head)["out.weight"].shape == (3, 96)
    assert not runner.store.progress_folder(stage.key).exists()


def test_a_stored_stage_is_read_and_not_trained(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    first = runner.train(stage)
    again = build().train(stage)
    assert again.reused
    assert (again.steps, again.seconds) == (0, 0.0)
    assert again.result == first.result


def test_a_chain_trains_its_missing_parents_first_and_only_those(build: Build) -> None:
    runner = build()
    chain = target_stage(runner, "squad_v1>csqa", "xnli")
    middle = chain.parent
    assert isinstance(middle, TrainStage)
    first = middle.parent
    assert isinstance(first, TrainStage)
    assert runner.train(first).steps > 0
    outcome = runner.train(chain)
    assert outcome.steps == sum(runner.train(stage).result["steps"] for stage in (middle, chain))
    assert runner.train(middle).reused


def test_a_paused_run_is_reused_and_goes_on_to_the_same_bits(build: Build) -> None:
    whole, paused = build("whole"), build("paused")
    stage = target_stage(whole)
    expected = whole.train(stage)

    half = paused.train(stage, until_epoch=1)
    assert half.steps == 2
    assert half.result["epochs"] == expected.result["epochs"][:1]
    assert not paused.store.has(stage.key)
    again = paused.train(stage, until_epoch=1)
    assert again.reused
    assert again.steps == 0
    rest = paused.train(stage)
    assert rest.steps == 2
    assert rest.result == expected.result
    assert files_of(paused, stage) == files_of(whole, stage)
    assert paused.train(stage, until_epoch=1).reused, "a finished stage has its first epoch too"


def test_a_pause_at_the_last_epoch_finishes_the_stage(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    runner.train(stage, until_epoch=2)
    assert runner.store.has(stage.key)


def test_a_damaged_stage_is_trained_again_to_the_same_files(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    first = runner.train(stage)
    files = files_of(runner, stage)
    weights = runner.store.folder(stage.key) / "encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)

    fresh = build()
    again = fresh.train(stage)
    assert (again.reused, again.steps) == (False, 4)
    assert again.result == first.result
    assert files_of(fresh, stage) == files
    assert len(list((fresh.root / "quarantine").iterdir())) == 1


def test_the_asked_precision_is_in_the_key_and_the_used_one_in_the_manifest(build: Build) -> None:
    auto = build()
    stages = auto.spec.stages.model_copy(update={"precision": "bf16"})
    mixed = Runner(auto.spec.model_copy(update={"stages": stages}))
    made = {}
    for runner in (auto, mixed):
        stage = target_stage(runner)
        runner.train(stage)
        scored = evaluations(runner, stage, ("en",))
        runner.evaluate(scored)
        for key in (stage.key, scored[0].key):
            manifest = runner.store.open(key)
            assert manifest is not None
            made[key] = (manifest.recipe["precision"], manifest.made["precision"])
    assert list(made.values()) == [("auto", "fp32")] * 2 + [("bf16", "bf16")] * 2


def test_a_run_that_diverges_publishes_nothing_and_gives_its_claim_back(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    wild = replace(stage, settings=stage.settings.model_copy(update={"learning_rate": 1e30}))
    for _ in range(2):
        with pytest.raises(Diverged):
            runner.train(wild)
    assert not runner.store.has(wild.key)
    assert not list((runner.root / "leases").iterdir())
    assert not list((runner.root / "partial").iterdir())


def test_the_demo_encoder_is_pretrained_once(tmp_path: Path) -> None:
    runner = Runner(a_sweep(tmp_path, "demo"))
    start = Paths(runner.spec, runner.source).start
    folder = runner.ensure_start(start)
    before = (Path(folder) / "model.safetensors").stat().st_mtime_ns
    assert Runner(runner.spec).ensure_start(start) == folder
    assert (Path(folder) / "model.safetensors").stat().st_mtime_ns == before
    assert load_encoder(folder).n_layers == 2


def test_evaluation_writes_official_predictions_and_scores_and_loads_the_model_once(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = build()
    stage = target_stage(runner)
    runner.train(stage)
    loaded: list[str] = []

    def counting(name: str, revision: str | None = None) -> Encoder:
        loaded.append(name)
        return load_encoder(name, revision)

    monkeypatch.setattr("xtr.stages.evaluating.load_encoder", counting)
    stages = evaluations(runner, stage, ("en", "xa", "xd"))
    outcomes = runner.evaluate(stages)
    assert len(loaded) == 1
    assert [outcome.key for outcome in outcomes] == [each.key for each in stages]
    assert not any(outcome.reused for outcome in outcomes)
    for each, outcome in zip(stages, outcomes, strict=True):
        rows = capped(runner.source.rows(XNLI, "test", each.language), 8, XNLI)
        labels = [row.label for row in rows if isinstance(row, PairRow)]
        text = (runner.store.folder(each.key) / outcome.result["predictions"]).read_text(encoding="utf-8")
        assert outcome.result["n"] == len(labels) == 8
        assert outcome.scores == {"accuracy": accuracy(labels, text.splitlines())}
        items = (runner.store.folder(each.key) / ITEMS).read_text(encoding="utf-8").splitlines()
        assert [json.loads(item) for item in items] == [
            {"id": row.id, "accuracy": float(label == guess)}
            for row, label, guess in zip(rows, labels, text.splitlines(), strict=True)
        ]

    again = runner.evaluate(stages)
    assert len(loaded) == 1
    assert all(outcome.reused for outcome in again)
    assert [outcome.result for outcome in again] == [outcome.result for outcome in outcomes]


def test_an_evaluation_does_not_depend_on_what_else_is_evaluated(build: Build) -> None:
    together, alone = build("together"), build("alone")
    stage = target_stage(together)
    together.train(stage)
    alone.train(stage)
    both = evaluations(together, stage, ("en", "xc"))
    together.evaluate(both)
    alone.evaluate(both[1:])
    manifests = [runner.store.open(both[1].key) for runner in (together, alone)]
    assert manifests[0] is not None
    assert manifests[1] is not None
    assert manifests[0].files == manifests[1].files
    assert manifests[0].result == manifests[1].result


def test_evaluation_trains_what_is_missing(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)
    [outcome] = runner.evaluate(evaluations(runner, stage, ("xa",)))
    assert runner.store.has(stage.key)
    assert outcome.result["n"] == 8


def test_rows_without_labels_are_predicted_and_not_scored(
    build: Build, world_folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "official"
    shutil.copytree(world_folder, root)
    path = root / "xnli" / "test-xa.tsv"
    lines = [line.rsplit("\t", 1)[0] for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    runner = build(data=DataSpec(source="official", official_root=str(root)))
    stage = target_stage(runner)
    [outcome] = runner.evaluate(evaluations(runner, stage, ("xa",)))
    assert outcome.result["scores"] == {}
    text = (runner.store.folder(outcome.key) / "predictions.tsv").read_text(encoding="utf-8")
    assert len(text.splitlines()) == outcome.result["n"] == 8
    assert set(text.splitlines()) <= set(XNLI.labels)


def test_retrieval_with_several_layers_and_poolings_pools_each_its_own(build: Build) -> None:
    runner = build(evaluate=EvaluateSettings(batch_size=8))
    paths = Paths(runner.spec, runner.source)
    [base] = paths.evaluations(paths.start, None, find_task("tatoeba"), "test", ("xd",))
    stages = [replace(base, layer=layer, pooling=pooling) for layer in (0, 2) for pooling in ("mean", "cls")]
    together = [outcome.result for outcome in runner.evaluate(stages)]
    other = build("other", evaluate=EvaluateSettings(batch_size=8))
    assert together == [other.evaluate([stage])[0].result for stage in stages]
    texts = {
        (runner.store.folder(stage.key) / "predictions.tsv").read_text(encoding="utf-8") for stage in stages
    }
    assert len(texts) > 2


def test_fewer_training_rows_are_the_beginning_of_more(build: Build) -> None:
    runner = build()
    stage = target_stage(runner)

    def ids(**change: object) -> list[str]:
        settings = stage.settings.model_copy(update={"max_rows": None, **change})
        part = replace(stage.parts[0], settings=settings)
        return [row.id for row in training_rows(runner.source, part, stage.seed)]

    whole = ids()
    assert sorted(whole, key=int) == [str(i) for i in range(80)]
    assert ids(examples=7) == whole[:7]
    assert ids(fraction=0.25) == whole[:20]
    assert ids(max_rows=40) == whole[:40]
    assert ids(examples=50, max_rows=40) == whole[:40]
    assert ids(fraction=0.5, max_rows=40) == whole[:20]


def test_a_cap_takes_the_same_rows_in_file_order_whatever_the_seed(build: Build) -> None:
    rows = build().source.rows(XNLI, "test", "xa")
    kept = capped(rows, 5, XNLI)
    assert len(kept) == 5
    places = [rows.index(row) for row in kept]
    assert places == sorted(places)
    assert capped(rows, 5, XNLI) == kept
    assert capped(rows, None, XNLI) == rows
    assert capped(rows, len(rows), XNLI) == rows


@pytest.fixture(scope="module")
def seeded_encoder(world_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder straight from its seed, so that no rounding of a pretraining adds up."""
    folder = tmp_path_factory.mktemp("seeded")
    tokenizer = train_tokenizer((world_folder / "mlm" / "text.txt").read_text(encoding="utf-8").splitlines())
    tokenizer.save_pretrained(folder)
    build_model(len(tokenizer), seed=0).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("target", "losses", "scores"),
    [
        ("xnli", [1.2881, 1.1347], [0.25, 0.25]),
        ("xcopa", [0.7000, 0.6651], [0.25, 0.25]),
        ("udpos", [2.6421, 1.8337], [0.048, 0.124]),
        ("xquad", [2.5215, 1.9070], [0.2292, 0.2604]),
    ],
)
def test_a_tiny_training_comes_to_the_numbers_it_always_came_to(
    target: str, losses: list[float], scores: list[float], seeded_encoder: Path, tmp_path: Path
) -> None:
    runner = Runner(a_sweep(tmp_path, str(seeded_encoder)))
    epochs = runner.train(target_stage(runner, target=target)).result["epochs"]
    metric = find_task(target).metric
    message = (
        "the mathematics has changed: raise RECIPE_VERSION in xtr/stages/stage.py and pin the new numbers"
    )
    assert [epoch["loss"] for epoch in epochs] == pytest.approx(losses, abs=1e-4), message
    assert [epoch["scores"][metric] for epoch in epochs] == pytest.approx(scores, abs=1e-4), message


def test_inputs_longer_than_the_encoder_are_refused_with_the_length_that_would_do(encoder: Encoder) -> None:
    check_length(encoder, 128, "tydiqa")
    with pytest.raises(InputError, match="at most 128 tokens"):
        check_length(encoder, 129, "tydiqa")
