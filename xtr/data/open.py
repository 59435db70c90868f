"""This is where a sweep's data section becomes a source."""

from __future__ import annotations

from pathlib import Path

from xtr.data.demo.source import DemoSource
from xtr.data.official import OfficialSource
from xtr.data.source import ReadOnce, Source
from xtr.spec.sweep import DataSpec


def open_source(data: DataSpec, root: Path) -> Source:
    """Open the data that a sweep asks for; `root` is the storage root, where the demo world is kept.

    The hub will be the third source here.
    """
    if data.source == "demo":
        return ReadOnce(DemoSource(root / "data", seed=data.demo_seed, scale=data.demo_scale))
    assert data.official_root is not None  # checked when the sweep file was read
    return ReadOnce(OfficialSource(Path(data.official_root).expanduser(), data.folders, data.files))
