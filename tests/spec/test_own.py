"""A user's own task is known wherever its sweep is, and refused in words where it is wrong."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xtr.catalogue.lookup import TASKS, find_task
from xtr.data.official import OfficialSource
from xtr.data.rows import PairRow
from xtr.errors import InputError
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_sweep
from xtr.spec.sweep import SweepSpec

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PAGE = EXAMPLES.parent / "own-task.md"


@pytest.fixture(autouse=True)
def _only_xtrs_tasks_afterwards() -> Iterator[None]:
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


def example(folder: Path) -> SweepSpec:
    for language in ("en", "de"):
        for split in ("train", "dev", "test"):
            path = folder / f"aspects/{language}/{split}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("The food was fine.\tfood\tpositive\nThe waiter was rude.\twaiter\tnegative\n")
    return load_sweep(EXAMPLES / "aspects-sweep.yaml", env={"DATA": str(folder)})


def refused(folder: Path, task: str) -> list[tuple[str, str]]:
    (folder / "mine.yaml").write_text(f"tasks:\n  - {task}\n")
    text = (EXAMPLES / "aspects-sweep.yaml").read_text().replace("aspects.yaml", "mine.yaml")
    (folder / "sweep.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_sweep(folder / "sweep.yaml", env={"DATA": str(folder)})
    return [(problem.where, problem.what) for problem in error.value.problems]


def test_the_example_reads_rows_in_the_languages_at_hand(tmp_path: Path) -> None:
    spec = example(tmp_path)
    task, source = find_task("aspects"), OfficialSource(tmp_path)
    assert [pair.target for pair in spec.pairs.pairs()] == ["aspects"] * 3 + ["xnli"] * 3
    assert (task.metric, task.select_languages) == ("accuracy", ("en",))
    assert source.languages(task, "test") == ("en", "de")
    assert source.rows(task, "select", "en")[1] == PairRow("1", "The waiter was rude.", "waiter", "negative")


def test_the_page_shows_the_files_of_the_example() -> None:
    page = PAGE.read_text()
    assert (EXAMPLES / "aspects.yaml").read_text() in page
    for line in ("catalogue: [aspects.yaml]", "  intermediate: [mnli, aspects]", "  target: [aspects, xnli]"):
        assert line in page
        assert line in (EXAMPLES / "aspects-sweep.yaml").read_text()


def test_another_process_knows_the_task_of_a_sweep_it_receives(tmp_path: Path) -> None:
    code = (
        "import pickle, sys; from xtr.catalogue.lookup import find_task;"
        "pickle.load(sys.stdin.buffer); print(find_task('aspects').labels)"
    )
    spec = pickle.dumps(example(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], input=spec, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "('negative', 'neutral', 'positive')"


def test_a_written_sweep_carries_its_tasks_without_the_file(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(to_yaml(example(tmp_path)))
    del TASKS["aspects"]
    assert load_sweep(tmp_path / "spec.yaml").catalogue[0].labels == find_task("aspects").labels


def test_identity_holds_rows_and_labels_but_no_path(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    example(there)
    example(here)
    task = find_task("aspects")
    identity = OfficialSource(here).identity(task, "train", "en")
    assert identity == OfficialSource(there).identity(task, "train", "en")
    own = example(here).catalogue[0]
    turned = own.model_copy(update={"labels": own.labels[::-1]}).task()
    assert identity != OfficialSource(here).identity(turned, "train", "en")
    renamed = own.model_copy(update={"title": "Something else"}).task()
    assert identity == OfficialSource(here).identity(renamed, "train", "en")


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("{name: aspects, familie: pair}", "unknown key 'familie'"),
        ("{name: aspects, family: pairs, languages: [en], files: {}}", "must be 'pair'"),
        ("{name: mnli, family: span, languages: [en], files: {}}", "xtr has a task of this name"),
        ("{name: aspects, family: pair, languages: [en], files: {}}", "a pair task needs labels"),
        (
            "{name: aspects, family: span, languages: [en], files: {train: {path: a, format: pairs_tsv}}}",
            "files.train.format is not one of this family's",
        ),
        (
            "{name: aspects, family: span, languages: [en], files: {train: {path: a, format: csv}}}",
            "must be 'pairs_tsv'",
        ),
        (
            "{name: aspects, family: span, languages: [en], files: {train: {path: a, format: squad_json}}}",
            "what does a search select on?",
        ),
    ],
)
def test_a_wrong_task_is_refused_with_the_place_in_its_own_file(tmp_path: Path, task: str, what: str) -> None:
    found = refused(tmp_path, task)
    (place,) = [where for where, said in found if said.startswith(what)]
    assert place.startswith(f"{tmp_path / 'mine.yaml'}:2")


@pytest.mark.parametrize(
    ("name", "what"), [("none.yaml", "no such file"), ("name.yaml", "holds no list of tasks")]
)
def test_a_catalogue_file_that_is_missing_or_no_list_is_told(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "name.yaml").write_text("name: aspects\n")
    text = (EXAMPLES / "aspects-sweep.yaml").read_text().replace("aspects.yaml", name)
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(InputError, match=what):
        load_sweep(tmp_path / "sweep.yaml", env={"DATA": str(tmp_path)})
