"""This is where settings are checked against the encoder that they are for, where its shape is known.

    encoder_findings(spec)    -> [Finding(("stages", "evaluate", "layer"), Problem("no such layer"))]

Any other encoder is asked when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xtr.catalogue.lookup import TASKS
from xtr.catalogue.throughput import Shape, shape_of
from xtr.errors import InputError, Problem
from xtr.spec.explain import Finding
from xtr.spec.expressions import parse_intermediate, target_task
from xtr.spec.paths import Keys
from xtr.spec.sweep import SweepSpec


def encoder_findings(spec: SweepSpec) -> Iterator[Finding]:
    """Find what the encoder does not have: a hidden state to pool, positions for inputs as long as that."""
    name = spec.model.name
    shape = shape_of(name)
    if shape is None or Path(name).is_dir():
        return
    layer = spec.stages.evaluate.layer
    if layer is not None and layer > shape.layers:
        what, allowed = f"{name} has no such layer", f"0 to {shape.layers}, or null"
        yield Finding(("stages", "evaluate", "layer"), Problem(what, "", str(layer), allowed))
    yield from _lengths(spec, name, shape)


def _lengths(spec: SweepSpec, name: str, shape: Shape) -> Iterator[Finding]:
    """Every training with this encoder reads inputs that it has positions for."""
    found: dict[Keys, int] = {}
    for stage, task in _trained(spec):
        settings = getattr(spec.stages, stage)
        own = settings.tasks.get(task)
        if own is not None and own.max_length is not None:
            found["stages", stage, "tasks", task, "max_length"] = own.max_length
        else:
            found["stages", stage, "max_length"] = settings.max_length
    for keys, length in found.items():
        if length > shape.longest:
            what, allowed = f"{name} reads no inputs as long as that", f"at most {shape.longest} tokens"
            yield Finding(keys, Problem(what, "", str(length), allowed))


def _trained(spec: SweepSpec) -> Iterator[tuple[str, str]]:
    """List stages and the tasks that are trained in them, from this encoder on."""
    for text in spec.pairs.intermediate:
        try:
            expression = parse_intermediate(text)
        except InputError:  # told elsewhere
            continue
        if expression.checkpoint is None:
            yield from (("intermediate", member.task) for member in expression.members)
    for text in spec.pairs.target:
        task = TASKS.get(target_task(text))
        if task is not None and task.training_task is not None:
            yield "target", task.training_task
