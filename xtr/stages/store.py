"""This is where finished stages lie, by key.

    stages/<key>/manifest.json     recipe, result, files with their SHA-256, how it was made, its own digest
    stages/<key>/encoder/...       what from_pretrained reads (training stages)
    progress/<key>/step-.../       states of a run that has not finished
    leases/<key>                   who computes it now

A stage appears by one rename of a folder whose manifest was written last, so it is whole or absent.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from xtr.errors import CorruptArtefact
from xtr.fingerprint import JSON, checked_json, file_digest, read_checked_json
from xtr.stages.lease import HEARTBEAT_S, Lease, Watch
from xtr.stages.stage import Stage, stage_key
from xtr.storage import write_atomic

MANIFEST = "manifest.json"
SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished stage says of itself.

    Attributes:
        result: what the stage came to (epochs with losses and scores, or metric values).
        files: SHA-256 by path below the stage's folder; `sizes` has their bytes.
        made: device, threads, versions and seconds; never part of the key.
    """

    key: str
    recipe: dict[str, JSON]
    result: dict[str, JSON]
    files: dict[str, str]
    made: dict[str, JSON] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
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
    """The stages below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[str] = set()

    def folder(self, key: str) -> Path:
        """Where a finished stage lies."""
        return self.root / "stages" / key

    def progress_folder(self, key: str) -> Path:
        """Where states of an unfinished run lie."""
        return self.root / "progress" / key

    def has(self, key: str) -> bool:
        """Say whether a stage is finished, without opening its files."""
        return (self.folder(key) / MANIFEST).exists()

    def read(self, key: str) -> Manifest | None:
        """Read a finished stage's manifest; None where the stage is absent.

        Raises:
            CorruptArtefact: the manifest is damaged, or another stage's.
        """
        path = self.folder(key) / MANIFEST
        try:
            return manifest_of(path.read_bytes(), key)
        except FileNotFoundError:
            return None
        except CorruptArtefact as error:
            raise CorruptArtefact(f"{path}: {error}") from error

    def open(self, key: str) -> Manifest | None:
        """Read a finished stage and check every file's hash; a corrupt one is moved aside and None returned."""
        try:
            manifest = self.read(key)
            if manifest is not None and key not in self._verified:
                self._verify(manifest)
        except CorruptArtefact:
            self.set_aside(key)
            return None
        if manifest is not None:
            self._verified.add(key)
        return manifest

    def publish(
        self, stage: Stage, partial: Path, result: dict[str, JSON], made: dict[str, JSON]
    ) -> Manifest:
        """Turn a folder of files into the finished stage, unless somebody was faster."""
        paths = sorted(path for path in partial.rglob("*") if path.is_file())
        files = {path.relative_to(partial).as_posix(): file_digest(path) for path in paths}
        sizes = {name: (partial / name).stat().st_size for name in files}
        manifest = Manifest(stage.key, stage.recipe, result, files, made, sizes)
        write_atomic(partial / MANIFEST, checked_json(asdict(manifest)))
        final = self.folder(stage.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists() and not self.has(stage.key):  # what is left of a stage without its manifest
            self.set_aside(stage.key)
        try:
            partial.rename(final)
        except OSError:
            if not self.has(stage.key):
                raise
            shutil.rmtree(partial)
        shutil.rmtree(self.progress_folder(stage.key), ignore_errors=True)
        return self.read(stage.key) or manifest

    def keys(self) -> set[str]:
        """List the finished stages, by one look at the folder."""
        try:
            return {entry.name for entry in os.scandir(self.root / "stages") if entry.is_dir()}
        except FileNotFoundError:
            return set()

    def remove(self, key: str) -> None:
        """Take a finished stage away: it is absent at once, then its files go."""
        aside = self.root / "partial" / f"{key}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else has just done it
            self.folder(key).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        self._verified.discard(key)

    @contextmanager
    def workspace(self, key: str) -> Iterator[Path]:
        """Lend an empty folder to build a stage in; what is not published is removed."""
        folder = self.root / "partial" / f"{key}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def claim(self, key: str) -> Lease | None:
        """Wait until this process may compute a stage, or until it is finished.

        Returns:
            The lease, or None where the stage was finished by somebody else meanwhile.
        """
        path = self.root / "leases" / key
        watch = Watch(path)
        while not self.has(key):
            lease = Lease.claim(path)
            if lease is not None:
                if not self.has(key):
                    return lease
                lease.release()  # its last holder finished it after we had looked
            elif watch.stale():
                watch.remove()
            else:
                watch.wait(HEARTBEAT_S / 10)
        return None

    def _verify(self, manifest: Manifest) -> None:
        folder = self.folder(manifest.key)
        for name, sha in manifest.files.items():
            path = folder / name
            if not path.exists() or file_digest(path) != sha:
                raise CorruptArtefact(f"{path} is not what its manifest says")

    def set_aside(self, key: str) -> None:
        """Move a broken stage to quarantine/, so that it is absent and can be made again."""
        aside = self.root / "quarantine" / f"{key}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else has just done it
            self.folder(key).rename(aside)
            os.utime(aside)  # since when it lies there
