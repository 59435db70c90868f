"""This is where it stands what every storage can do, for stages, leases and locks to build on.

Names are relative, with slashes: `stages/ab12/manifest.json`. Two storages have them: `posix` (a folder) and
`objects` (a bucket, or whatever else fsspec opens).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Texts and folders under names; what is there is whole.

    Attributes:
        uri: where it lies, for people.
        heartbeat_s: seconds between two signs of life that a lease here is expected to show.
    """

    uri: str
    heartbeat_s: float

    def exists(self, name: str) -> bool:
        """Say whether there is a text of this name."""
        ...

    def read(self, name: str) -> str | None:
        """Read a text; None where there is none.

        Raises:
            UnicodeDecodeError: it is no text.
        """
        ...

    def read_bytes(self, name: str) -> bytes | None:
        """Read what a name holds; None where there is nothing."""
        ...

    def write(self, name: str, text: str, *, synced: bool = True) -> None:
        """Write a text whole, replacing what was there.

        Args:
            synced: wait until it outlasts a power cut, where that is a question.
        """
        ...

    def create(self, name: str, text: str) -> bool:
        """Write a text unless the name is taken, and say whether this call did; of many creators one wins.

        A text that names its writer makes it safe to ask again after a lost answer: its own counts as created.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a text, or a folder with all below it; nothing where it is absent."""
        ...

    def remove_if(self, name: str, text: str) -> bool:
        """Remove a text if this is still what it says, and say whether it was removed."""
        ...

    def names(self, folder: str) -> set[str]:
        """List what lies directly in a folder."""
        ...

    def folders_with(self, folder: str, name: str) -> set[str]:
        """List the folders directly in a folder that hold a text of this name, in one go."""
        ...

    def weigh(self, name: str) -> tuple[int, float]:
        """Count the bytes of a text or folder, and say when it was last changed, in seconds since the epoch."""
        ...

    def publish(
        self, partial: Path, folder: str, manifest: str, seal: Callable[[dict[str, object]], str]
    ) -> bool:
        """Turn a local folder of files into a folder here, unless it exists; say whether this call did.

        Args:
            manifest: name of the text that makes the folder count; it appears last, or together with the files.
            seal: writes that text, told what the storage must remember to find the files again.
        """
        ...

    def move(self, folder: str, aside: str) -> None:
        """Move a folder away as a whole; nothing where it is absent."""
        ...
