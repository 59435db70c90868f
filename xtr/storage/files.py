"""This is where files are written: whole or not at all.

Paths are those of one POSIX file system, local or shared (NFS, EFS, Lustre). A reader sees the old content or the
new, never a part.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from xtr.faults import fault
from xtr.fingerprint import JSON, file_digest

MANIFEST = "manifest.json"


def folder_name(text: str) -> str:
    """Make a folder's name of an expression; a path within it becomes one word."""
    return text.strip("./~").replace("/", "--")


def write_atomic(path: Path, text: str, *, synced: bool = True) -> None:
    """Write a text file so that it appears whole under its name, replacing what was there.

    Args:
        synced: wait until it outlasts a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _write(partial, text, synced=synced)
    fault("text.before_rename")
    partial.replace(path)
    fault("text.after_rename")


def create_if_absent(path: Path, text: str) -> bool:
    """Create a file with its whole content, unless it exists; return whether this call created it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _write(partial, text, synced=True)
    try:
        os.link(partial, path)
    except FileExistsError:
        return partial.stat().st_nlink == 2  # NFS: the first answer was lost, and this is a second try's
    finally:
        partial.unlink()
    return True


def append_line(path: Path, line: str) -> None:
    """Append one line in a single write, after cutting off one that a crash has torn; one writer at a time."""
    append_lines(path, [line])


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines as `append_line` does, all in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell() and not _ends_whole(file):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        fault("line.before_write")
        file.write("".join(f"{line}\n" for line in lines).encode())


def read_lines(path: Path) -> list[str]:
    """Read the whole lines of a file; an absent file has none, a last line without its end is left out."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]  # cut before decoding: a tear can split a character
    return whole.decode().split("\n")[:-1]


def seal_folder(partial: Path, final: Path, about: dict[str, JSON]) -> None:
    """Turn a folder of files into `final`, its manifest with their hashes written last; the first to come wins."""
    paths = sorted(path for path in partial.rglob("*") if path.is_file())
    files = {path.relative_to(partial).as_posix(): file_digest(path) for path in paths}
    document = {"schema_version": 1, "about": about, "files": files}
    write_atomic(partial / MANIFEST, json.dumps(document, indent=1, ensure_ascii=False))
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.rename(final)
    except OSError:
        if not (final / MANIFEST).exists():
            raise
        shutil.rmtree(partial)


def open_sealed(folder: Path) -> dict[str, JSON] | None:
    """Return what a sealed folder says about itself; None where it is absent, or was broken and is now removed."""
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        about: dict[str, JSON] = document["about"]
        whole = all(file_digest(folder / name) == sha for name, sha in document["files"].items())
    except FileNotFoundError:
        whole = False
    except (ValueError, KeyError, TypeError):
        whole = False
    if whole:
        return about
    if folder.exists():
        aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        with suppress(OSError):  # somebody else has just done it
            folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
    return None


@contextmanager
def partial_folder(final: Path) -> Iterator[Path]:
    """Lend an empty folder beside `final` to build it in; what has not been sealed is removed."""
    folder = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_folder(partial: Path, final: Path) -> None:
    """Put a folder in the place of another, which goes: a reader finds the old one, none, or the new one whole."""
    aside = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    if final.exists():
        final.rename(aside)
    partial.rename(final)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time into a block, by an advisory lock on a file; a process that dies lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _ends_whole(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _write(path: Path, text: str, *, synced: bool) -> None:
    with path.open("w", encoding="utf-8") as file:
        fault("text.opened")
        file.write(text)
        fault("text.before_fsync")
        if synced:
            file.flush()
            os.fsync(file.fileno())
