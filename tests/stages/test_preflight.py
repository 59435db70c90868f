"""Before any work all data are read, and all that is wrong is said at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.data.demo.source import DemoSource
from xtr.data.official import OfficialSource
from xtr.errors import InputError
from xtr.spec.sweep import DataSpec, SweepSpec
from xtr.stages.preflight import check_data, needed_rows


@pytest.fixture
def official(world_folder: Path, tmp_path: Path) -> Path:
    """The demo world's files, as if a user had put them there; retrieval selects on Danish."""
    root = tmp_path / "official"
    shutil.copytree(world_folder, root)
    for side in ("dan", "eng"):
        source = root / "tatoeba" / f"tatoeba.xe-eng.{'xe' if side == 'dan' else 'eng'}"
        shutil.copy(source, root / "tatoeba" / f"tatoeba.dan-eng.{side}")
    return root


def sweep(root: Path) -> SweepSpec:
    return a_sweep(root / "runs", data=DataSpec(source="official", official_root=str(root)))


def test_every_needed_split_is_listed_once(official: Path) -> None:
    needed = [
        (task.name, split, language)
        for task, split, language in needed_rows(sweep(official), OfficialSource(official))
    ]
    assert sorted(needed) == [
        ("mnli", "select", "en"),
        ("mnli", "train", "en"),
        ("squad_v1", "select", "en"),
        ("squad_v1", "train", "en"),
        ("tatoeba", "select", "da"),
    ]


def test_an_oracle_reads_dev_sets_of_other_languages_and_no_test_set(tmp_path: Path) -> None:
    plain, source = a_sweep(tmp_path), DemoSource(tmp_path / "data", seed=0, scale=0.01)
    spec = plain.model_copy(update={"search": plain.search.model_copy(update={"select_on": "oracle"})})
    one, other = (set(needed_rows(each, source)) for each in (plain, spec))
    assert {(task.name, split, language) for task, split, language in other - one} == {
        ("xnli", "dev", language) for language in ("xa", "xb", "xc", "xd")
    }
    assert one <= other
    evaluate = spec.stages.evaluate.model_copy(update={"languages": ("en",)})
    alone = spec.model_copy(update={"stages": spec.stages.model_copy(update={"evaluate": evaluate})})
    with pytest.raises(InputError, match="an oracle has no language to select on"):
        set(needed_rows(alone, source))


def test_whole_data_pass(official: Path) -> None:
    check_data(sweep(official), OfficialSource(official))


def test_the_problems_of_all_files_come_at_once(official: Path) -> None:
    (official / "squad" / "dev-v1.1.json").unlink()
    with (official / "xnli" / "train-en.tsv").open("a", encoding="utf-8") as file:
        file.write("no label here\tat all\tmaybe\n")
    (official / "tatoeba" / "tatoeba.dan-eng.eng").write_text("one line\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        check_data(sweep(official), OfficialSource(official))
    message = str(caught.value)
    assert len(caught.value.problems) == 3
    for said in ("train-en.tsv", "maybe", "dev-v1.1.json", "the two sides have different lengths"):
        assert said in message
