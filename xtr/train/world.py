"""This is where a process of a stage's work learns which of them it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class World:
    """Who runs the loop: this process's rank among `size`, and the device it trains on."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """The first rank scores and saves."""
        return self.rank == 0
