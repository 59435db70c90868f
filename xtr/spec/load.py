"""This is where a sweep file is read: YAML, `extends`, `--set`, then every check at once.

load_sweep(Path("sweeps/demo.yaml"), ["search.seed=7"]).search.seed    -> 7
load_sweep(Path("sweeps/q1-size.yaml"), demo=True).model.name            -> "demo"
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from xtr.errors import InputError, Problem, nearest
from xtr.spec.check import findings_in
from xtr.spec.demo import demo_of, take_section
from xtr.spec.document import Document, Elsewhere, read_document
from xtr.spec.explain import Finding, findings_of, shown
from xtr.spec.layers import merge, prune, put, write_as_text
from xtr.spec.paths import Keys, dotted, is_below, split
from xtr.spec.sweep import StorageSpec, SweepSpec

_PLACEHOLDER: dict[str, object] = {
    "version": 1,
    "name": "placeholder",
    "model": {"name": "placeholder"},  # of no known shape, so that no setting is judged by it
    "pairs": {"intermediate": [], "target": ["xnli"]},
    "search": {},
}
_LISTED = 12
_JUDGED_BY: dict[Keys, tuple[Keys, ...]] = {  # what cannot be judged while something in there is wrong
    ("pairs",): (("pairs", "exclude"), ("contrasts",)),
    ("search", "space"): (("search", "start_with"), ("contrasts",)),
    ("search", "trials_per_pair"): (("search", "start_with"),),
    ("search", "training_seed"): (("search", "confirm"),),
    ("search", "design"): (("search", "start_with"), ("search", "confirm"), ("contrasts",)),
}
_MORE = "these first: what depends on them was not looked at yet, so more may follow"


def load_sweep(
    path: Path, overrides: Sequence[str] = (), env: Mapping[str, str] | None = None, *, demo: bool = False
) -> SweepSpec:
    """Read and check a sweep file or an exported config.

    Args:
        path: the YAML file.
        overrides: `a.b=c` as given to `--set`; the value is YAML and takes precedence.
        env: variables for `env:NAME`; those of the process where None.
        demo: take the sweep's form on the demo world.

    Raises:
        InputError: everything that is wrong, with file, line and dotted path.
    """
    variables = os.environ if env is None else env
    document = _read_with_parents(Path(path), variables)
    section = take_section(document)
    if demo:
        document = demo_of(document, section, str(path))
    for override in overrides:
        _apply(override, document, variables)
    return _checked(document)


def load_stored(folder: Path, storage: str | StorageSpec) -> SweepSpec:
    """Read the spec of a sweep that was run, from a copy of its folder.

    Args:
        storage: the storage, or its root, where the sweep lies by now.

    Raises:
        InputError: the spec no longer reads, with file and line.
    """
    spec = load_sweep(folder / "spec.yaml", env=Elsewhere(os.environ))  # who reads scores needs no password
    if storage in (spec.storage, spec.storage.root):
        return spec
    if isinstance(storage, str):  # it was run from another folder, or on another machine
        storage = spec.storage.model_copy(update={"root": storage, "cache": None})
    return spec.model_copy(update={"storage": storage})


def load_catalogue(path: Path) -> tuple[str, ...]:
    """Read a file of the user's own tasks, make them known, and return their names.

    Raises:
        InputError: everything that is wrong, with file and line.
    """
    document = Document({**deepcopy(_PLACEHOLDER), "catalogue": [path.name]})
    _put_in_own_tasks(document, path.parent, os.environ)
    return tuple(own.name for own in _checked(document).catalogue)


def _checked(document: Document) -> SweepSpec:
    spec, found, saw_all = _validate(document)
    findings = (*document.findings, *(each for each in found if not document.is_broken(each.keys)))
    if findings or spec is None:
        located = dict.fromkeys(_located(finding, document) for finding in findings)
        raise InputError(sorted(located, key=_reading_order), "" if saw_all else _MORE)
    return spec


def _located(finding: Finding, document: Document) -> Problem:
    problem = finding.problem
    return problem if problem.where else replace(problem, where=document.where(finding.keys))


def _reading_order(problem: Problem) -> tuple[str, int]:
    found = re.match(r"(.+?):(\d+)", problem.where)
    return (found[1], int(found[2])) if found else (problem.where, 0)


def _read_with_parents(
    path: Path, env: Mapping[str, str], seen: tuple[Path, ...] = (), asked: str = ""
) -> Document:
    """Read a file and what it extends; `asked` is the place that names it."""
    document = _read_file(path, env, asked)
    if not isinstance(document.values, dict):
        return document
    _put_in_own_tasks(document, path.parent, env)
    _put_in_prices(document, path.parent, env)
    chain = (*seen, _resolved(path))
    parent, place = document.values.pop("extends", None), document.where(("extends",))
    if parent is None or document.is_broken(("extends",)):
        return document
    if not isinstance(parent, str) or not parent:
        document.refuse((), Problem("must be one file", place, shown(parent), "extends: baseline.yaml"))
        return document
    parent_path = path.parent / parent
    if _resolved(parent_path) in chain:
        names = " -> ".join(each.name for each in (*chain, _resolved(parent_path)))
        document.refuse((), Problem("extends goes in a circle", place, names))
        return document
    return merge(_read_with_parents(parent_path, env, chain, place), document)


def _put_in_own_tasks(document: Document, folder: Path, env: Mapping[str, str]) -> None:
    """Replace the names of files under `catalogue` by the tasks that they hold, so that a sweep carries them."""
    assert isinstance(document.values, dict)
    entries = document.values.get("catalogue")
    if not isinstance(entries, list):
        return
    tasks: list[object] = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            tasks.append(entry)
            continue  # written in the sweep itself
        found = _read_file(folder / entry, env, document.where(("catalogue", index)))
        for finding in found.findings:
            document.refuse(("catalogue",), _located(finding, found))
        if found.findings:
            continue
        listed = found.values.get("tasks") if isinstance(found.values, dict) else found.values
        if isinstance(listed, list):
            inside: Keys = ("tasks",) if isinstance(found.values, dict) else ()
            for keys, place in found.places.items():
                if keys[: len(inside)] == inside and len(keys) > len(inside):
                    at, *rest = keys[len(inside) :]
                    document.places["catalogue", len(tasks) + int(at), *rest] = place
            tasks.extend(listed)
        else:
            problem = Problem("holds no list of tasks", str(folder / entry), allowed="tasks: [{name: ...}]")
            document.refuse(("catalogue",), problem)
    document.values["catalogue"] = tasks


def _put_in_prices(document: Document, folder: Path, env: Mapping[str, str]) -> None:
    """Replace the name of a file under `prices` by what it says."""
    assert isinstance(document.values, dict)
    name = document.values.get("prices")
    if not isinstance(name, str):
        return
    found = _read_file(folder / name, env, document.where(("prices",)))
    for finding in found.findings:
        document.refuse(("prices",), _located(finding, found))
    document.values["prices"] = found.values
    document.places |= {("prices", *keys): place for keys, place in found.places.items() if keys}


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle; reading will say so
        return path.absolute()


def _read_file(path: Path, env: Mapping[str, str], asked: str) -> Document:
    document = Document()
    where = asked or str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        document.refuse((), _missing_file(path, where))
    except UnicodeDecodeError as error:
        document.refuse((), Problem("the file is not UTF-8 text", where, f"byte {error.start}"))
    except (OSError, ValueError) as error:  # a folder, no permission, a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        document.refuse((), Problem(f"the file cannot be read: {reason}", where, str(path)))
    else:
        document = read_document(text, str(path), env)
        if document.values is None and not document.broken:
            document.refuse((), Problem("the file is empty", str(path), hint="xtr init"))
        elif not isinstance(document.values, dict) and not document.broken:
            document.refuse((), Problem("a sweep file is a mapping", f"{path}:1", shown(document.values)))
    return document


def _missing_file(path: Path, where: str) -> Problem:
    folders = (path.parent, Path("sweeps"))
    try:
        nearby = [
            str(file) for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))
        ]
    except OSError:
        nearby = []
    names = list(dict.fromkeys(nearby))
    by_stem = {Path(name).stem: name for name in reversed(names)}
    if meant := nearest(path.stem, by_stem):
        return Problem("no such file", where, str(path), hint=f"did you mean {by_stem[meant]!r}?")
    more = [f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    return Problem("no such file", where, str(path), ", ".join([*names[:_LISTED], *more]))


def _apply(override: str, document: Document, env: Mapping[str, str]) -> None:
    path, sign, text = override.partition("=")
    if not sign:
        problem = Problem("no value", "--set", override, hint="--set search.seed=7")
        document.findings.append(Finding((), problem))
        return
    try:
        keys = split(path.strip(), SweepSpec)
    except InputError as error:
        document.findings += [Finding((), problem) for problem in error.problems]
        return
    value = read_document(text, "--set", env, lines=False)
    put(document, keys, value)
    for finding in value.findings:
        where = f"--set {dotted((*keys, *finding.keys))}"
        document.findings.append(Finding((*keys, *finding.keys), replace(finding.problem, where=where)))


def _validate(document: Document) -> tuple[SweepSpec | None, list[Finding], bool]:
    """Validate the values; where some are wrong, the rest is checked all the same.

    Returns:
        The spec, if nothing is wrong; what is; and whether everything could be judged.
    """
    if document.is_broken(()):
        return None, [], True
    broken = set(document.broken)
    findings: list[Finding] = []
    try:
        spec = SweepSpec.model_validate(document.values)
    except ValidationError as error:
        findings = findings_of(error, SweepSpec)
        broken |= {finding.keys for finding in findings}
    if not broken:
        return spec, findings_in(spec), True
    rest, saw_all = _what_is_left(document.values, broken)
    meant = findings_in(rest) if rest else []
    return None, [*findings, *(each for each in meant if not is_below(each.keys, broken))], saw_all


def _what_is_left(values: object, broken: set[Keys]) -> tuple[SweepSpec | None, bool]:
    """Build a spec from what is not wrong, so that its meaning can be checked in the same breath.

    Returns:
        The spec, and whether it has all that is not wrong.
    """
    rest = deepcopy(values)
    pruned = [prune(rest, dependent) for keys in broken for dependent in _judged_by(keys)]
    for keys in broken:
        if keys[0] == "contrasts":
            prune(rest, keys[:2])  # a contrast is judged as a whole
            continue
        if not write_as_text(rest, keys):
            prune(rest, keys)
    complete = merge(Document(deepcopy(_PLACEHOLDER)), Document(rest)).values
    for _ in range(2):
        try:
            return SweepSpec.model_validate(complete), not any(pruned)
        except ValidationError as error:
            pruned += [prune(complete, details["loc"]) for details in error.errors()]
    return None, False


def _judged_by(keys: Keys) -> Iterator[Keys]:
    """Name what cannot be judged while the value at a path is wrong."""
    for place, dependents in _JUDGED_BY.items():
        if all(one == other for one, other in zip(keys, place, strict=False)):
            yield from dependents
