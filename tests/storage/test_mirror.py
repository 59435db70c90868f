"""A sweep's folder in a bucket: copied as a whole, fetched where it is newer, never written by two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.buckets import Place, a_place
from xtr.storage.mirror import Mirror

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place("bucket", tmp_path)


def copy_on(place: Place, machine: str) -> Mirror:
    workplace = place.on(machine)
    assert workplace.bucket is not None
    mirror = Mirror(workplace.bucket, "sweeps/demo", workplace.sweep("demo"))
    mirror.folder.mkdir(parents=True, exist_ok=True)
    return mirror


def files(mirror: Mirror) -> dict[str, str]:
    paths = (path for path in mirror.folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(mirror.folder).as_posix(): path.read_text() for path in sorted(paths)}


def test_what_one_machine_copies_another_fetches(place: Place) -> None:
    one, other = copy_on(place, "one"), copy_on(place, "other")
    (one.folder / "predictions" / "test").mkdir(parents=True)
    (one.folder / "predictions" / "test" / "en.json").write_text("{}")
    (one.folder / "study.journal").write_text("line\n")
    (one.folder / "ray-tune").mkdir()
    (one.folder / "ray-tune" / "snapshot").write_text("of no use elsewhere")
    assert one.copy()
    other.fetch()
    assert files(other) == {"predictions/test/en.json": "{}", "study.journal": "line\n"}
    (other.folder / "study.journal").write_text("line\nnext\n")
    (other.folder / "predictions" / "test" / "en.json").unlink()
    assert other.copy()
    one.fetch()
    assert files(one)["study.journal"] == "line\nnext\n"
    assert "predictions/test/en.json" not in files(one)


def test_only_the_files_that_are_named_stay_in_the_bucket(place: Place) -> None:
    one = copy_on(place, "one")
    for text in ("first", "second", "third"):
        (one.folder / "study.journal").write_text(text)
        assert one.copy()
    assert len(place.names("sweeps/demo/files")) == 1


def test_what_is_here_and_newer_stays(place: Place) -> None:
    one = copy_on(place, "one")
    (one.folder / "study.journal").write_text("copied")
    assert one.copy()
    (one.folder / "study.journal").write_text("copied, and gone on")
    one.fetch()
    assert files(one) == {"study.journal": "copied, and gone on"}


def test_who_has_been_superseded_does_not_write(place: Place) -> None:
    one, other = copy_on(place, "one"), copy_on(place, "other")
    (one.folder / "study.journal").write_text("one")
    assert one.copy()
    other.fetch()
    (other.folder / "study.journal").write_text("other")
    assert other.copy()
    (one.folder / "study.journal").write_text("one, too late")
    assert not one.copy()
    said: list[str] = []
    with copy_on(place, "third").kept(said.append):
        assert files(copy_on(place, "third")) == {"study.journal": "other"}
    assert said == []


def test_a_block_s_end_copies(place: Place) -> None:
    one = copy_on(place, "one")
    with one.kept(pytest.fail):
        (one.folder / "trials.jsonl").write_text("{}\n")
    other = copy_on(place, "other")
    other.fetch()
    assert files(other) == {"trials.jsonl": "{}\n"}


def test_a_broken_file_is_left_out_and_set_aside(place: Place) -> None:
    one, other = copy_on(place, "one"), copy_on(place, "other")
    (one.folder / "study.journal").write_text("line\n")
    (one.folder / "spec.yaml").write_text("version: 1\n")
    assert one.copy()
    broken = max(place.names("sweeps/demo/files"))
    place.harm(f"sweeps/demo/files/{broken}", lambda content: content[:-1])
    other.fetch()
    assert len(files(other)) == 1
    assert not place.names("quarantine"), "who only reads moves nothing in a driver's folder"
    third = copy_on(place, "third")
    third.fetch(holds=True)
    assert len(files(third)) == 1
    assert len(place.names("quarantine")) == 1
