"""This is where a process of a stage's work learns which of them it is."""

from __future__ import annotations

from dataclasses import dataclass

from xtr.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class World:
    """Who runs the loop: this process's rank among `size`, and the device it trains on."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @classmethod
    def here(cls, device: str) -> World:
        """Be the only process, on `cpu`, `cuda`, or `auto`: the GPU where there is one.

        Raises:
            InputError: there is no such device here.
        """
        import torch

        found = ["cuda"] if torch.cuda.is_available() else []
        if device not in ("auto", "cpu", *found):
            allowed = ", ".join(("auto", "cpu", *found))
            raise InputError(Problem("no such device on this machine", "device", device, allowed))
        return cls(device=[*found, "cpu"][0] if device == "auto" else device)

    @property
    def leads(self) -> bool:
        """The first rank scores and saves."""
        return self.rank == 0
