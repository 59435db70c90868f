"""This is where a storage is a bucket: S3, what speaks S3, and whatever else fsspec opens.

Nothing is renamed there. A folder is uploaded under a name of its own, then the one text that points at it is
created if absent: `stages/<key>/<token>/...`, then `stages/<key>/manifest.json`. Two writers never mix files.
Whatever goes wrong on the way is an OSError; fsspec tries again by itself before it says so.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from xtr.errors import InputError, Problem

HEARTBEAT_S = 5.0
"""Longer than on a file system, because every beat is two requests."""
CONFLICTS = 5
"""How often a creation is tried again that met another one in flight (S3's 409)."""


class ObjectStorage:
    """What lies below a URI, `s3://bucket/prefix`; a `Storage`.

    Args:
        options: what fsspec's file system is made with, `endpoint_url` for one; credentials come from the
            environment.

    Raises:
        InputError: the scheme is unknown, or its package is not installed.
    """

    heartbeat_s = HEARTBEAT_S

    def __init__(self, uri: str, options: Mapping[str, Any] | None = None) -> None:
        self.uri = uri.rstrip("/")
        self.fs = _file_system(uri, dict(options or {}))
        self.prefix: str = self.fs._strip_protocol(self.uri)

    def exists(self, name: str) -> bool:
        """Say whether there is a text of this name."""
        return self.read_bytes(name) is not None

    def read(self, name: str) -> str | None:
        """Read a text; None where there is none."""
        content = self.read_bytes(name)
        return None if content is None else content.decode()

    def read_bytes(self, name: str) -> bytes | None:
        """Read what a name holds, in one request: without a range, s3fs would ask for the size first."""
        try:
            with _os_errors():
                content: bytes = self.fs.cat_file(self._path(name), start=0)
        except FileNotFoundError:
            return None
        except OSError as error:
            if _code(error) != "InvalidRange":
                raise
            return b""
        return content

    def write(self, name: str, text: str, *, synced: bool = True) -> None:
        """Write a text whole, replacing what was there."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write bytes whole."""
        with _os_errors():
            self.fs.pipe_file(self._path(name), content)

    def create(self, name: str, text: str) -> bool:
        """Write a text unless the name is taken, by the store's own conditional write."""
        for _ in range(CONFLICTS):
            try:
                with _os_errors():
                    self.fs.pipe_file(self._path(name), text.encode(), mode="create")
            except FileExistsError:
                break
            except OSError as error:
                if _code(error) != "ConditionalRequestConflict":
                    raise
            else:
                return True
        return self.read(name) == text  # the answer to an earlier try may have been lost

    def remove(self, name: str) -> None:
        """Remove a text, or a folder with all below it."""
        self._remove(self._find(name))

    def remove_if(self, name: str, text: str) -> bool:
        """Remove a text if this is still what it says; between look and removal it may change, unseen."""
        said = self.read_bytes(name)
        same = said is not None and said.decode(errors="replace") == text
        if same:
            with suppress(FileNotFoundError), _os_errors():
                self.fs.rm_file(self._path(name))
        return same

    def names(self, folder: str) -> set[str]:
        """List what lies directly in a folder."""
        with _os_errors():
            try:
                paths: list[str] = self.fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return set()
        return {path.rstrip("/").rpartition("/")[2] for path in paths}

    def folders_with(self, folder: str, name: str) -> set[str]:
        """List the folders directly in a folder that hold a text of this name, in one listing."""
        parts = [path.split("/") for path in self._find(folder)]
        depth = len(self._path(folder).split("/"))
        return {each[depth] for each in parts if len(each) == depth + 2 and each[-1] == name}

    def publish(
        self, partial: Path, folder: str, manifest: str, seal: Callable[[dict[str, object]], str]
    ) -> bool:
        """Upload a local folder under a name of its own and create the manifest that points at it.

        The winner removes what killed uploads have left, the loser its own upload.
        """
        token = uuid.uuid4().hex[:12]
        self.put(partial, f"{folder}/{token}")
        marks = self.marks(f"{folder}/{token}")
        won = self.create(f"{folder}/{manifest}", seal({"folder": token, "marks": marks}))
        others = self.names(folder) - {token, manifest} if won else {token}
        for each in others:
            self.remove(f"{folder}/{each}")
        return won

    def move(self, folder: str, aside: str) -> None:
        """Copy a folder within the store and remove it."""
        paths = self._find(folder)
        copies = [self._path(aside) + path.removeprefix(self._path(folder)) for path in paths]
        with suppress(FileNotFoundError), _os_errors():
            for path, copy in zip(paths, copies, strict=True):
                self.fs.cp_file(path, copy)
        self._remove(paths)

    def reach(self) -> None:
        """Ask the store for anything at all.

        Raises:
            OSError: it does not answer, refuses, or has no such bucket.
        """
        self._find("probe")

    def put(self, folder: Path, name: str) -> None:
        """Upload every file below a local folder."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        there = [f"{self._path(name)}/{path.relative_to(folder).as_posix()}" for path in paths]
        if paths:
            with _os_errors():
                self.fs.put([str(path) for path in paths], there)

    def fetch(self, name: str, files: Collection[str], folder: Path) -> None:
        """Download files below a name into a local folder.

        Raises:
            FileNotFoundError: one of them is not there.
        """
        here = [folder / file for file in files]
        for parent in {path.parent for path in here}:
            parent.mkdir(parents=True, exist_ok=True)
        if here:
            with _os_errors():
                self.fs.get([f"{self._path(name)}/{file}" for file in files], [str(path) for path in here])

    def marks(self, name: str) -> dict[str, str]:
        """Return what tells, without a download, that the files below a name are the ones once uploaded.

        It is the size and the store's own ETag; of a store without them, nothing is known of a file.
        """
        start = len(self._path(name)) + 1
        return {path[start:]: _mark(info) for path, info in self._find_in_detail(name).items()}

    def weigh(self, name: str) -> tuple[int, float]:
        """Count the bytes of a text or folder, and say when it was last changed, in seconds since the epoch.

        A store that does not say when has only just been changed.
        """
        found = [*self._find_in_detail(name).values()]
        times = [info.get("LastModified") or info.get("created") for info in found]
        stamps = [each.timestamp() for each in times if isinstance(each, datetime)]
        return sum(int(info.get("size") or 0) for info in found), max(stamps, default=time.time())

    def files(self, name: str) -> set[str]:
        """List the files below a name."""
        return {path.removeprefix(f"{self._path(name)}/") for path in self._find(name)}

    def _path(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _find(self, name: str) -> list[str]:
        return sorted(self._find_in_detail(name))

    def _find_in_detail(self, name: str) -> dict[str, dict[str, Any]]:
        with _os_errors():
            found: dict[str, dict[str, Any]] = self.fs.find(self._path(name), detail=True)
        return found

    def _remove(self, paths: list[str]) -> None:
        if paths:
            with suppress(FileNotFoundError), _os_errors():
                self.fs.rm(paths)


def probe(storage: ObjectStorage) -> None:
    """Find out before any work whether a store can be written and lets only one of two create a name.

    Raises:
        InputError: what is wrong, and the next step.
    """
    name = f"probe/{uuid.uuid4().hex}"
    try:
        first, second = storage.create(name, "first"), storage.create(name, "second")
        storage.remove(name)
    except OSError as error:
        raise refused(storage, error) from error
    if (first, second) != (True, False):
        raise InputError(
            Problem(
                "this store lets a name be created twice, so that two machines could not share stages",
                "storage.root",
                storage.uri,
                "S3 or a store that honours If-None-Match, or a folder that all machines share",
                "ask for a newer version of the store",
            )
        )


def refused(storage: ObjectStorage, error: OSError) -> InputError:
    """Say in words why a store cannot be used."""
    text = f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"
    if isinstance(error, FileNotFoundError):
        what, hint = "there is no such bucket", "make the bucket first, or mend its name"
    elif isinstance(error, PermissionError):
        what, hint = (
            "the store refuses",
            "look at the AWS_* credentials and the bucket's policy",
        )
    elif "Credentials" in text:
        what = "there are no credentials"
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine a role"
    else:
        what = "the store cannot be reached"
        hint = "look at the network, and at AWS_ENDPOINT_URL or storage.options.endpoint_url"
    return InputError(Problem(what, "storage.root", f"{storage.uri} ({text})", hint=hint))


def _file_system(uri: str, options: dict[str, Any]) -> Any:
    import fsspec

    scheme = uri.partition("://")[0]
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise InputError(
            Problem("unknown kind of storage", "storage.root", uri, "a folder, or s3://bucket/prefix")
        ) from error
    except ImportError as error:
        extra = "pip install 'xtr[s3]'" if scheme in ("s3", "s3a") else str(error)
        raise InputError(
            Problem("a package for this kind of storage is missing", "storage.root", uri, hint=extra)
        ) from error
    return kind(use_listings_cache=False, **options)


@contextmanager
def _os_errors() -> Iterator[None]:
    """Make an OSError of what a store's library raises, so that callers need not know the library."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _mark(info: Mapping[str, Any]) -> str:
    tag = info.get("ETag") or info.get("etag") or info.get("created") or uuid.uuid4().hex
    return f"{info.get('size')} {tag}"


def _code(error: OSError) -> str:
    """Name the store's own code for an error."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
