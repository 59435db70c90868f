"""This is where a sweep is asked to come to rest: one small file in its folder, which every machine can read.

    drain = Drain(folder / "drain")
    drain.open()                 # the driver, at its start: nobody is asked for anything
    drain.ask("stage")           # the budget is spent: what runs finishes its stage, nothing new starts
    drain.ask("step")            # Ctrl-C: training keeps its state after the present step and ends, too
    drain.before_work()          # a trial, before it computes anything: raises Drained if it was asked to stop

The file is there for the whole run, and empty while nothing is asked: on NFS a machine may take an absent file for
absent for up to a minute, while every opening of one that exists asks the server. Words are added, none
is taken back, so what was asked for can only become more urgent.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Literal

from xtr.errors import Drained
from xtr.spec.sweep import StorageSpec, SweepSpec
from xtr.storage.interface import Storage

Until = Literal["stage", "step"]
LOOK_EVERY_S, LOOK_THERE_EVERY_S = 0.5, 5.0
"""A training loop looks after every step; a file is opened, and a bucket asked, no more often than this."""


class Drain:
    """What a sweep's trials are asked for, as the file says it now. Pickles as where it lies.

    Args:
        path: the file, in the driver's own sweep folder; of a bucket its name is that of one run, so that no
            machine believes what is left of another run that it has driven.
        storage: of the sweep, where that is a bucket: the file is copied there, and who lacks it looks there.
    """

    def __init__(self, path: Path, storage: StorageSpec | None = None) -> None:
        self.path = path
        self.storage = storage
        self._stops_steps = False
        self._looked = -LOOK_EVERY_S
        self._there = ("", -LOOK_THERE_EVERY_S)
        self._closed = threading.Event()

    def __reduce__(self) -> tuple[type[Drain], tuple[Path, StorageSpec | None]]:
        return type(self), (self.path, self.storage)

    @classmethod
    def of(cls, spec: SweepSpec) -> Drain:
        """Name the file of a sweep."""
        place = spec.anchored().storage.workplace()
        if place.bucket is None:
            return cls(place.sweep(spec.name) / "drain")
        return cls(place.sweep(spec.name) / "drains" / uuid.uuid4().hex, spec.storage)

    def open(self) -> None:
        """Begin a run: forget what an earlier one was asked for."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("")
        if self._bucket is not None:  # a request may take its time, and a signal's handler has none
            threading.Thread(target=self._copy, args=(self._bucket,), name="drain", daemon=True).start()

    def close(self) -> None:
        """End a run."""
        self._closed.set()
        self.path.unlink(missing_ok=True)

    def ask(self, until: Until) -> None:
        """Ask all trials to stop. Safe in a signal's handler: one word in one system call, no lock."""
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(file, f"{until}\n".encode())
        finally:
            os.close(file)

    def before_work(self) -> None:
        """Look once before something is computed or waited for.

        Raises:
            Drained: nothing new is to start.
        """
        if self._asked():
            raise Drained("nothing new starts")

    def stops_steps(self) -> bool:
        """Say whether training is to stop after its present step; cheap enough to be asked at every step."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._stops_steps = "step" in self._asked()
        return self._stops_steps

    def _asked(self) -> list[str]:
        try:
            return self.path.read_text().split()
        except OSError:  # absent, or a file system that does not answer just now: no reason to stop
            return self._asked_there()

    def _asked_there(self) -> list[str]:
        """Look into the bucket, now and then."""
        asked, looked = self._there
        if self._bucket is not None and time.monotonic() - looked >= LOOK_THERE_EVERY_S:
            with suppress(OSError):
                asked = self._bucket.read(self._name) or ""
            self._there = asked, time.monotonic()
        return asked.split()

    def _copy(self, bucket: Storage) -> None:
        """Bring what is asked to the bucket, until the run ends."""
        said = ""
        while not self._closed.wait(LOOK_EVERY_S):
            with suppress(OSError):
                now = self.path.read_text()
                if now != said:
                    bucket.write(self._name, now)
                    said = now
        with suppress(OSError):
            bucket.remove(self._name)

    @property
    def _bucket(self) -> Storage | None:
        return self.storage.workplace().store if self.storage is not None else None

    @property
    def _name(self) -> str:
        return f"drains/{self.path.name}"


NEVER = Drain(Path(os.devnull))
"""Asks nobody for anything: for stages that are made outside a sweep's run."""
