"""This is where things get their names: canonical JSON, digests and derived seeds.

digest({"task": "mnli", "epochs": 2})        -> 64 hex characters, the same on every machine
derive_seed(13, "mnli", "order")             -> an int below 2**63, independent per purpose
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


def canonical_json(value: object) -> str:
    """Write a JSON value in the one form that is hashed: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Hash a JSON value with SHA-256 over its canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def checked_json(document: Mapping[str, JSON]) -> str:
    """Write a JSON object that carries the digest of its own text, so that damage to any byte of it shows."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return json.dumps({**document, "digest": digest(text)}, indent=1, ensure_ascii=False)


def read_checked_json(content: bytes) -> dict[str, JSON]:
    """Read what `checked_json` wrote.

    Raises:
        ValueError: the content is not, byte for byte, what was written.
    """
    text = content.decode()
    read = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError("no object")
    document: dict[str, JSON] = {name: value for name, value in read.items() if name != "digest"}
    if checked_json(document) != text:
        raise ValueError("its digest is of another text")
    return document


def file_digest(path: Path) -> str:
    """Hash a file's bytes with SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_digest(path: Path) -> str:
    """Hash a file once a process, and again only when its size or its time has changed."""
    stat = path.stat()
    return _digest_at(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest_at(path: Path, _size: int, _modified_ns: int) -> str:
    return file_digest(path)


def derive_seed(*parts: str | int) -> int:
    """Derive an independent random seed from its purpose; equal parts give equal seeds."""
    return int(digest(list(parts))[:15], 16)
