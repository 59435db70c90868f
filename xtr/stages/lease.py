"""This is where a claim is kept alive: one file, its holder's heartbeat counter inside.

A waiter watches the counter on its own clock. When it has stood still for two intervals the holder is taken for
dead and its lease is removed. Equal keys have equal content, so a wrong guess costs work, never correctness.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path

from xtr.faults import fault
from xtr.storage import create_if_absent, write_atomic

HEARTBEAT_S = 1.0
STALE_BEATS = 2


class Lease:
    """A claim on a name. Use as a context manager, or `release` it.

    The heartbeat runs on a thread of its own; a process that dies stops it.
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self.token = token
        self._beat = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name=f"lease {path.name}", daemon=True)
        self._thread.start()

    @classmethod
    def claim(cls, path: Path) -> Lease | None:
        """Take the lease, or return None where somebody holds it."""
        token = uuid.uuid4().hex
        if not create_if_absent(path, _document(token, beat=0)):
            return None
        fault("lease.claimed")
        return cls(path, token)

    def release(self) -> None:
        """Give the lease back; one that was taken over meanwhile stays with its new holder."""
        self._stop.set()
        self._thread.join()
        if _token(read(self.path)) == self.token:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep_alive(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            if _token(read(self.path)) != self.token:
                return
            fault("lease.between_beats")
            self._beat += 1
            with contextlib.suppress(OSError):  # a full disk must not end the holder's work
                write_atomic(self.path, _document(self.token, beat=self._beat))


class Watch:
    """One waiter's view of somebody's lease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = read(path)
        self._since = time.monotonic()

    def beats(self) -> bool:
        """Say whether the holder has shown a sign of life since the last look."""
        return bool(self._seen) and read(self.path) not in ("", self._seen)

    def wait(self, seconds: float) -> None:
        """Let time pass between two looks."""
        time.sleep(seconds)

    def stale(self) -> bool:
        """Say whether the heartbeat has stood still for too long."""
        now = read(self.path)
        if now != self._seen:
            self._seen, self._since = now, time.monotonic()
        return bool(now) and time.monotonic() - self._since > STALE_BEATS * HEARTBEAT_S + HEARTBEAT_S

    def remove(self) -> None:
        """Take a dead holder's lease away."""
        self.path.unlink(missing_ok=True)


def read(path: Path) -> str:
    """Read a lease's content; empty where nobody holds it."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _document(token: str, *, beat: int) -> str:
    return json.dumps({"token": token, "host": socket.gethostname(), "pid": os.getpid(), "beat": beat})


def _token(document: str) -> str:
    return str(json.loads(document)["token"]) if document else ""
