"""This is where a sweep becomes its demo: the same graph on the demo world, small enough for a laptop.

    demo:                                     # in q1-size.yaml
      pairs: {intermediate: [squad_v1, squad_v1@xb, mlm], target: [tydiqa]}
      search: {design: {seeds: [1]}}

    load_sweep(Path("sweeps/q1-size.yaml"), demo=True).name    -> "q1-size-demo"

Model, data, sizes, compute and limits are those of the demo world, whatever the file says of them. All else is the
file's own, and over it lies its `demo` section, as a file lies over what it extends; a contrast that is null there
is left out. Another name keeps the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from xtr.errors import Problem
from xtr.spec.document import Document
from xtr.spec.explain import Finding, shown
from xtr.spec.layers import merge, put
from xtr.spec.paths import Keys

SECTION, SUFFIX = "demo", "-demo"

_TRAINING = {"learning_rate": 5e-4, "batch_size": 16, "max_length": 96}
WORLD: Mapping[Keys, object] = {
    ("model",): {"name": "demo"},
    ("data",): {"source": "demo"},
    ("stages",): {
        "intermediate": {**_TRAINING, "epochs": 2},
        "target": {
            **_TRAINING,
            "epochs": 4,
            "tasks": {"tydiqa": {"examples": 200}, "udpos": {"examples": 300}},
        },
        "evaluate": {"layer": 0},
    },
    ("search", "concurrent_trials"): 2,
    ("compute",): {},
    ("budget",): {},
    ("prices",): {},
    ("catalogue",): [],
}
"""What the demo world's small encoder is trained with; retrieval is best on the words themselves."""


def take_section(document: Document) -> Document:
    """Take the demo section out of a document: its values, places and problems, as of a document of its own."""
    section = Document()
    if isinstance(document.values, dict):
        section.values = document.values.pop(SECTION, None)

    def inside(keys: Keys) -> bool:
        return keys[:1] == (SECTION,)

    section.places = {keys[1:]: place for keys, place in document.places.items() if inside(keys)}
    section.findings = [
        Finding(each.keys[1:], each.problem) for each in document.findings if inside(each.keys)
    ]
    section.broken = {keys[1:] for keys in document.broken if inside(keys)}
    document.places = {keys: place for keys, place in document.places.items() if not inside(keys)}
    document.findings = [each for each in document.findings if not inside(each.keys)]
    document.broken = {keys for keys in document.broken if not inside(keys)}
    return section


def demo_of(document: Document, section: Document, file: str) -> Document:
    """Put the demo world into a document, and lay its section over it."""
    if not isinstance(document.values, dict) or not isinstance(section.values, dict):
        place = section.places.get((), file)
        received = "no demo section" if section.values is None else shown(section.values)
        allowed = "demo: with what differs on the demo world, such as its pairs and the sizes in search.space"
        document.refuse((), Problem("this sweep has no demo", place, received, allowed))
        return document
    name = document.values.get("name")
    for keys, value in WORLD.items():
        put(document, keys, Document(deepcopy(value)))
    tracking = document.values.get("tracking")
    if isinstance(tracking, dict):
        tracking.pop("experiment", None)  # the demo is shown apart
    merged = merge(document, section)
    _leave_out(merged, "contrasts")
    if isinstance(name, str):
        put(merged, ("name",), Document(f"{name}{SUFFIX}", {(): document.where(("name",))}))
    return merged


def _leave_out(document: Document, block: str) -> None:
    """Drop what the section makes null: the demo world has nothing to compare for it."""
    assert isinstance(document.values, dict)
    named = document.values.get(block)
    if isinstance(named, dict):
        document.values[block] = {name: each for name, each in named.items() if each is not None}
