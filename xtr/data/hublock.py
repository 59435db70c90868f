"""This is where revisions of the Hugging Face hub are locked: resolved once, then the same for ever.

    lock = HubLock(workplace("runs").store, resolve)
    lock.revision("datasets", "facebook/xnli")     -> the commit that was there at first use

The lock, `data/hub.lock.json`, lies in the store, so that every sweep, worker and machine reads one revision.
A newer one is taken by deleting the entry, or the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from xtr.errors import InputError, Problem
from xtr.storage.interface import Storage
from xtr.storage.lease import hold

SCHEMA_VERSION = 1
LOCK, GUARD = "data/hub.lock.json", "leases/hub.lock"
UNLOCKED = "unlocked"
"""Stands for the revision of what has not been used yet; no stage that was computed carries it."""

Kind = Literal["datasets", "models"]
Resolve = Callable[[Kind, str], str]
Entries = dict[str, dict[str, dict[str, str]]]


def hub_is_offline() -> bool:
    """Say whether the hub is never asked, as its library reads HF_HUB_OFFLINE."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


class HubLock:
    """Commits by data set and model id.

    Attributes:
        resolve: asks the hub for the present commit; None where nothing may be asked.
    """

    def __init__(self, store: Storage, resolve: Resolve | None = None) -> None:
        self.store = store
        self.resolve = resolve
        self._known: dict[tuple[Kind, str], str] = {}

    def revision(self, kind: Kind, name: str) -> str:
        """Return the locked commit; resolve and lock it first where it is not, or return `unlocked`.

        Raises:
            InputError: the hub cannot say, or the lock file is malformed.
        """
        known = self._known.get((kind, name)) or _commit(self._read(), kind, name)
        if known is None:
            if self.resolve is None:
                return UNLOCKED
            known = self._lock(kind, name, self.resolve(kind, name))
        self._known[kind, name] = known
        return known

    def _lock(self, kind: Kind, name: str, commit: str) -> str:
        """Enter a commit, unless somebody was faster; return the one that counts."""
        with hold(self.store, GUARD):
            entries = self._read()
            first = _commit(entries, kind, name)
            if first is not None:
                return first
            entries.setdefault(kind, {})[name] = {
                "revision": commit,
                "locked": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            document = {"schema_version": SCHEMA_VERSION, **entries}
            self.store.write(LOCK, json.dumps(document, indent=1, sort_keys=True) + "\n")
        return commit

    def _read(self) -> Entries:
        try:
            text = self.store.read(LOCK)
            document = json.loads(text) if text is not None else {}
            return {
                kind: {name: dict(entry) for name, entry in document.get(kind, {}).items()}
                for kind in ("datasets", "models")
            }
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(
                Problem(
                    "this is not a lock file",
                    f"{self.store.uri}/{LOCK}",
                    str(error),
                    hint="delete it to lock anew",
                )
            ) from error


def _commit(entries: Entries, kind: Kind, name: str) -> str | None:
    return entries.get(kind, {}).get(name, {}).get("revision")
