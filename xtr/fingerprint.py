"""This is where things get their names: canonical JSON, digests and derived seeds.

digest({"task": "mnli", "epochs": 2})        -> 64 hex characters, the same on every machine
derive_seed(13, "mnli", "order")             -> an int below 2**63, independent per purpose
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


def canonical_json(value: object) -> str:
    """Write a JSON value in the one form that is hashed: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Hash a JSON value with SHA-256 over its canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def content_digest(document: object) -> str:
    """Hash a JSON document as it will be read again, not-a-number included: to check it, not to name it."""
    read = json.loads(json.dumps(document))
    return hashlib.sha256(json.dumps(read, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


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
