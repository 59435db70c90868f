"""This is where a storage is a folder of one file system, local or shared: by rename and link."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from xtr.faults import fault
from xtr.storage.files import create_if_absent, write_atomic

HEARTBEAT_S = 1.0


class PosixStorage:
    """A folder on a file system; a `Storage`."""

    heartbeat_s = HEARTBEAT_S

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    def exists(self, name: str) -> bool:
        """Say whether there is a text of this name."""
        return (self.root / name).exists()

    def read(self, name: str) -> str | None:
        """Read a text; None where there is none."""
        content = self.read_bytes(name)
        return None if content is None else content.decode()

    def read_bytes(self, name: str) -> bytes | None:
        """Read what a name holds; None where there is nothing."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, text: str, *, synced: bool = True) -> None:
        """Write a text whole, replacing what was there."""
        write_atomic(self.root / name, text, synced=synced)

    def create(self, name: str, text: str) -> bool:
        """Write a text unless the name is taken, and say whether this call did."""
        return create_if_absent(self.root / name, text)

    def remove(self, name: str) -> None:
        """Remove a text, or a folder with all below it; a folder goes at once, then its files."""
        path = self.root / name
        if path.is_dir():
            aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            with suppress(FileNotFoundError):  # somebody else has just done it
                path.rename(aside)
                shutil.rmtree(aside, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def remove_if(self, name: str, text: str) -> bool:
        """Remove a text if this is still what it says: set aside, compared, and put back if it is another."""
        path = self.root / name
        said = self.read_bytes(name)
        if said is None or said.decode(errors="replace") != text:
            return False
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        same = aside.read_text(encoding="utf-8", errors="replace") == text
        if not same:  # it has changed between the look and the rename
            with suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
        return same

    def names(self, folder: str) -> set[str]:
        """List what lies directly in a folder; hidden names are work under way."""
        try:
            return {path.name for path in (self.root / folder).iterdir() if not path.name.startswith(".")}
        except FileNotFoundError:
            return set()

    def folders_with(self, folder: str, name: str) -> set[str]:
        """List the folders directly in a folder that hold a text of this name."""
        return {each for each in self.names(folder) if (self.root / folder / each / name).exists()}

    def weigh(self, name: str) -> tuple[int, float]:
        """Count the bytes of a text or folder, and say when it was last changed, in seconds since the epoch."""
        path = self.root / name
        size = sum(each.lstat().st_size for each in (path, *path.rglob("*")) if each.is_file())
        return size, path.stat().st_mtime

    def publish(
        self, partial: Path, folder: str, manifest: str, seal: Callable[[dict[str, object]], str]
    ) -> bool:
        """Turn a local folder into a folder here by one rename, its manifest within it."""
        fault("store.before_manifest")
        write_atomic(partial / manifest, seal({}))
        final = self.root / folder
        final.parent.mkdir(parents=True, exist_ok=True)
        fault("store.before_rename")
        try:
            partial.rename(final)
        except OSError:
            if not (final / manifest).exists():
                raise
            shutil.rmtree(partial)
            return False
        return True

    def move(self, folder: str, aside: str) -> None:
        """Move a folder away as a whole."""
        if not (self.root / folder).exists():
            return
        (self.root / aside).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else has just done it
            (self.root / folder).rename(self.root / aside)
            os.utime(self.root / aside)  # since when it lies there
