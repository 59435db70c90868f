"""This is where a process learns which of those it is that share a model's work, and on what device."""

from __future__ import annotations

from dataclasses import dataclass

from xtr.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class World:
    """Who computes: this process's rank among `size`, and its device.

    Attributes:
        sharded: each rank holds a part of the model's weights, so all must take part in each of its passes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    sharded: bool = False

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
        """The first rank collects, scores and saves."""
        return self.rank == 0
