"""This is where a sweep's words are checked against the catalogue: tasks, roles, languages, dimensions.

findings_in(spec)    -> [Finding(("pairs", "target", 0), Problem("unknown task", ...))]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.lookup import TASKS, names
from xtr.catalogue.mixtures import MIXTURES
from xtr.catalogue.task import Role, Split
from xtr.errors import InputError, Problem, suggest
from xtr.spec.contrast_check import contrast_findings, named_languages
from xtr.spec.encoder_check import encoder_findings
from xtr.spec.explain import Finding, shown
from xtr.spec.expressions import NONE, Member, parse_intermediate, parse_target, target_task
from xtr.spec.notation import write_dimension
from xtr.spec.oracle_check import oracle_findings
from xtr.spec.paths import dotted
from xtr.spec.settings import ONLY_LINEAR
from xtr.spec.space import STAGES, complaint, general_name
from xtr.spec.sweep import SweepSpec

DEMO_LANGUAGES = ("en", "xa", "xb", "xc", "xd")
IN_THE_DEMO = ("spelling",)
"""What the demo world has besides the catalogue's tasks, for a sweep to describe (sweeps/planted.yaml)."""


def check_sweep(spec: SweepSpec) -> None:
    """Check a spec that was built in Python.

    Raises:
        InputError: everything that is wrong, with dotted paths.
    """
    problems = [replace(each.problem, where=dotted(each.keys)) for each in findings_in(spec)]
    if problems:
        raise InputError(problems)


def findings_in(spec: SweepSpec) -> list[Finding]:
    """Find everything that the catalogue, or another part of the sweep, contradicts."""
    checks = (
        _intermediates,
        _targets,
        _own_tasks,
        _exclusions,
        _stages,
        _forgetting,
        _languages,
        _data,
        _space,
        _design,
        _start_with,
        _confirm,
        oracle_findings,
        _contrasts,
        encoder_findings,
    )
    return [finding for check in checks for finding in check(spec)]


def _intermediates(spec: SweepSpec) -> Iterator[Finding]:
    """Intermediate tasks exist and can play that role."""
    for index, text in enumerate(spec.pairs.intermediate):
        keys = ("pairs", "intermediate", index)
        try:
            expression = parse_intermediate(text)
        except InputError as error:
            yield from (Finding(keys, problem) for problem in error.problems)
            continue
        if expression.checkpoint is not None:
            yield from (Finding(keys, problem) for problem in _folder_problems(expression.checkpoint.name))
        for member in expression.members:
            yield from (Finding(keys, problem) for problem in _role_problems(member.task, "intermediate"))
            yield from (Finding(keys, problem) for problem in _language_problems(spec, member))
        if text in spec.pairs.intermediate[:index]:
            yield Finding(keys, Problem("is listed twice", received=text))


def _targets(spec: SweepSpec) -> Iterator[Finding]:
    """Targets exist and can play that role."""
    for index, name in enumerate(spec.pairs.target):
        keys = ("pairs", "target", index)
        try:
            member = parse_target(name)
        except InputError as error:
            yield from (Finding(keys, problem) for problem in error.problems)
            continue
        yield from (Finding(keys, problem) for problem in _role_problems(member.task, "target"))
        yield from (Finding(keys, problem) for problem in _language_problems(spec, member))
        task = TASKS.get(member.task)
        if task is not None and task.training_task is None and member.languages:
            yield Finding(
                keys, Problem(f"{task.name} is never trained, so it has no training language", "", name)
            )
        if name in spec.pairs.target[:index]:
            yield Finding(keys, Problem("is listed twice", received=name))


def _mixtures(spec: SweepSpec) -> Iterator[str]:
    """Name the mixtures of the sweep as they are written."""
    for text in spec.pairs.intermediate:
        try:
            yield from (link.name for link in parse_intermediate(text).links if len(link.members) > 1)
        except InputError:  # told elsewhere
            continue


def _named(spec: SweepSpec) -> set[str]:
    """List the tasks that the pairs name."""
    return {
        *map(target_task, spec.pairs.target),
        *(name for text in spec.pairs.intermediate for name in _links(text)),
    }


def _folder_problems(name: str) -> Iterator[Problem]:
    """A checkpoint that is written like a folder is one."""
    if name.startswith((".", "/", "~")) and not _is_folder(name):
        yield Problem("no such folder", "", name, "a folder with config.json and weights, or a hub id")


def _language_problems(spec: SweepSpec, member: Member) -> Iterator[Problem]:
    """The languages of an expression are known."""
    known = _known_languages(spec)
    for code in member.languages:
        if code not in known:
            yield _unknown_language(code, known)


def _own_tasks(spec: SweepSpec) -> Iterator[Finding]:
    """A user's own task is trained on one of its family that has its labels, in its order."""
    for index, own in enumerate(spec.catalogue):
        at_hand = spec.data.source == "official" or (spec.data.source == "demo" and own.name in IN_THE_DEMO)
        if not at_hand and own.name in _named(spec):
            keys = ("catalogue", index, "name")
            yield Finding(
                keys, Problem("own tasks are read from files", "", own.name, "data.source: official")
            )
        if own.training_task in (None, own.name):
            continue
        keys, trained = ("catalogue", index, "training_task"), TASKS.get(own.training_task or "")
        if trained is None:
            hint = suggest(own.training_task or "", TASKS)
            yield Finding(keys, Problem("unknown task", "", own.training_task or "", ", ".join(TASKS), hint))
        elif (trained.family, trained.labels) != (own.family, own.labels):
            allowed = f"a {own.family} task with labels {', '.join(own.labels)}"
            received = f"{trained.name}, a {trained.family} task with labels {', '.join(trained.labels)}"
            yield Finding(keys, Problem("is of another family or has other labels", "", received, allowed))


def _role_problems(name: str, role: Role) -> Iterator[Problem]:
    known = names(role)
    if name not in TASKS:
        yield Problem("unknown task", "", name, ", ".join(known), suggest(name, known) or "xtr tasks")
    elif name not in known:
        what = "an intermediate task" if role == "intermediate" else "a target"
        yield Problem(f"{name} cannot be {what}", "", name, ", ".join(known), _other_role(name, role))


def _other_role(name: str, role: Role) -> str:
    if role == "target":
        return " or ".join(task.name for task in TASKS.values() if task.training_task == name != task.name)
    return TASKS[name].training_task or ""


def _exclusions(spec: SweepSpec) -> Iterator[Finding]:
    """Exclusions name pairs that are there; the baseline stays."""
    for index, exclusion in enumerate(spec.pairs.exclude):
        keys = ("pairs", "exclude", index)
        if exclusion.intermediate == NONE:
            hint = "every transfer is measured against it"
            yield Finding((*keys, "intermediate"), Problem("the baseline none cannot be excluded", hint=hint))
        sides = (("intermediate", spec.pairs.intermediates), ("target", spec.pairs.target))
        for (side, listed), value in zip(sides, (exclusion.intermediate, exclusion.target), strict=True):
            if value not in listed:
                what, hint = f"is not among pairs.{side}", suggest(value, listed)
                yield Finding((*keys, side), Problem(what, "", value, ", ".join(listed), hint))


def _stages(spec: SweepSpec) -> Iterator[Finding]:
    """Settings per task name tasks that are trained in that stage."""
    target_trainings = tuple(
        dict.fromkeys(task.training_task for task in TASKS.values() if "target" in task.roles)
    )
    trained = {
        "intermediate": tuple(dict.fromkeys((*names("intermediate"), *MIXTURES, *_mixtures(spec)))),
        "target": tuple(name for name in target_trainings if name),
    }
    for stage, settings in (("intermediate", spec.stages.intermediate), ("target", spec.stages.target)):
        for name in settings.tasks:
            if name in trained[stage]:
                continue
            keys = ("stages", stage, "tasks", name)
            task = TASKS.get(name)
            hint = f"{name} is trained on {task.training_task}" if task and task.training_task else ""
            allowed = ", ".join(trained[stage])
            what = "is not trained in this stage" if task else "unknown task"
            yield Finding(keys, Problem(what, "", name, allowed, hint or suggest(name, trained[stage])))


def _forgetting(spec: SweepSpec) -> Iterator[Finding]:
    """What is scored on every link needs no head of its own."""
    asked = spec.stages.evaluate.forgetting
    known = (*(task.name for task in TASKS.values() if task.training_task is None), "mlm")
    for index, name in enumerate(asked if isinstance(asked, tuple) else ()):
        if name not in known:
            what = "needs a head that was trained for it" if name in TASKS else "unknown task"
            problem = Problem(what, "", name, ", ".join(known), suggest(name, known))
            yield Finding(("stages", "evaluate", "forgetting", index), problem)


def _languages(spec: SweepSpec) -> Iterator[Finding]:
    """Languages are known; the demo world has its own besides."""
    wanted, known = spec.stages.evaluate.languages, _known_languages(spec)
    for index, code in enumerate(wanted if isinstance(wanted, tuple) else ()):
        if code not in known:
            yield Finding(("stages", "evaluate", "languages", index), _unknown_language(code, known))
    if spec.stages.source_language not in known:
        yield Finding(("stages", "source_language"), _unknown_language(spec.stages.source_language, known))


def _known_languages(spec: SweepSpec) -> tuple[str, ...]:
    demo = DEMO_LANGUAGES if spec.data.source == "demo" else ()
    return tuple(dict.fromkeys((*demo, *LANGUAGES)))


def _unknown_language(code: str, known: tuple[str, ...]) -> Problem:
    by_name = {language.name.lower(): language.code for language in LANGUAGES.values()}
    said = by_name.get(code.lower())
    hint = f"did you mean {said!r}?" if said else suggest(code, known)
    return Problem("unknown language", "", code, ", ".join(known), hint)


def _data(spec: SweepSpec) -> Iterator[Finding]:
    """Official data have a folder; folders and files belong to known tasks."""
    root, keys = spec.data.official_root, ("data", "official_root")
    if spec.data.source == "official" and root is None:
        yield Finding(keys, Problem("source official needs official_root", allowed="a folder"))
    elif spec.data.source == "official" and root is not None and not _is_folder(root):
        what = "is not a folder" if _exists(root) else "no such folder"
        yield Finding(keys, Problem(what, received=root, hint="it is read from where xtr is started"))
    for key, mapping in (("folders", spec.data.folders), ("files", spec.data.files)):
        for name in (name for name in mapping if name not in TASKS):
            problem = Problem("unknown task", "", name, ", ".join(TASKS), suggest(name, TASKS))
            yield Finding(("data", key, name), problem)
    yield from _hub(spec)
    splits = get_args(Split)
    for name, files in spec.data.files.items():
        for split in (split for split in files if split not in splits):
            problem = Problem("unknown split", "", split, ", ".join(splits), suggest(split, splits))
            yield Finding(("data", "files", name, split), problem)


def _hub(spec: SweepSpec) -> Iterator[Finding]:
    """Folders stand for data sets that the catalogue reads; every task of the sweep lies on the hub."""
    known = sorted({files.dataset for task in TASKS.values() for files in task.hub.values()})
    for name, folder in spec.data.hub_folders.items():
        keys = ("data", "hub_folders", name)
        if name not in known:
            yield Finding(keys, Problem("unknown data set", "", name, ", ".join(known), suggest(name, known)))
        elif not _is_folder(folder):
            yield Finding(keys, Problem("no such folder", received=folder))
    if spec.data.source != "hub":
        return
    for index, name in enumerate(map(target_task, spec.pairs.target)):
        training = TASKS[name].training_task if name in TASKS else None
        for missing in (each for each in dict.fromkeys((name, training)) if each and _not_on_hub(each)):
            yield Finding(("pairs", "target", index), _no_hub(missing))
    for index, text in enumerate(spec.pairs.intermediate):
        for missing in filter(_not_on_hub, _links(text)):
            yield Finding(("pairs", "intermediate", index), _no_hub(missing))


def _links(text: str) -> tuple[str, ...]:
    try:
        return tuple(member.task for member in parse_intermediate(text).members)
    except InputError:  # told elsewhere
        return ()


def _not_on_hub(name: str) -> bool:
    return name in TASKS and not TASKS[name].hub


def _no_hub(name: str) -> Problem:
    return Problem("xtr knows no copy of this task on the hub", "", name, hint="data.source: official")


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # too long a name, or a folder on the way that may not be read
        return False


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False


def _space(spec: SweepSpec) -> Iterator[Finding]:
    """Dimensions have known names, fit their fields and do not contradict each other."""
    for name, dimension in spec.search.space.items():
        if problem := complaint(name, dimension) or _unread(spec, name):
            yield Finding(("search", "space", name), problem)
    for stage in STAGES:
        if {f"{stage}.fraction", f"{stage}.examples"} <= spec.search.space.keys():
            what = f"{stage}.fraction and {stage}.examples exclude each other"
            yield Finding(("search", "space", f"{stage}.examples"), Problem(what, allowed="one of the two"))


def _unread(spec: SweepSpec, name: str) -> Problem | None:
    """Say that a dimension's stage has a schedule that does not read it."""
    stage, _, field = general_name(name).partition(".")
    if field not in ONLY_LINEAR or getattr(spec.stages, stage).schedule == "linear":
        return None
    return Problem(f"schedule wsd does not read {field}", hint=f"stages.{stage}.warmup_steps")


def _design(spec: SweepSpec) -> Iterator[Finding]:
    """Every setting can only be tried where there is an end of them."""
    for name, dimension in spec.search.space.items() if spec.search.design else ():
        if not dimension.is_finite:
            what = "a design needs values that can be counted"
            received, allowed = (
                shown(write_dimension(dimension)),
                "a number, {choice: [..]} or {int: [low, high]}",
            )
            yield Finding(("search", "space", name), Problem(what, "", received, allowed))


def _start_with(spec: SweepSpec) -> Iterator[Finding]:
    """First trials take values that the space has."""
    space = spec.search.space
    for index, values in enumerate(spec.search.start_with):
        for name, value in values.items() if isinstance(values, dict) else ():
            keys = ("search", "start_with", index, name)
            if name not in space:
                allowed, hint = ", ".join(space), suggest(name, space)
                yield Finding(keys, Problem("is not a dimension of search.space", "", name, allowed, hint))
            elif not space[name].contains(value):
                allowed = shown(write_dimension(space[name]))
                yield Finding(keys, Problem("lies outside its dimension", "", shown(value), allowed))
        if isinstance(values, str) and values in spec.search.start_with[:index]:
            yield Finding(("search", "start_with", index), Problem("is listed twice", received=values))
    if len(spec.search.given) > spec.search.trials_per_pair:
        allowed = f"{spec.search.trials_per_pair} (search.trials_per_pair)"
        received = str(len(spec.search.given))
        yield Finding(
            ("search", "start_with"), Problem("more first trials than trials", "", received, allowed)
        )


def _confirm(spec: SweepSpec) -> Iterator[Finding]:
    """Winners are confirmed on seeds that the search has not used."""
    seeds = spec.search.confirm.seeds
    for index, seed in enumerate(seeds):
        keys = ("search", "confirm", "seeds", index)
        if seed == spec.search.training_seed:
            hint = "a seed that the search has not used"
            yield Finding(keys, Problem("is search.training_seed", received=str(seed), hint=hint))
        if seed in seeds[:index]:
            yield Finding(keys, Problem("is listed twice", received=str(seed)))


def _contrasts(spec: SweepSpec) -> Iterator[Finding]:
    """Contrasts name arms, targets, dimensions and languages of the sweep."""
    yield from contrast_findings(spec)
    known = _known_languages(spec)
    for keys, code in named_languages(spec):
        if code not in known:
            yield Finding(keys, _unknown_language(code, known))
