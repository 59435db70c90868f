"""This is where states of an unfinished run go to a bucket, for whoever goes on with it elsewhere.

    progress/<key>/step-0000123.<token>/     weights, moments and progress.json with their SHA-256, uploaded last

The newest whole state counts. Uploads run on a thread beside the training.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xtr.fingerprint import known_digest, read_checked_json
from xtr.storage import exclusive
from xtr.storage.objects import ObjectStorage

PROGRESS = "progress.json"


class StateCopies:
    """The states of one run in a bucket, and the folder on this machine where the run keeps them.

    Attributes:
        name: of the run's folder in the bucket.
        folder: where the run saves its states, `step-<number>` each.
    """

    def __init__(self, bucket: ObjectStorage, name: str, folder: Path) -> None:
        self.bucket = bucket
        self.name = name
        self.folder = folder

    def fetch(self) -> None:
        """Have the newest whole state of the bucket here, unless this machine's own is as new.

        Processes of one machine come one by one, so that the first fetches it for all.
        """
        with exclusive(self.folder.parent.parent / "fetching" / self.folder.name):
            here = max((path.name for path in self.folder.glob("step-*")), default="")
            for name in sorted(self.bucket.names(self.name), reverse=True):
                step = name.partition(".")[0]
                if (step <= here and _is_whole(self.folder / here)) or self._fetch(name, step):
                    return

    @contextmanager
    def kept(self) -> Iterator[Callable[[], None]]:
        """Copy states on a thread while a block lasts, the newest one each time it is told of one."""
        news, done = threading.Event(), threading.Event()

        def keep() -> None:
            last = False
            while not last:
                news.wait()
                last = done.is_set()
                news.clear()
                with suppress(OSError):  # the next state takes its place
                    self._copy()

        thread = threading.Thread(target=keep, name=f"copy {self.name}", daemon=True)
        thread.start()
        try:
            yield news.set
        finally:
            done.set()
            news.set()
            thread.join()

    def _copy(self) -> None:
        """Copy the newest state, from links that stay when the run drops it for the next one."""
        newest = max(self.folder.glob("step-*"), key=lambda path: path.name, default=None)
        if newest is None or any(name.startswith(f"{newest.name}.") for name in self.bucket.names(self.name)):
            return
        links = self.folder / f".copying-{uuid.uuid4().hex}"
        try:
            links.mkdir()
            for path in newest.iterdir():
                os.link(path, links / path.name)
            there = f"{self.name}/{newest.name}.{uuid.uuid4().hex[:12]}"
            progress = (links / PROGRESS).read_bytes()
            (links / PROGRESS).unlink()
            self.bucket.put(links, there)
            self.bucket.write_bytes(f"{there}/{PROGRESS}", progress)
            for name in self.bucket.names(self.name):
                if name.partition(".")[0] < newest.name:
                    self.bucket.remove(f"{self.name}/{name}")
        finally:
            shutil.rmtree(links, ignore_errors=True)

    def _fetch(self, name: str, step: str) -> bool:
        """Fetch one state, again where it was cut on the way; one that is broken in the bucket is set aside."""
        files = self.bucket.files(f"{self.name}/{name}")
        if PROGRESS not in files:  # its upload goes on, or has been cut short
            return False
        partial = self.folder / f".fetching-{uuid.uuid4().hex}"
        try:
            for _ in range(2):
                with suppress(FileNotFoundError):
                    self.bucket.fetch(f"{self.name}/{name}", files, partial)
                if _is_whole(partial):
                    shutil.rmtree(self.folder / step, ignore_errors=True)
                    with suppress(OSError):  # another process of this machine was faster
                        partial.rename(self.folder / step)
                    return True
            self.bucket.move(f"{self.name}/{name}", f"quarantine/{self.name.rpartition('/')[2]}-{name}")
            return False
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        document: dict[str, Any] = read_checked_json((folder / PROGRESS).read_bytes())
        return all(known_digest(folder / name) == sha for name, sha in document["sha256"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
