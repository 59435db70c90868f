"""Where the genuine data lie: `shared/data` beside the repository, or the folder that XTR_SHARED_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(os.environ.get("XTR_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def needs_shared_data(folder: str = "") -> pytest.MarkDecorator:
    """Skip a test, or with `pytestmark` a whole module, on machines without the data."""
    path = SHARED_DATA / folder
    return pytest.mark.skipif(not path.is_dir(), reason=f"no genuine data at {path}")
