"""This is where a folder in a bucket has its working copy on this machine: a sweep's journal and views.

    sweeps/<name>/index.json         which files there are, by SHA-256
    sweeps/<name>/files/<sha256>     their bytes

A copy goes to the bucket as a whole: new files first, then the index, then what nobody names any more goes. Files
that are broken there are left out of what is fetched: the journal and its views come again from the stages.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xtr.fingerprint import file_digest
from xtr.storage.files import write_atomic
from xtr.storage.objects import ObjectStorage

INDEX, AGREED = "index.json", ".agreed.json"
COPY_EVERY_S, FETCHES = 10.0, 5
SKIPPED = ("ray-tune", "drain", "drains")
"""Folders of a working copy that are of no use elsewhere."""


class Mirror:
    """A folder of a bucket and its copy here; who writes holds a lease on it.

    Attributes:
        name: of the folder in the bucket.
        folder: the copy on this machine.
    """

    def __init__(self, bucket: ObjectStorage, name: str, folder: Path) -> None:
        self.bucket = bucket
        self.name = name
        self.folder = folder
        self._agreed = folder / AGREED
        self._known: dict[Path, tuple[int, int, str]] = {}
        self._tried: str | None = None

    def fetch(self, *, holds: bool = False) -> None:
        """Bring what the bucket has, unless the copy here is what the bucket got from it, or newer.

        Args:
            holds: the caller holds the folder, so what is broken in the bucket is set aside there.
        """
        index = self._index()
        for _ in range(FETCHES):
            if index is None or index == self._agreed_index():
                return
            wanted = _files(index).items()
            if not [name for name, sha in wanted if not self._fetch_file(sha, self.folder / name, holds)]:
                break
            before, index = index, self._index()
            if index == before:  # nobody has copied meanwhile: something is broken there
                break
        for path in self._files_here():
            if path.relative_to(self.folder).as_posix() not in _files(index or ""):
                path.unlink()
        write_atomic(self._agreed, index or "")

    def copy(self) -> bool:
        """Bring what is new here to the bucket; False where somebody else has written there since."""
        contents = {path: self._digest(path) for path in self._files_here()}
        files = {path.relative_to(self.folder).as_posix(): sha for path, sha in contents.items()}
        agreed = self._agreed_index()
        before = _files(agreed) if agreed else {}
        if files == before:
            return True
        if self._index() not in (agreed, self._tried):
            return False
        for path, sha in contents.items():
            if sha not in before.values():
                files[path.relative_to(self.folder).as_posix()] = self._copy_file(path)
        index = json.dumps({"schema_version": 1, "copy": uuid.uuid4().hex, "files": files}, indent=1)
        self._tried = index  # the answer to this may be lost
        self.bucket.write(f"{self.name}/{INDEX}", index)
        write_atomic(self._agreed, index)
        for sha in set(before.values()) - set(files.values()):
            self.bucket.remove(f"{self.name}/files/{sha}")
        return True

    @contextmanager
    def kept(self, complain: Callable[[str], None]) -> Iterator[None]:
        """Fetch, copy every few seconds on a thread while the block lasts, and copy at its end.

        Args:
            complain: told where the last copy fails; what is missing there is here, for the next command.
        """
        self.fetch(holds=True)
        done = threading.Event()

        def keep() -> None:
            while not done.wait(COPY_EVERY_S):
                with suppress(OSError):  # the next copy takes it along
                    self.copy()

        thread = threading.Thread(target=keep, name=f"copy {self.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            try:
                if not self.copy():
                    complain(
                        f"another driver has written {self.bucket.uri}/{self.name}; it was left as it is"
                    )
            except OSError as error:
                complain(f"{self.folder} could not be copied to {self.bucket.uri}/{self.name} ({error})")

    def _index(self) -> str | None:
        return self.bucket.read(f"{self.name}/{INDEX}")

    def _agreed_index(self) -> str | None:
        return self._agreed.read_text(encoding="utf-8") if self._agreed.exists() else None

    def _files_here(self) -> list[Path]:
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.is_file()
            and not path.name.startswith(".")
            and path.suffix != ".lock"
            and path.relative_to(self.folder).parts[0] not in SKIPPED
        )

    def _digest(self, path: Path) -> str:
        """Hash a file again only where its size or its time has changed."""
        stat = path.stat()
        known = self._known.get(path)
        if known is None or known[:2] != (stat.st_size, stat.st_mtime_ns):
            self._known[path] = known = (stat.st_size, stat.st_mtime_ns, file_digest(path))
        return known[2]

    def _copy_file(self, path: Path) -> str:
        """Copy a file as it is at one moment, while others may append to it; return the SHA-256 of that."""
        content = path.read_bytes()
        sha = hashlib.sha256(content).hexdigest()
        self.bucket.write_bytes(f"{self.name}/files/{sha}", content)
        return sha

    def _fetch_file(self, sha: str, path: Path, holds: bool) -> bool:
        """Have one file here, fetched again where it was cut on the way; say no where that cannot be had."""
        if path.exists() and file_digest(path) == sha:
            return True
        scratch = self.folder / f".fetching-{uuid.uuid4().hex}"
        try:
            for _ in range(2):
                with suppress(FileNotFoundError):
                    self.bucket.fetch(f"{self.name}/files", [sha], scratch)
                    if file_digest(scratch / sha) == sha:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        (scratch / sha).replace(path)
                        return True
            if holds:
                self.bucket.move(f"{self.name}/files/{sha}", f"quarantine/{sha}-{uuid.uuid4().hex[:8]}")
            path.unlink(missing_ok=True)
            return False
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _files(index: str) -> dict[str, str]:
    try:
        return dict(json.loads(index)["files"])
    except (ValueError, KeyError, TypeError):
        return {}
