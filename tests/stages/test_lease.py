"""Leases: one holder, a heart that beats, and nobody removes what is another's."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Barrier, Thread

import pytest

from xtr.stages.lease import Lease, Watch, read
from xtr.storage import write_atomic


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leases" / "key"


def test_of_many_claimants_one_gets_the_lease(path: Path) -> None:
    start = Barrier(8)
    claims: list[Lease | None] = []

    def claim() -> None:
        start.wait()
        claims.append(Lease.claim(path))

    threads = [Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [holder] = [lease for lease in claims if lease is not None]
    holder.release()


def test_releasing_leaves_nothing_behind(path: Path) -> None:
    lease = Lease.claim(path)
    assert lease is not None
    with lease:
        assert path.exists()
    assert not list(path.parent.iterdir())


def test_a_lease_is_given_back_when_the_work_fails(path: Path) -> None:
    lease = Lease.claim(path)
    assert lease is not None
    with pytest.raises(RuntimeError), lease:
        raise RuntimeError
    assert not path.exists()


def test_releasing_does_not_remove_the_lease_of_who_took_over(path: Path) -> None:
    lost = Lease.claim(path)
    assert lost is not None
    Watch(path).remove()
    taken = Lease.claim(path)
    assert taken is not None
    lost.release()
    assert json.loads(read(path))["token"] == taken.token
    taken.release()
    assert not path.exists()


def test_a_living_holder_shows_it(path: Path) -> None:
    lease = Lease.claim(path)
    assert lease is not None
    watch = Watch(path)
    with lease:
        for _ in range(2000):
            if watch.beats():
                break
            watch.wait(0.01)
        assert watch.beats()
        assert not watch.stale()


def test_a_lease_that_nobody_holds_is_neither_alive_nor_stale(path: Path) -> None:
    watch = Watch(path)
    assert not watch.beats()
    assert not watch.stale()
    watch.remove()


def test_a_lease_that_has_just_been_seen_is_not_stale(path: Path) -> None:
    write_atomic(path, json.dumps({"token": "somebody", "beat": 7}))
    watch = Watch(path)
    assert not watch.stale()
    assert Lease.claim(path) is None
