"""This is where a sweep's data section becomes a source."""

from __future__ import annotations

from pathlib import Path

from xtr.data.demo.source import DemoSource
from xtr.data.hubsource import HubSource
from xtr.data.official import OfficialSource
from xtr.data.source import ReadOnce, Source
from xtr.spec.sweep import DataSpec
from xtr.storage.workplace import Workplace, workplace


def open_source(data: DataSpec, root: Path | Workplace, *, resolve: bool = True) -> Source:
    """Open the data that a sweep asks for.

    Args:
        data: the sweep's data section.
        root: the storage root, where the demo world, fetched splits and the hub's locked revisions are kept.
        resolve: ask the hub for revisions that are not locked yet; a plan asks nobody.
    """
    place = root if isinstance(root, Workplace) else workplace(root)
    if data.source == "demo":
        return ReadOnce(DemoSource(place.here / "data", seed=data.demo_seed, scale=data.demo_scale))
    if data.source == "hub":
        return ReadOnce(HubSource(place, data.hub_folders, resolve=resolve, skip_bad=data.skip_bad))
    assert data.official_root is not None  # checked when the sweep file was read
    folder = Path(data.official_root).expanduser()
    return ReadOnce(OfficialSource(folder, data.folders, data.files, data.skip_bad))
