"""The hub as a source: revisions are locked once, splits fetched once, and what goes wrong is said in words."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.buckets import Place
from tests.data.hub_folders import write_mnli, write_tydiqa, write_xnli
from tests.data.stub_hub import COMMIT, NEXT_COMMIT, StubHub
from xtr.catalogue.lookup import find_task
from xtr.data.hublock import LOCK, UNLOCKED, HubLock
from xtr.data.hubsource import HubSource
from xtr.data.rows import PairRow
from xtr.errors import InputError
from xtr.storage.posix import PosixStorage

ROOT = Path(__file__).resolve().parents[2]
READ = """
import json, sys
from pathlib import Path
from xtr.catalogue.lookup import find_task
from xtr.data.hubsource import HubSource
from xtr.errors import InputError
from xtr.storage.posix import PosixStorage

root, task, split, *languages = sys.argv[1:]
source = HubSource(Path(root))
try:
    said = [[source.identity(find_task(task), split, each), len(source.rows(find_task(task), split, each))]
            for each in languages]
except InputError as error:
    said = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def xnli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_xnli(tmp_path_factory.mktemp("xnli"))


@pytest.fixture
def hub(xnli: Path) -> Iterator[StubHub]:
    stub = StubHub()
    stub.serve("datasets", "facebook/xnli", xnli)
    with stub.running():
        yield stub


def read(hub: StubHub, folder: Path, *languages: str, offline: bool = False, root: str = "runs") -> object:
    """Ask for XNLI's tests in a process of its own, where the hub is the stub."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder / root), "xnli", "test", *languages],
        env={
            **hub.environment(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1" if offline else "0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_folder_in_the_hubs_layout_stands_for_an_id(xnli: Path, tmp_path: Path) -> None:
    source = HubSource(tmp_path, {"facebook/xnli": str(xnli)}, resolve=False)
    assert source.rows(find_task("xnli"), "test", "de")[1] == PairRow("1", "de test 1.", "So 1.", "neutral")
    assert source.identity(find_task("xnli"), "test", "de").startswith("facebook/xnli@folder-")


def test_equal_folders_have_equal_identities_and_changed_ones_others(xnli: Path, tmp_path: Path) -> None:
    def identity(folder: Path) -> str:
        return HubSource(tmp_path, {"facebook/xnli": str(folder)}).identity(find_task("xnli"), "test", "de")

    copy = Path(shutil.copytree(xnli, tmp_path / "copy"))
    assert identity(copy) == identity(xnli)
    (copy / "README.md").write_text((copy / "README.md").read_text() + "more\n")
    assert identity(copy) != identity(xnli)


def test_rows_without_consensus_are_left_out_of_training(tmp_path: Path) -> None:
    folder = write_mnli(tmp_path / "glue", n_rows=6)
    source = HubSource(tmp_path / "runs", {"nyu-mll/glue": str(folder)})
    assert len(source.rows(find_task("mnli"), "train", "en")) == 5
    assert len(source.rows(find_task("mnli"), "select", "en")) == 6


def test_languages_that_share_a_split_are_told_apart(tmp_path: Path) -> None:
    folder = write_tydiqa(tmp_path / "tydiqa")
    source, task = HubSource(tmp_path, {"google-research-datasets/tydiqa": str(folder)}), find_task("tydiqa")
    train, select = source.rows(task, "train", "en"), source.rows(task, "select", "en")
    assert len(train) + len(select) == 10
    assert {row.id.split("-")[0] for row in (*train, *select)} == {"english"}
    assert len(source.rows(task, "test", "sw")) == 4
    assert len({source.identity(task, split, "en") for split in ("train", "select", "test")}) == 3


def test_an_unlocked_revision_is_not_resolved_for_a_plan(tmp_path: Path) -> None:
    source = HubSource(tmp_path, resolve=False)
    assert source.identity(find_task("xnli"), "test", "de") == f"facebook/xnli@{UNLOCKED}/de/test"
    assert not (tmp_path / LOCK).exists()


def test_the_first_to_lock_wins(tmp_path: Path) -> None:
    commits = iter(["first", "second"])
    one, other = (HubLock(PosixStorage(tmp_path), lambda *_: next(commits)) for _ in range(2))
    assert one.revision("datasets", "a/b") == "first"
    assert other.revision("datasets", "a/b") == "first"
    assert one.revision("models", "a/b") == "second"
    assert json.loads((tmp_path / LOCK).read_text())["datasets"]["a/b"]["revision"] == "first"


def test_machines_that_share_a_store_share_its_lock(place: Place) -> None:
    commits = iter(["first", "second", "third"])
    one, other = (HubLock(place.on(name).store, lambda *_: next(commits)) for name in ("one", "other"))
    assert one.revision("datasets", "a/b") == "first"
    assert other.revision("datasets", "c/d") == "second"
    third = HubLock(place.on("third").store)
    assert [third.revision("datasets", name) for name in ("a/b", "c/d", "e/f")] == [
        "first",
        "second",
        UNLOCKED,
    ]


def test_a_lock_file_that_is_none_is_refused(tmp_path: Path) -> None:
    PosixStorage(tmp_path).write(LOCK, "no")
    with pytest.raises(InputError, match="not a lock file"):
        HubLock(PosixStorage(tmp_path)).revision("datasets", "a/b")


def test_a_revision_is_locked_and_what_was_fetched_needs_no_hub(hub: StubHub, tmp_path: Path) -> None:
    wanted = [[f"facebook/xnli@{COMMIT}/de/test", 6]]
    assert read(hub, tmp_path, "de") == wanted
    assert not any("train" in path and "resolve" in path for path in hub.asked)
    hub.head["facebook/xnli"] = NEXT_COMMIT
    hub.asked.clear()
    assert read(hub, tmp_path, "de") == wanted
    assert read(hub, tmp_path, "de", offline=True) == wanted
    assert not hub.asked
    assert [path.name for path in (tmp_path / "runs" / "data" / "hub").iterdir()] == [
        f"facebook--xnli@{COMMIT}"
    ]


def test_a_language_that_comes_later_has_the_locked_revision(hub: StubHub, tmp_path: Path) -> None:
    read(hub, tmp_path, "de")
    hub.head["facebook/xnli"] = NEXT_COMMIT
    assert read(hub, tmp_path, "en") == [[f"facebook/xnli@{COMMIT}/en/test", 6]]


def test_offline_the_hubs_own_cache_will_do(hub: StubHub, tmp_path: Path) -> None:
    read(hub, tmp_path, "de")
    hub.asked.clear()
    assert read(hub, tmp_path, "de", offline=True, root="other") == [[f"facebook/xnli@{COMMIT}/de/test", 6]]
    said = read(hub, tmp_path / "nothing", "de", offline=True)
    assert "is not in the local cache" in str(said)
    assert "xtr data prepare" in str(said)
    assert not hub.asked


def test_a_busy_hub_is_asked_again(hub: StubHub, tmp_path: Path) -> None:
    hub.refusals["facebook/xnli"] = [(429, "", {"Retry-After": "0"})] * 2
    assert read(hub, tmp_path, "de") == [[f"facebook/xnli@{COMMIT}/de/test", 6]]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ([(429, "", {"Retry-After": "0"})] * 20, ("too many requests", "five minutes")),
        ([(401, "RepoNotFound", {})], ("does not know", "hf auth login")),
        ([(403, "GatedRepo", {})], ("accept a licence", "accept it on its page")),
        ([None], ("cannot be reached", "HF_ENDPOINT", "HF_HUB_OFFLINE")),
    ],
    ids=["429", "401", "403", "time-out"],
)
def test_trouble_is_said_in_words(
    hub: StubHub,
    tmp_path: Path,
    trouble: list[tuple[int, str, dict[str, str]] | None],
    said: tuple[str, ...],
) -> None:
    hub.refusals["facebook/xnli"] = trouble
    answer = str(read(hub, tmp_path, "de"))
    assert "facebook/xnli" in answer
    for words in said:
        assert words in answer
    assert not list((tmp_path / "runs").rglob("*.arrow"))


def test_files_behind_a_licence_are_said_to_be(hub: StubHub, tmp_path: Path) -> None:
    hub.files_refused["facebook/xnli"] = (401, "GatedRepo")
    answer = str(read(hub, tmp_path, "de"))
    assert "accept a licence" in answer
    assert "HF_TOKEN" in answer
    assert list((tmp_path / "runs" / "data" / "hub").iterdir()) == []


def test_a_configuration_or_split_that_is_not_there_is_named(hub: StubHub, tmp_path: Path) -> None:
    answer = str(read(hub, tmp_path, "fr"))
    assert "no such configuration" in answer
    assert "['de', 'en']" in answer


def test_a_loading_script_is_refused(hub: StubHub, xnli: Path, tmp_path: Path) -> None:
    scripted = Path(shutil.copytree(xnli, tmp_path / "scripted"))
    (scripted / "xnli.py").write_text("raise SystemExit('ran')\n")
    hub.serve("datasets", "facebook/xnli", scripted)
    answer = str(read(hub, tmp_path, "de"))
    assert "is a loading script" in answer
    assert "never run" in answer


def test_a_broken_copy_is_fetched_again(xnli: Path, tmp_path: Path) -> None:
    def rows() -> int:
        return len(HubSource(tmp_path, {"facebook/xnli": str(xnli)}).rows(find_task("xnli"), "test", "de"))

    assert rows() == 6
    (arrow,) = tmp_path.rglob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:-40])
    assert rows() == 6


def test_a_missing_column_is_told_by_row(tmp_path: Path) -> None:
    from datasets import Dataset

    folder = tmp_path / "xnli"
    (folder / "de").mkdir(parents=True)
    rows = Dataset.from_dict({"premise": ["a", "b"], "label": ["neutral", "neutral"]})
    rows.to_parquet(str(folder / "de" / "test.parquet"))
    card = (
        "---\nconfigs:\n- config_name: de\n  data_files:\n  - split: test\n    path: de/test.parquet\n---\n"
    )
    (folder / "README.md").write_text(card)
    with pytest.raises(InputError, match="'hypothesis' or 'sentence2' or 'hypo' is missing") as refused:
        HubSource(tmp_path / "runs", {"facebook/xnli": str(folder)}).rows(find_task("xnli"), "test", "de")
    assert len(refused.value.problems) == 2
