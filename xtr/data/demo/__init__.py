"""The room for the demo world: a small synthetic XTREME whose truth is planted.

    prepare_world(Path("runs/data"), seed=0, scale=1.0)   -> runs/data/demo-3f2a9c01b7de/

Six languages say the same meanings: `en`; `xa` near, `xb` in the middle, `xc` far in words, `xd` far in words
and order; `xe` only helps to select the retrieval layer. What a sweep must find (`PLANTED`):

    squad_v1 helps tydiqa    the same questions, three times as many
    mnli     helps pawsx     both compare the verbs of two sentences; pawsx alone is too small to learn that
    csqa     does nothing    its answers are drawn by a die
    spelling hurts pawsx     after mnli: its labels are a matter of letters, so that meanings are unlearnt
    scores   near > far      xa above xb above xc above xd, where a task is learnt at all

The other tasks (copa, udpos, panx, tatoeba, bucc2018, lareqa) are plain: learnable, and without a planted
effect.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from xtr.data.demo.tasks import PLANTED, SIZES, Planted
from xtr.data.demo.world import LANGUAGES, SELECT_LANGUAGES, TARGET_LANGUAGES
from xtr.data.demo.write import write_world
from xtr.errors import InputError, Problem
from xtr.fingerprint import digest

__all__ = [
    "LANGUAGES",
    "PLANTED",
    "SELECT_LANGUAGES",
    "SIZES",
    "TARGET_LANGUAGES",
    "WORLD_VERSION",
    "Planted",
    "prepare_world",
    "world_identity",
    "write_world",
]

WORLD_VERSION = 2
"""Goes up whenever a written file changes; a golden test holds their digest."""

FILES_VERSION = 2
"""Goes up when files are added to those of a world, which stay as they are, as do the stages trained on them."""


def world_identity(seed: int, scale: float) -> str:
    """Name the content of a world: `demo@1/seed0/scale1`; equal names mean equal files.

    Raises:
        InputError: the scale is not above 0 and at most 1.
    """
    if not 0 < scale <= 1:
        problem = Problem("demo scale out of range", received=str(scale), allowed="above 0, at most 1")
        raise InputError(problem)
    return f"demo@{WORLD_VERSION}/seed{seed}/scale{scale:.12g}"


def prepare_world(root: Path, *, seed: int, scale: float) -> Path:
    """Write a world below a root once and return its folder; a complete folder is reused.

    The folder appears whole or not at all, and of two processes that write the same world one wins.

    Raises:
        InputError: the scale is not above 0 and at most 1.
    """
    folder = root / f"demo-{digest([world_identity(seed, scale), FILES_VERSION])[:12]}"
    if folder.is_dir():
        return folder
    partial = root / f".{folder.name}.partial-{uuid.uuid4().hex}"
    try:
        write_world(partial, seed=seed, scale=scale)
        partial.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
