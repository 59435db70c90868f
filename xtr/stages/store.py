"""This is where finished stages lie, by key.

    stages/<key>/manifest.json     recipe, result, files with their SHA-256, how it was made
    stages/<key>/encoder/...       what from_pretrained reads (training stages)
    progress/<key>/step-.../       states of a run that has not finished
    leases/<key>                   who computes it now

A stage appears by one rename of a folder whose manifest was written last, so it is whole or absent.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from xtr.errors import CorruptArtefact
from xtr.fingerprint import JSON, file_digest
from xtr.stages.lease import HEARTBEAT_S, Lease, Watch
from xtr.stages.stage import Stage
from xtr.storage import write_atomic

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished stage says of itself.

    Attributes:
        result: what the stage came to (epochs with losses and scores, or metric values).
        files: SHA-256 by path below the stage's folder.
        made: device, threads, versions and seconds; never part of the key.
    """

    key: str
    recipe: dict[str, JSON]
    result: dict[str, JSON]
    files: dict[str, str]
    made: dict[str, JSON] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


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

    def keys(self) -> set[str]:
        """Name every finished stage, by one listing."""
        return {path.parent.name for path in self.root.glob(f"stages/*/{MANIFEST}")}

    def read(self, key: str) -> Manifest | None:
        """Read a finished stage's manifest; None where the stage is absent."""
        try:
            document = json.loads((self.folder(key) / MANIFEST).read_text())
            return Manifest(**document)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise CorruptArtefact(f"{self.folder(key) / MANIFEST} is not a manifest: {error}") from error

    def open(self, key: str) -> Manifest | None:
        """Read a finished stage and check every file's hash; a corrupt one is moved aside and None returned."""
        try:
            manifest = self.read(key)
            if manifest is not None and key not in self._verified:
                self._verify(manifest)
        except CorruptArtefact:
            self._quarantine(key)
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
        manifest = Manifest(stage.key, stage.recipe, result, files, made)
        write_atomic(partial / MANIFEST, json.dumps(asdict(manifest), indent=1, ensure_ascii=False))
        final = self.folder(stage.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists() and not self.has(stage.key):  # what is left of a stage without its manifest
            self._quarantine(stage.key)
        try:
            partial.rename(final)
        except OSError:
            if not self.has(stage.key):
                raise
            shutil.rmtree(partial)
        shutil.rmtree(self.progress_folder(stage.key), ignore_errors=True)
        return self.read(stage.key) or manifest

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

    def _quarantine(self, key: str) -> None:
        aside = self.root / "quarantine" / f"{key}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else has just done it
            self.folder(key).rename(aside)
