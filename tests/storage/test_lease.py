"""Leases: one holder, a heart that beats, and nobody removes what is another's, in a folder and in a bucket."""

from __future__ import annotations

import json
import time
from threading import Barrier, Thread

import pytest

from tests.buckets import Place
from xtr.storage.interface import Storage
from xtr.storage.lease import Lease, Watch, hold, is_held, read

NAME = "leases/key"


@pytest.fixture
def store(place: Place) -> Storage:
    return place.on().store


@pytest.fixture
def hasty(store: Storage) -> Storage:
    """A storage, in this process alone, whose leases are stale sooner."""
    store.heartbeat_s = 0.2
    return store


def test_of_many_claimants_one_gets_the_lease(place: Place) -> None:
    if place.is_bucket:
        pytest.skip("the test's server compares and writes in two steps")
    start, store = Barrier(8), place.on().store
    claims: list[Lease | None] = []

    def claim() -> None:
        start.wait()
        claims.append(Lease.claim(store, NAME))

    threads = [Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [holder] = [lease for lease in claims if lease is not None]
    holder.release()


def test_releasing_leaves_nothing_behind(store: Storage) -> None:
    lease = Lease.claim(store, NAME)
    assert lease is not None
    with lease:
        assert store.exists(NAME)
        assert Lease.claim(store, NAME) is None
    assert store.names("leases") == set()


def test_a_lease_is_given_back_when_the_work_fails(store: Storage) -> None:
    lease = Lease.claim(store, NAME)
    assert lease is not None
    with pytest.raises(RuntimeError), lease:
        raise RuntimeError
    assert not store.exists(NAME)


def test_releasing_does_not_remove_the_lease_of_who_took_over(store: Storage) -> None:
    lost = Lease.claim(store, NAME)
    assert lost is not None
    store.remove(NAME)
    taken = Lease.claim(store, NAME)
    assert taken is not None
    lost.release()
    assert json.loads(read(store, NAME) or "")["token"] == taken.token
    taken.release()
    assert not store.exists(NAME)


def test_a_living_holder_shows_it_and_is_never_stale(store: Storage) -> None:
    lease = Lease.claim(store, NAME)
    assert lease is not None
    watch = Watch(store, NAME)
    with lease:
        for _ in range(2000):
            if watch.beats():
                break
            watch.wait()
        assert watch.beats()
        assert not watch.stale()


def test_a_lease_that_nobody_holds_is_neither_alive_nor_stale(store: Storage) -> None:
    watch = Watch(store, NAME)
    assert not watch.held
    assert not watch.beats()
    assert not watch.stale()
    watch.remove()


def test_a_lease_is_held_until_it_is_given_back_or_its_process_is_gone(store: Storage) -> None:
    assert not is_held(store, NAME)
    with hold(store, NAME):
        assert is_held(store, NAME)
        said = json.loads(read(store, NAME) or "")
    assert not is_held(store, NAME)
    store.write(NAME, json.dumps({**said, "pid": 2**22 + 1}))  # beyond what Linux gives
    assert not is_held(store, NAME)
    store.write(NAME, json.dumps({**said, "host": "another", "pid": 2**22 + 1}))
    assert is_held(store, NAME)


def dead(store: Storage, document: str = json.dumps({"token": "somebody", "beat": 7})) -> Watch:
    """Leave a lease whose holder is gone, and watch it until that is plain."""
    store.write(NAME, document)
    watch = Watch(store, NAME)
    assert not watch.stale(), "a lease that has just been seen is not stale"
    assert Lease.claim(store, NAME) is None
    while not watch.stale():
        watch.wait()
    return watch


@pytest.mark.parametrize("document", ['{"token": "somebody", "beat": 7}', "", '{"tok'])
def test_a_dead_holder_s_lease_is_taken_over_whatever_is_left_of_it(document: str, hasty: Storage) -> None:
    dead(hasty, document).remove()
    lease = Lease.claim(hasty, NAME)
    assert lease is not None
    lease.release()


def test_of_two_who_find_a_stale_lease_the_second_does_not_remove_the_fresh_one(hasty: Storage) -> None:
    first, second = dead(hasty), Watch(hasty, NAME)
    first.remove()
    fresh = Lease.claim(hasty, NAME)
    assert fresh is not None
    second.remove()
    assert json.loads(read(hasty, NAME) or "")["token"] == fresh.token
    fresh.release()


def test_a_holder_that_was_taken_for_dead_does_not_beat_over_the_new_one_s_lease(hasty: Storage) -> None:
    lost = Lease.claim(hasty, NAME)
    assert lost is not None
    hasty.write(NAME, "another's")
    lost._thread.join()
    assert read(hasty, NAME) == "another's"
    lost.release()
    assert read(hasty, NAME) == "another's"


def test_a_block_waits_for_a_dead_holder(hasty: Storage) -> None:
    hasty.write(NAME, json.dumps({"token": "somebody", "beat": 7}))
    with hold(hasty, NAME):
        assert json.loads(read(hasty, NAME) or "")["token"] != "somebody"
    assert not hasty.exists(NAME)


def test_a_holder_that_was_robbed_learns_of_it(hasty: Storage) -> None:
    lease = Lease.claim(hasty, NAME)
    assert lease is not None
    assert not lease.lost
    hasty.remove(NAME)
    thief = Lease.claim(hasty, NAME)
    assert thief is not None
    with thief:
        lease._thread.join(timeout=60)
        assert lease.lost
        lease.release()
        assert hasty.exists(NAME), "what the thief holds stays"


def test_a_waiter_that_stood_still_does_not_take_its_own_pause_for_silence(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease.claim(store, NAME)
    assert lease is not None
    with lease:
        watch = Watch(store, NAME)
        now = time.monotonic()
        monkeypatch.setattr("xtr.storage.lease.time.monotonic", lambda: now + 3600)
        assert not watch.stale()


def test_a_lease_of_torn_bytes_is_silent_and_can_be_removed(hasty: Storage, place: Place) -> None:
    hasty.write(NAME, "x")
    place.harm(NAME, lambda _: b"\xff\xfe")
    watch = Watch(hasty, NAME)
    while not watch.stale():
        watch.wait()
    watch.remove()
    assert not hasty.exists(NAME)
