"""This is where a claim is kept alive: one text, its holder's heartbeat counter inside.

The holder counts twice a heartbeat. A waiter watches the counter on its own clock; when it has stood still for
almost two heartbeats the holder is taken for dead and its lease is removed: a waiter takes over within two. Equal
keys have equal content, so a wrong guess costs work, never correctness.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from xtr.faults import fault
from xtr.storage.interface import Storage

COUNTS, LOOKS = 2, 20
"""How often in a heartbeat a holder counts, and a waiter looks."""
PATIENCE = 1.8
"""Heartbeats without a count after which a holder is dead; with the looks before and after that is less than 2."""
LONGEST_LOOK = 0.5
"""Heartbeats that may lie between two looks of a waiter that is awake."""


class Lease:
    """A claim on a name. Use as a context manager, or `release` it.

    The heartbeat runs on a thread of its own; a process that dies stops it.
    """

    def __init__(self, storage: Storage, name: str, token: str) -> None:
        self.storage = storage
        self.name = name
        self.token = token
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name=f"lease {name}", daemon=True)
        self._thread.start()

    @classmethod
    def claim(cls, storage: Storage, name: str) -> Lease | None:
        """Take the lease, or return None where somebody holds it."""
        token = uuid.uuid4().hex
        if not storage.create(name, _document(token, beat=0)):
            return None
        fault("lease.claimed")
        return cls(storage, name, token)

    @property
    def lost(self) -> bool:
        """Whether somebody has taken it over, because this process stood still for too long."""
        return self._lost.is_set()

    def release(self) -> None:
        """Give the lease back; one that was taken over meanwhile stays with its new holder."""
        self._stop.set()
        self._thread.join()
        with suppress(OSError):  # a lease that cannot be given back grows stale
            said = read(self.storage, self.name)
            if said is not None and _token(said) == self.token:
                self.storage.remove_if(self.name, said)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep_alive(self) -> None:
        every_s = self.storage.heartbeat_s / COUNTS
        beat, due = 0, time.monotonic() + every_s
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due, time.monotonic() - every_s) + every_s  # on time, whatever a write takes
            with suppress(OSError):  # a full disk or a lost network must not end the holder's work
                if _token(read(self.storage, self.name)) != self.token:
                    self._lost.set()
                    return
                fault("lease.between_beats")
                beat += 1
                self.storage.write(self.name, _document(self.token, beat=beat), synced=False)


class Watch:
    """One waiter's view of somebody's lease.

    Args:
        patience: heartbeats of silence after which the holder is dead.
    """

    def __init__(self, storage: Storage, name: str, patience: float = PATIENCE) -> None:
        self.storage = storage
        self.name = name
        self.patience = patience
        self._seen = read(storage, name)
        self._looked = time.monotonic()
        self._silent_s = 0.0

    @property
    def held(self) -> bool:
        """Whether somebody held it at the last look."""
        return self._seen is not None

    def beats(self) -> bool:
        """Say whether the holder has shown a sign of life since the last look."""
        return self.held and read(self.storage, self.name) not in (None, self._seen)

    def wait(self) -> None:
        """Let time pass between two looks."""
        time.sleep(self.storage.heartbeat_s / LOOKS)

    def stale(self) -> bool:
        """Look again, and say whether the heartbeat has stood still for too long.

        A waiter that stood still itself has not seen the holder be silent: of its pause little counts.
        """
        said, now = read(self.storage, self.name), time.monotonic()
        self._silent_s += min(now - self._looked, LONGEST_LOOK * self.storage.heartbeat_s)
        self._looked = now
        if said != self._seen:
            self._seen, self._silent_s = said, 0.0
        return said is not None and self._silent_s > self.patience * self.storage.heartbeat_s

    def remove(self) -> None:
        """Take a dead holder's lease away; one that somebody has taken meanwhile stays."""
        if self._seen is not None:
            self.storage.remove_if(self.name, self._seen)


def remove_if_dead(storage: Storage, name: str) -> bool:
    """Take a lease away at once if it was held by a process that is gone from this machine; say if it was."""
    said = read(storage, name)
    return said is not None and _is_gone(said) and storage.remove_if(name, said)


def driver_lease(sweep: str) -> str:
    """Name the lease that whoever drives a sweep holds."""
    return f"sweeps/{sweep}/driver.lease"


def is_held(storage: Storage, name: str) -> bool:
    """Say whether somebody holds a lease; a process that is gone from this machine does not."""
    said = read(storage, name)
    return said is not None and not _is_gone(said)


def _is_gone(said: str) -> bool:
    try:
        holder = json.loads(said)
        return holder["host"] == socket.gethostname() and not runs(int(holder["pid"]))
    except (ValueError, KeyError, TypeError):
        return False


def runs(pid: int) -> bool:
    """Say whether a process is there on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def hold(storage: Storage, name: str) -> Iterator[None]:
    """Wait for a lease and hold it for as long as a block lasts."""
    watch = Watch(storage, name)
    while (lease := Lease.claim(storage, name)) is None:
        if watch.stale():
            watch.remove()
        else:
            watch.wait()
    with lease:
        yield


def read(storage: Storage, name: str) -> str | None:
    """Read a lease's content, torn or not; None where nobody holds it."""
    content = storage.read_bytes(name)
    return None if content is None else content.decode(errors="replace")


def _document(token: str, *, beat: int) -> str:
    return json.dumps({"token": token, "host": socket.gethostname(), "pid": os.getpid(), "beat": beat})


def _token(document: str | None) -> str:
    try:
        return str(json.loads(document or "")["token"])
    except (ValueError, KeyError, TypeError):
        return ""
