"""Keys: equal for equal recipes, different for whatever changes the result, silent about target and role."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.stages.sample import SMALL, a_part, a_stage
from xtr.data.hublock import HubLock
from xtr.errors import InputError
from xtr.spec.settings import LoraSettings, MixtureSettings
from xtr.spec.sweep import ModelSpec, TrainSettings
from xtr.stages.stage import (
    EmbedStage,
    EvaluateStage,
    Pretrained,
    PretrainStage,
    TrainStage,
    TrunkStage,
    lineage,
    pretrained,
)
from xtr.storage.posix import PosixStorage

TRAIN = a_stage()
EVALUATE = EvaluateStage(
    parent=TRAIN,
    task="xnli",
    split="test",
    language="de",
    data="rows",
    max_length=128,
    max_rows=None,
    batch_size=64,
)


def test_the_key_is_the_one_it_always_was() -> None:
    message = "stored stages lose their names: if that is meant, raise RECIPE_VERSION and pin the new keys"
    assert TRAIN.key == "e2742b508da85a4bd089e1973f4abc75", message
    assert EVALUATE.key == "605bbf243e28f2526e6e6f4328317255", message
    assert PretrainStage("demo@1/seed0/scale1", 0, 1.0).key == "1c33082337e8852718c0a4a779fe8f6e", message


def test_the_recipe_says_what_it_is_and_nothing_of_where_it_is_computed() -> None:
    assert set(TRAIN.recipe) == {
        "kind",
        "version",
        "parent",
        "parts",
        "settings",
        "seed",
        "select",
        "precision",
    }
    assert TRAIN.recipe["parent"] == "model:xlm-roberta-base@e73636d"


SETTINGS: list[dict[str, object]] = [
    {"learning_rate": 2e-3},
    {"epochs": 3},
    {"fraction": 0.5},
    {"examples": 8},
    {"batch_size": 4},
    {"max_length": 64},
    {"warmup_fraction": 0.2},
    {"weight_decay": 0.1},
    {"max_rows": 15},
    {"carry_head": True},
    {"cross_lingual_share": 0.5},
    {"lora": LoraSettings(rank=2)},
    {"lora": LoraSettings(rank=2, layers=(1,))},
]
MIXED = replace(TRAIN, parts=(a_part(), a_part("csqa")))


def with_settings(change: dict[str, object]) -> TrainStage:
    settings = SMALL.model_copy(update=change)
    return replace(TRAIN, settings=settings, parts=(a_part(settings=settings),))


POOL = EmbedStage(TRAIN, "xnli", (("de", "rows"),), 128, 64)
POOLS = [
    POOL,
    replace(POOL, parent=replace(TRAIN, seed=2)),
    replace(POOL, task="pawsx"),
    replace(POOL, data=(("de", "other rows"),)),
    replace(POOL, max_length=64),
    replace(POOL, batch_size=32),
    replace(POOL, precision="fp32"),
]
OTHERS = [
    *(with_settings(change) for change in SETTINGS),
    replace(TRAIN, seed=2),
    replace(TRAIN, parts=(a_part("pawsx"),)),
    replace(TRAIN, parts=(replace(a_part(), train_data=("other rows",)),)),
    replace(TRAIN, parts=(replace(a_part(), select_data=("other rows",)),)),
    replace(TRAIN, parts=(a_part(), a_part("csqa"))),
    replace(TRAIN, parts=(a_part(), replace(a_part("csqa"), replayed=True))),
    replace(TRAIN, select_rows=None),
    replace(TRAIN, batch_size=32),
    replace(TRAIN, precision="bf16"),
    replace(TRAIN, precision="fp32"),
    replace(TRAIN, parts=(replace(a_part(), parallel_data=(("de", "rows"),)),)),
    replace(TRAIN, parts=(replace(a_part(), parallel_data=(("de", "other rows"),)),)),
    replace(TRAIN, parent=TRAIN),
    replace(TRAIN, parent=Pretrained("xlm-roberta-base", "another", "xlm-roberta-base@another")),
]


def test_every_change_of_the_recipe_changes_the_key() -> None:
    told_elsewhere = {"schedule", "tasks", "mixture", "warmup_steps", "decay_fraction"}
    assert set().union(*SETTINGS) == set(TrainSettings.model_fields) - told_elsewhere
    keys = [TRAIN.key, *(other.key for other in OTHERS)]
    assert len(set(keys)) == len(keys)


WSD = TrainSettings(
    schedule="wsd", warmup_steps=2, epochs=2, batch_size=8, learning_rate=1e-3, max_rows=16, max_length=32
)


def a_run(**change: object) -> TrainStage:
    settings = WSD.model_copy(update=change)
    return replace(TRAIN, settings=settings, parts=(a_part(settings=settings),))


def test_each_schedule_has_its_own_settings_in_the_key_and_no_others() -> None:
    assert with_settings({"warmup_steps": 5, "decay_fraction": 0.3}).key == TRAIN.key
    assert a_run(warmup_fraction=0.3).key == a_run().key
    others = [a_run(), a_run(warmup_steps=3), a_run(decay_fraction=0.2), TRAIN]
    assert len({other.key for other in others}) == 4


def test_a_trunk_is_named_by_what_it_covers_and_not_by_the_run_that_goes_on() -> None:
    trunk = TrunkStage(a_run(), 2, None)
    lengths: list[dict[str, object]] = [{"epochs": 3}, {"fraction": 0.5}, {"max_rows": None}, {"examples": 9}]
    lengths.append({"decay_fraction": 0.5})
    alike = [TrunkStage(a_run(**change), 2, None) for change in lengths]
    assert {each.key for each in alike} == {trunk.key}
    assert {lineage(each.run) for each in alike} == {lineage(trunk.run)}
    changes: list[dict[str, object]] = [
        {"learning_rate": 2e-3},
        {"batch_size": 4},
        {"max_length": 64},
        {"warmup_steps": 3},
        {"weight_decay": 0.1},
        {"carry_head": True},
    ]
    others = [
        *(TrunkStage(a_run(**change), 2, None) for change in changes),
        TrunkStage(a_run(), 3, None),
        TrunkStage(a_run(), 2, 16),
        TrunkStage(replace(a_run(), seed=2), 2, None),
        TrunkStage(replace(a_run(), select_rows=7), 2, None),
        TrunkStage(replace(a_run(), precision="bf16"), 2, None),
        TrunkStage(replace(a_run(), parts=(replace(a_part(), train_data=("other",)),)), 2, None),
        TrunkStage(replace(a_run(), parent=TRAIN), 2, None),
        TrunkStage(with_settings({}), 2, None),
    ]
    keys = [trunk.key, a_run().key, *(other.key for other in others)]
    assert len(set(keys)) == len(keys)


def test_what_only_mixtures_ask_is_in_their_keys_alone() -> None:
    mixture = MixtureSettings(sampling="temperature")
    assert with_settings({"mixture": mixture}).key == TRAIN.key
    assert replace(MIXED, settings=SMALL.model_copy(update={"mixture": mixture})).key != MIXED.key


def test_members_of_a_mixture_have_their_own_rows() -> None:
    longer = replace(MIXED, parts=(a_part(), a_part("csqa", SMALL.model_copy(update={"max_length": 64}))))
    assert longer.key != MIXED.key
    assert replace(MIXED, settings=SMALL.model_copy(update={"max_length": 64})).key == MIXED.key


def test_every_change_of_an_evaluation_changes_its_key() -> None:
    others = [
        replace(EVALUATE, parent=replace(TRAIN, seed=2)),
        replace(EVALUATE, task="pawsx"),
        replace(EVALUATE, split="dev"),
        replace(EVALUATE, language="sw"),
        replace(EVALUATE, data="other rows"),
        replace(EVALUATE, max_length=64),
        replace(EVALUATE, max_rows=10),
        replace(EVALUATE, batch_size=32),
        replace(EVALUATE, layer=3),
        replace(EVALUATE, pooling="cls"),
        replace(EVALUATE, precision="bf16"),
        replace(EVALUATE, calibration=EVALUATE),
        *(replace(EVALUATE, pool=pool) for pool in POOLS),
    ]
    keys = [EVALUATE.key, *(other.key for other in others)]
    assert len(set(keys)) == len(keys)


def test_a_change_far_up_the_path_changes_every_key_below() -> None:
    def end(seed: int) -> TrainStage:
        return replace(TRAIN, parent=replace(TRAIN, parent=a_stage(seed)))

    assert end(1).key == end(1).key != end(2).key


@pytest.fixture
def lock(tmp_path: Path) -> HubLock:
    return HubLock(PosixStorage(tmp_path / "locks"))


def a_model(folder: Path) -> ModelSpec:
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / name).write_text(name)
    return ModelSpec(name=str(folder))


def test_a_folder_is_named_by_its_content_and_not_by_its_place(tmp_path: Path, lock: HubLock) -> None:
    one, other = (pretrained(a_model(tmp_path / name), lock) for name in ("one", "other"))
    assert one.key == other.key
    assert one.name != other.name


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_with_another_file_has_another_name(name: str, tmp_path: Path, lock: HubLock) -> None:
    model = a_model(tmp_path / "model")
    before = pretrained(model, lock).key
    (tmp_path / "model" / name).write_text("other")
    assert pretrained(model, lock).key != before


def test_a_hub_model_is_named_by_its_own_revision_or_the_locked_one(lock: HubLock) -> None:
    model = ModelSpec(name="a/b")
    assert pretrained(model, lock) == Pretrained("a/b", None, "a/b@unlocked")
    HubLock(lock.store, lambda *_: "abc").revision("models", "a/b")
    assert pretrained(model, lock) == Pretrained("a/b", "abc", "a/b@abc")
    assert pretrained(ModelSpec(name="a/b", revision="def"), lock) == Pretrained("a/b", "def", "a/b@def")


def test_a_folder_without_a_model_is_refused(tmp_path: Path, lock: HubLock) -> None:
    with pytest.raises(InputError, match="no encoder lies in this folder"):
        pretrained(ModelSpec(name=str(tmp_path)), lock)
    with pytest.raises(InputError, match="does not exist"):
        pretrained(ModelSpec(name=str(tmp_path / "absent")), lock)
