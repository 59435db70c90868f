"""This is where it is checked whether a sweep can be selected on its target languages: `search.select_on: oracle`.

oracle_findings(spec)    -> [Finding(("search", "select_on"), Problem("no dev sets ...: tydiqa", ...))]
"""

from __future__ import annotations

from collections.abc import Iterator

from xtr.catalogue.lookup import TASKS
from xtr.catalogue.task import Task
from xtr.errors import Problem
from xtr.spec.explain import Finding
from xtr.spec.expressions import target_task
from xtr.spec.sweep import SweepSpec


def oracle_findings(spec: SweepSpec) -> Iterator[Finding]:
    """An oracle has dev sets that are not the test sets, and does not stop trials by another score."""
    if spec.search.select_on == "source":
        return
    keys = ("search", "select_on")
    targets = [TASKS[name] for name in dict.fromkeys(map(target_task, spec.pairs.target)) if name in TASKS]
    lacking = [each.name for each in targets if each.training_task and not _has_dev(spec, each)]
    if lacking:
        what = f"no dev sets apart from the test sets: {', '.join(lacking)}"
        known = [each.name for each in TASKS.values() if "target" in each.roles and _has_dev(spec, each)]
        yield Finding(keys, Problem(what, "", "oracle", f"source; oracle for {', '.join(known)}"))
    if spec.search.early_stopping is not None:
        what = "trials would stop early by another score than they are selected by"
        yield Finding(keys, Problem(what, "", "oracle", "source", "or early_stopping: null"))


def _has_dev(spec: SweepSpec, task: Task) -> bool:
    """Say whether a task has a dev split of its own where the sweep's data lie; elsewhere test doubles as dev."""
    if "dev" in spec.data.files.get(task.name, {}):
        return True
    return bool(task.dev) and (spec.data.source != "hub" or "dev" in task.hub)
