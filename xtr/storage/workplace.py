"""This is where a storage root gets its two sides: what all machines share, and files on this one.

    workplace("runs")               the store is the folder runs, and so is what lies here
    workplace("s3://bucket/runs")   the store is the bucket; here is ~/.cache/xtr/<digest>, a working copy

What lies here of a bucket may be deleted while nothing runs: it is fetched again, and checked when it is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xtr.errors import InputError, Problem
from xtr.fingerprint import canonical_json, digest
from xtr.storage.interface import Storage
from xtr.storage.mirror import Mirror
from xtr.storage.objects import ObjectStorage, probe, refused
from xtr.storage.posix import PosixStorage


@dataclass(frozen=True)
class Workplace:
    """A storage root.

    Attributes:
        store: what all machines share.
        here: folder on this machine for data, sweeps and stages at work; the store's own where that is a folder.
        bucket: the store, where it is none of this machine's folders.
    """

    store: Storage
    here: Path
    bucket: ObjectStorage | None = None

    def sweep(self, name: str) -> Path:
        """Where the driver of a sweep works."""
        return self.here / "sweeps" / name

    def sweeps(self) -> list[str]:
        """Name the sweeps that have been run below this root."""
        file = "index.json" if self.bucket else "spec.yaml"
        return sorted(self.store.folders_with("sweeps", file))

    def read_sweep(self, name: str) -> Path:
        """Give a folder with a sweep's files to read from: of a bucket a copy apart, that no driver works in."""
        if self.bucket is None:
            return self.sweep(name)
        view = self.here / "views" / name
        Mirror(self.bucket, f"sweeps/{name}", view).fetch()
        return view

    def check_readable(self) -> None:
        """Look whether the store answers.

        Raises:
            InputError: why not, and the next step.
        """
        if self.bucket is not None:
            try:
                self.bucket.reach()
            except OSError as error:
                raise refused(self.bucket, error) from error

    def check_writable(self) -> None:
        """Try the store before any work.

        Raises:
            InputError: it cannot be written, or does not tell two creators of one name apart.
        """
        if self.bucket is None:
            return
        if self.bucket.uri.startswith("memory://"):
            raise InputError(
                Problem(
                    "memory is this process's own, and a sweep's trials run in others",
                    "storage.root",
                    self.bucket.uri,
                    "a folder, or s3://bucket/prefix",
                )
            )
        probe(self.bucket)


def is_uri(root: str) -> bool:
    """Say whether a root names something else than a folder."""
    return "://" in root


def known_schemes() -> frozenset[str]:
    """Name the kinds of URI that fsspec knows, `s3` for one."""
    import fsspec

    return frozenset(fsspec.available_protocols())


def workplace(
    root: str | Path, options: Mapping[str, Any] | None = None, cache: str | None = None
) -> Workplace:
    """Open a storage root: a folder, or a URI that fsspec knows.

    Args:
        root: a folder, `file:///folder`, or `s3://bucket/prefix`.
        options: for fsspec's file system.
        cache: folder for working copies of buckets; by default XTR_CACHE, or ~/.cache/xtr.

    Raises:
        InputError: the scheme is unknown, or its package is not installed.
    """
    text = str(root).removeprefix("file://")
    if not is_uri(text):
        here = Path(text).expanduser().resolve()
        return Workplace(PosixStorage(here), here)
    base = cache or os.environ.get("XTR_CACHE") or "~/.cache/xtr"
    return _bucket(text, canonical_json(dict(options or {})), str(Path(base).expanduser().resolve()))


@lru_cache(maxsize=16)
def _bucket(uri: str, options: str, cache: str) -> Workplace:
    bucket = ObjectStorage(uri, json.loads(options))
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return Workplace(bucket, Path(cache) / digest([bucket.uri, options, endpoint])[:16], bucket)
