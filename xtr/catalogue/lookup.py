"""This is where a name becomes a task.

find_task("mnli").labels     -> ("entailment", "neutral", "contradiction")
"""

from __future__ import annotations

from collections.abc import Iterable

from xtr.catalogue import commonsense, intermediate, native, retrieval, tagging, targets
from xtr.catalogue.task import Role, Task
from xtr.errors import InputError, Problem, suggest

TASKS: dict[str, Task] = {
    task.name: task
    for room in (intermediate, commonsense, tagging, native, targets, retrieval)
    for task in room.TASKS
}


def register(tasks: Iterable[Task]) -> None:
    """Make a user's own tasks known in this process, in place of what had their names.

    A sweep registers its own when it is read and when another process receives it.

    Raises:
        InputError: xtr has a task of that name.
    """
    for task in tasks:
        if task.name in TASKS and not TASKS[task.name].own:
            raise InputError(Problem("xtr has a task of this name", received=task.name, hint="another name"))
        TASKS[task.name] = task


def forget_own() -> None:
    """Forget users' own tasks, so that one sweep's are not taken for another's."""
    for name in [name for name, task in TASKS.items() if task.own]:
        del TASKS[name]


def names(role: Role | None = None) -> tuple[str, ...]:
    """List task names, all or those that can play a role."""
    return tuple(name for name, task in TASKS.items() if role is None or role in task.roles)


def find_task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        InputError: no such task; the nearest name is suggested.
    """
    if name not in TASKS:
        raise InputError(
            Problem(
                "unknown task",
                received=name,
                allowed=", ".join(names()),
                hint=suggest(name, names()) or "xtr tasks",
            )
        )
    return TASKS[name]


def training_task(target: Task) -> Task | None:
    """Return what a target is trained on, or None where it is never trained."""
    return find_task(target.training_task) if target.training_task else None
