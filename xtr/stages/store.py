"""This is where finished stages lie, by key.

    stages/<key>/manifest.json     recipe, result, files with their SHA-256, how it was made, its own digest
    stages/<key>/encoder/...       what from_pretrained reads (training stages)
    progress/<key>/step-.../       states of a run that has not finished
    leases/<key>                   who computes it now
    quarantine/<key>-.../          what was not what its manifest says

In a folder a stage appears by one rename. In a bucket its files lie in stages/<key>/<token>/, which the manifest
names; this machine's copies of them lie below the workplace. Either way a stage is whole or absent.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from xtr.errors import CorruptArtefact
from xtr.faults import fault
from xtr.fingerprint import JSON, checked_json, file_digest, read_checked_json
from xtr.stages.progress import StateCopies
from xtr.stages.stage import Stage, stage_key
from xtr.storage import exclusive
from xtr.storage.lease import Lease, Watch, remove_if_dead, runs
from xtr.storage.posix import PosixStorage
from xtr.storage.workplace import Workplace, workplace

MANIFEST = "manifest.json"
SCHEMA_VERSION = 2
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished stage says of itself.

    Attributes:
        result: what the stage came to (epochs with losses and scores, or metric values).
        files: SHA-256 by path below the stage's folder; `sizes` has their bytes.
        made: device, threads, versions and seconds; never part of the key.
        placed: where a bucket holds the files, and their marks there.
    """

    key: str
    recipe: dict[str, JSON]
    result: dict[str, JSON]
    files: dict[str, str]
    made: dict[str, JSON] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    placed: dict[str, JSON] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


def manifest_of(content: bytes, key: str) -> Manifest:
    """Read a manifest, of which every byte must be as it was written for the stage of this key.

    Raises:
        CorruptArtefact: the content is damaged, or its recipe does not hash to the key.
    """
    try:
        manifest = Manifest(**read_checked_json(content))  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise CorruptArtefact(f"it is not a manifest: {error}") from error
    if manifest.key != key or stage_key(manifest.recipe) != key:
        raise CorruptArtefact(f"its recipe is that of {stage_key(manifest.recipe)}, not of {key}")
    return manifest


class StageStore:
    """The stages below one root: a folder, or a workplace whose store may be a bucket.

    Attributes:
        root: folder on this machine; the store itself where that is a folder.
    """

    def __init__(self, root: Path | Workplace) -> None:
        self.place = root if isinstance(root, Workplace) else workplace(root)
        self.root = self.place.here
        self._store, self._bucket = self.place.store, self.place.bucket
        self._sound: set[str] = set()
        self._here: set[str] = set()

    def uri(self, key: str) -> str:
        """Where a finished stage lies in the store, for people."""
        return f"{self._store.uri}/stages/{key}"

    def folder(self, key: str) -> Path:
        """Where a finished stage's files lie on this machine; those of a bucket are fetched first."""
        return self.root / "stages" / key if self._bucket is None else self.checked(key)

    def checked(self, key: str) -> Path:
        """Give the folder of a finished stage whose every file has been checked by this process.

        Raises:
            CorruptArtefact: it is absent, or was damaged and has been set aside.
        """
        manifest = self.open(key)
        if manifest is not None and key not in self._here:
            manifest = self._guarded(manifest, self._bring_here)
        if manifest is None:
            raise CorruptArtefact(
                f"{self.uri(key)} is absent, or was damaged and is set aside; who needs it makes it anew"
            )
        return self.root / "stages" / key

    def progress_folder(self, key: str) -> Path:
        """Where states of an unfinished run lie on this machine; the newest of a bucket is fetched first."""
        folder = self.root / "progress" / key
        if self._bucket is not None:
            StateCopies(self._bucket, f"progress/{key}", folder).fetch()
        return folder

    @contextmanager
    def keeping_states(self, key: str) -> Iterator[Callable[[], None]]:
        """Lend what is to be told of each saved state, which is in the store at the latest by the block's end."""
        if self._bucket is None:
            yield lambda: None
        else:
            with StateCopies(self._bucket, f"progress/{key}", self.root / "progress" / key).kept() as saved:
                yield saved

    def keys(self) -> set[str]:
        """List the finished stages, in one go."""
        return self._store.folders_with("stages", MANIFEST)

    def has(self, key: str) -> bool:
        """Say whether a stage is finished, without opening its files."""
        return self._store.exists(_manifest(key))

    def read(self, key: str) -> Manifest | None:
        """Read a finished stage's manifest; None where the stage is absent.

        Raises:
            CorruptArtefact: the manifest is damaged, or another stage's.
        """
        content = self._store.read_bytes(_manifest(key))
        try:
            return None if content is None else manifest_of(content, key)
        except CorruptArtefact as error:
            raise CorruptArtefact(f"{self.uri(key)}/{MANIFEST}: {error}") from error

    def open(self, key: str) -> Manifest | None:
        """Read a finished stage, checked once a process; a corrupt one is moved aside and None returned.

        Every file in a folder is hashed. A bucket says itself whether its files are those that were uploaded;
        if it cannot, and before they are used, they are fetched and hashed.
        """
        try:
            manifest = self.read(key)
        except CorruptArtefact:
            self.set_aside(key)
            return None
        if manifest is None or key in self._sound:
            return manifest
        return self._guarded(manifest, self._check)

    def publish(
        self, stage: Stage, partial: Path, result: dict[str, JSON], made: dict[str, JSON]
    ) -> Manifest:
        """Turn a folder of files into the finished stage, unless somebody was faster."""
        paths = sorted(path for path in partial.rglob("*") if path.is_file())
        files = {path.relative_to(partial).as_posix(): file_digest(path) for path in paths}
        sizes = {name: (partial / name).stat().st_size for name in files}
        manifest = Manifest(stage.key, stage.recipe, result, files, made, sizes)
        if self._bucket is None and not self.has(stage.key):  # what is left of a stage without its manifest
            self.set_aside(stage.key)

        def seal(placed: Mapping[str, object]) -> str:
            return _text(replace(manifest, placed=_json(placed)))

        won = self._store.publish(partial, f"stages/{stage.key}", MANIFEST, seal)
        if won and self._bucket is not None:
            self._take_in(stage.key, partial)
        fault("store.published")
        self.drop_states(stage.key)
        fault("store.progress_removed")
        return self.read(stage.key) or manifest

    def drop_states(self, key: str) -> None:
        """Forget the states of a run."""
        shutil.rmtree(self.root / "progress" / key, ignore_errors=True)
        if self._bucket is not None:
            self._bucket.remove(f"progress/{key}")

    def remove(self, key: str) -> None:
        """Take a finished stage away: first what makes it count, then its files, here too."""
        if self._bucket is not None:
            self._bucket.remove(_manifest(key))
            _remove_folder(self.root / "stages" / key)
        self._store.remove(f"stages/{key}")
        self._sound.discard(key)
        self._here.discard(key)

    def set_aside(self, key: str, found: Manifest | None = None) -> None:
        """Move a broken stage to quarantine/, so that it is absent and can be made again.

        Args:
            found: what was broken; left alone if somebody has set it aside and made it anew meanwhile.
        """
        self._sound.discard(key)
        self._here.discard(key)
        with suppress(CorruptArtefact):
            if found is not None and self.read(key) != found:
                return
        self._store.move(f"stages/{key}", f"quarantine/{key}-{uuid.uuid4().hex[:8]}")
        if self._bucket is not None:
            _remove_folder(self.root / "stages" / key)

    @contextmanager
    def copy_of(self, manifest: Manifest) -> Iterator[Path]:
        """Lend the very files that the store holds, to be looked at; nothing is set aside for what they are."""
        if self._bucket is None:
            yield self.root / "stages" / manifest.key
            return
        with self.workspace(manifest.key) as folder:
            with suppress(FileNotFoundError):
                self._bucket.fetch(_content(manifest), manifest.files, folder)
            yield folder

    @contextmanager
    def workspace(self, key: str) -> Iterator[Path]:
        """Lend an empty folder to build a stage in; what is not published is removed."""
        name = f"{key}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        folder = self.root / "partial" / name
        folder.mkdir(parents=True)
        fault("store.workspace_made")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def hand_over(self, folder: Path) -> None:
        """Send what a worker has built to the process that lent the folder, where that is on another machine."""
        if self._bucket is not None and not _lent_here(folder):
            self._bucket.put(folder, f"partial/{folder.name}")
            shutil.rmtree(folder, ignore_errors=True)

    def receive(self, folder: Path) -> None:
        """Take what a worker on another machine has built into the folder that was lent to it."""
        if self._bucket is not None and not any(folder.iterdir()):
            name = f"partial/{folder.name}"
            files = self._bucket.files(name)
            if not files:
                raise OSError(f"nothing has come from the worker that built {folder.name}")
            self._bucket.fetch(name, files, folder)
            self._bucket.remove(name)

    def claim(self, key: str, look: Callable[[], object] | None = None) -> Lease | None:
        """Wait until this process may compute a stage, or until it is finished.

        Args:
            look: called at every look at the holder; what it raises ends the wait.

        Returns:
            The lease, or None where the stage was finished by somebody else meanwhile.
        """
        name = f"leases/{key}"
        watch = Watch(self._store, name)
        while not self.has(key):
            if look is not None:
                look()
            if watch.stale():
                watch.remove()
            elif watch.held:
                watch.wait()
            elif (lease := Lease.claim(self._store, name)) is not None:
                if not self.has(key):
                    return lease
                lease.release()  # its last holder finished it after we had looked
        return None

    def claim_free(self, key: str) -> Lease | None:
        """Take a stage that is missing and that nobody holds, without waiting."""
        lease = None if self.has(key) else Lease.claim(self._store, f"leases/{key}")
        if lease is not None and self.has(key):
            lease.release()  # its last holder finished it after we had looked
            return None
        return lease

    def sweep_leftovers(self) -> int:
        """Remove what dead processes have left, and say how much that was.

        Left over are leases of processes that are gone from this machine, and what is half built and nobody holds
        a lease for, if its process is gone, too, or it is a day old.
        """
        n_removed = sum(
            remove_if_dead(self._store, f"leases/{key}") for key in sorted(self._store.names("leases"))
        )
        for folder in (self.root / "partial").glob("*-*-*-*"):
            key, host, pid = _builder(folder.name)
            if self._store.exists(f"leases/{key}"):
                continue
            gone = host == socket.gethostname() and not runs(pid)
            with suppress(FileNotFoundError):
                if gone or time.time() - folder.stat().st_mtime > DAY_S:
                    _remove_folder(folder)
                    n_removed += 1
        for name in self._bucket.names("partial") if self._bucket is not None else ():
            if not self._store.exists(f"leases/{_builder(name)[0]}"):
                self._store.remove(f"partial/{name}")
                n_removed += 1
        return n_removed

    def _guarded(self, manifest: Manifest, check: Callable[[Manifest], None]) -> Manifest | None:
        """Return a manifest whose files stand a check; else set the stage aside and return None."""
        try:
            check(manifest)
        except CorruptArtefact:
            self.set_aside(manifest.key, manifest)
            return None
        self._sound.add(manifest.key)
        return manifest

    def _check(self, manifest: Manifest) -> None:
        """Make sure of a finished stage's files, where they lie."""
        if self._bucket is None:
            if not _is_whole(self.root / "stages" / manifest.key, manifest.files):
                raise CorruptArtefact(f"{self.uri(manifest.key)} is not what its manifest says")
            self._here.add(manifest.key)
        else:
            there = self._bucket.marks(_content(manifest))
            if there != manifest.placed.get("marks"):  # it was altered, or copied from another bucket
                self._bring_here(manifest, anew=True)
                placed = {**manifest.placed, "marks": _json(there)}
                self._store.write(_manifest(manifest.key), _text(replace(manifest, placed=placed)))

    def _bring_here(self, manifest: Manifest, *, anew: bool = False) -> None:
        """Have a bucket's files on this machine, hashed; what was cut or altered on the way is fetched again.

        Args:
            anew: fetch them even if they are here, to learn what the bucket holds.
        """
        assert self._bucket is not None
        final = self.root / "stages" / manifest.key
        with exclusive(self.root / "fetching" / manifest.key):
            for _ in range(2):
                if not anew and _is_whole(final, manifest.files):
                    break
                with self.workspace(manifest.key) as folder, suppress(FileNotFoundError):
                    self._bucket.fetch(_content(manifest), manifest.files, folder)
                    if _is_whole(folder, manifest.files):
                        self._take_in(manifest.key, folder)
                        break
            else:
                raise CorruptArtefact(f"{self.uri(manifest.key)} is not what its manifest says")
        self._here.add(manifest.key)

    def _take_in(self, key: str, folder: Path) -> None:
        """Put files where this machine keeps a bucket's, in place of what is there."""
        final = self.root / "stages" / key
        _remove_folder(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # another process of this machine was faster
            folder.rename(final)


def _manifest(key: str) -> str:
    return f"stages/{key}/{MANIFEST}"


def _text(manifest: Manifest) -> str:
    return checked_json(asdict(manifest))


def _content(manifest: Manifest) -> str:
    return f"stages/{manifest.key}/{manifest.placed.get('folder')}"


def _json(placed: Mapping[str, object]) -> dict[str, JSON]:
    document: dict[str, JSON] = json.loads(json.dumps(placed))
    return document


def _is_whole(folder: Path, files: dict[str, str]) -> bool:
    return all((folder / name).is_file() and file_digest(folder / name) == sha for name, sha in files.items())


def _remove_folder(folder: Path) -> None:
    """Remove a folder of this machine at once, then its files."""
    PosixStorage(folder.parent).remove(folder.name)


def _builder(name: str) -> tuple[str, str, int]:
    """Read key, machine and process off a workspace's name; a machine's name may hold dashes."""
    key, _, rest = name.partition("-")
    host, pid, _ = rest.rsplit("-", 2)
    return key, host, int(pid) if pid.isdigit() else 0


def _lent_here(folder: Path) -> bool:
    return _builder(folder.name)[1] == socket.gethostname()
