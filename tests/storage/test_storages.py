"""A folder and a bucket do the same: texts are whole, of many creators one wins, folders appear at once."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.buckets import BUCKET, Place
from xtr.errors import InputError
from xtr.storage.objects import ObjectStorage
from xtr.storage.workplace import workplace


def test_a_text_is_written_read_replaced_and_removed(place: Place) -> None:
    store = place.on().store
    assert store.read("a/b") is None
    assert not store.exists("a/b")
    store.write("a/b", "zwölf")
    assert store.exists("a/b")
    assert place.on("other").store.read("a/b") == "zwölf"
    store.write("a/b", "")
    assert store.read("a/b") == ""
    store.remove("a/b")
    store.remove("a/b")
    assert store.read("a/b") is None


def test_only_the_first_creates(place: Place) -> None:
    store = place.on().store
    assert store.create("a/b", "first")
    assert not store.create("a/b", "second")
    assert store.read("a/b") == "first"


def test_of_creators_at_once_one_wins(place: Place) -> None:
    store, start, won = place.on().store, Barrier(4), list[str]()

    def create(text: str) -> None:
        start.wait()
        if store.create("a/b", text):
            won.append(text)

    threads = [Thread(target=create, args=(f"thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("a/b") in won
    if not place.is_bucket:  # the test's server compares and writes in two steps, a real one does not
        assert len(won) == 1


@pytest.mark.usefixtures("s3")
def test_creating_again_after_a_lost_answer_counts_as_created() -> None:
    bucket = ObjectStorage(f"s3://{BUCKET}/lost")
    assert bucket.create("a", "the writer's own text")
    assert bucket.create("a", "the writer's own text")
    assert not bucket.create("a", "another's")


def test_a_text_is_removed_only_while_it_says_the_same(place: Place) -> None:
    store = place.on().store
    store.write("a", "fresh")
    assert not store.remove_if("a", "stale")
    assert store.read("a") == "fresh"
    assert store.remove_if("a", "fresh")
    assert not store.remove_if("a", "fresh")
    assert store.names("") <= {"a"} - {"a"}


def test_folders_are_listed(place: Place) -> None:
    store = place.on().store
    assert store.names("stages") == set()
    assert store.folders_with("stages", "manifest.json") == set()
    for name in ("one/manifest.json", "one/head/manifest.json", "two/head.bin", "three/manifest.json"):
        store.write(f"stages/{name}", "x")
    assert store.names("stages") == {"one", "two", "three"}
    assert store.folders_with("stages", "manifest.json") == {"one", "three"}
    store.remove("stages/one")
    assert store.names("stages") == {"two", "three"}


def test_a_folder_is_moved_as_a_whole(place: Place) -> None:
    store = place.on().store
    store.write("from/a", "a")
    store.write("from/deep/b", "b")
    store.move("from", "aside/there")
    store.move("absent", "aside/nowhere")
    assert store.names("from") == set()
    assert store.names("aside") == {"there"}
    assert store.read("aside/there/deep/b") == "b"


def test_of_two_that_publish_a_folder_the_first_one_s_files_stay(place: Place, tmp_path: Path) -> None:
    store, placed = place.on().store, list[dict[str, object]]()

    def publish(name: str) -> bool:
        partial = tmp_path / name
        (partial / "deep").mkdir(parents=True)
        (partial / "deep" / "file").write_text(name)

        def seal(where: dict[str, object]) -> str:
            placed.append(where)
            return json.dumps({"by": name, **where})

        return store.publish(partial, "stages/key", "manifest.json", seal)

    assert [publish("first"), publish("second")] == [True, False]
    manifest = json.loads(store.read("stages/key/manifest.json") or "")
    assert manifest["by"] == "first"
    content = f"stages/key/{manifest['folder']}" if place.is_bucket else "stages/key"
    assert store.read(f"{content}/deep/file") == "first"
    assert len(store.names("stages/key")) == 2, "the loser's files are gone"


@pytest.mark.usefixtures("s3")
def test_what_a_killed_upload_has_left_is_removed_by_who_publishes(tmp_path: Path) -> None:
    bucket = ObjectStorage(f"s3://{BUCKET}/killed")
    bucket.write("stages/key/0123456789ab/file", "half")
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "file").write_text("whole")
    assert bucket.publish(tmp_path / "partial", "stages/key", "manifest.json", lambda _: "{}")
    assert "0123456789ab" not in bucket.names("stages/key")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("root", "options", "environment", "said"),
    [
        ("nothing://x/y", {}, {}, "unknown kind of storage"),
        ("s3://no-such-bucket/runs", {}, {}, "there is no such bucket"),
        ("s3://{bucket}/runs", {"endpoint_url": "http://127.0.0.1:9"}, {}, "the store cannot be reached"),
        ("s3://{bucket}/runs", {}, {"AWS_ACCESS_KEY_ID": None}, "there are no credentials"),
        ("memory://x/y", {}, {}, "memory is this process's own"),
    ],
)
def test_a_root_that_cannot_be_used_is_refused_with_the_next_step(
    root: str,
    options: dict[str, object],
    environment: dict[str, str | None],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in environment:
        monkeypatch.delenv(name)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    options = options or {"skip_instance_cache": True}
    if root.startswith("memory"):
        options = {}
    with pytest.raises(InputError, match=said) as refused:
        workplace(root.format(bucket=BUCKET), options, str(tmp_path)).check_writable()
    assert refused.value.problems[0].where == "storage.root"


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_cannot_be_read_either(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such bucket"):
        workplace("s3://no-such-bucket/runs", cache=str(tmp_path)).check_readable()
    workplace(f"s3://{BUCKET}/empty", cache=str(tmp_path)).check_readable()


@pytest.mark.usefixtures("s3")
def test_a_store_without_create_if_absent_is_refused(tmp_path: Path) -> None:
    import fsspec

    class Forgetful(fsspec.get_filesystem_class("s3")):  # type: ignore[misc]
        """A store that does not know If-None-Match and writes all the same."""

        async def _pipe_file(self, path: str, data: bytes, mode: str = "overwrite", **more: object) -> object:
            return await super()._pipe_file(path, data, **more)

    fsspec.register_implementation("forgetful", Forgetful, clobber=True)
    Forgetful.protocol = ("forgetful", "s3")
    place = workplace(f"forgetful://{BUCKET}/runs", cache=str(tmp_path))
    with pytest.raises(InputError, match="lets a name be created twice"):
        place.check_writable()


def test_a_file_uri_is_the_folder(tmp_path: Path) -> None:
    assert workplace(f"file://{tmp_path}").here == tmp_path
    assert workplace(f"file://{tmp_path}").bucket is None


def test_memory_is_a_storage_within_a_process(tmp_path: Path) -> None:
    store = workplace("memory://some/where", cache=str(tmp_path)).store
    assert [store.create("a/b", "first"), store.create("a/b", "second")] == [True, False]
    assert store.names("a") == {"b"}
    store.remove("a")
    assert store.read("a/b") is None


@pytest.mark.usefixtures("s3")
def test_buckets_have_working_copies_of_their_own(tmp_path: Path) -> None:
    places = [workplace(f"s3://{BUCKET}/{name}", cache=str(tmp_path)).here for name in ("one", "two")]
    assert places[0] != places[1]
    assert all(tmp_path in here.parents for here in places)
