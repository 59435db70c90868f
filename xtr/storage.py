"""This is where files are written: whole or not at all.

Paths are those of one POSIX file system, local or shared (NFS, EFS). A reader sees the old content or the new,
never a part.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import BinaryIO


def folder_name(text: str) -> str:
    """Make a folder's name of an expression; a path within it becomes one word."""
    return text.strip("./~").replace("/", "--")


def write_atomic(path: Path, text: str) -> None:
    """Write a text file so that it appears whole under its name, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _write_synced(partial, text)
    partial.replace(path)


def create_if_absent(path: Path, text: str) -> bool:
    """Create a file with its whole content, unless it exists; return whether this call created it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _write_synced(partial, text)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True


def append_line(path: Path, line: str) -> None:
    """Append one line in a single write, after cutting off one that a crash has torn; one writer at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell() and not _ends_whole(file):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(f"{line}\n".encode())


def read_lines(path: Path) -> list[str]:
    """Read the whole lines of a file; an absent file has none, a last line without its end is left out."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]  # cut before decoding: a tear can split a character
    return whole.decode().split("\n")[:-1]


def _ends_whole(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
