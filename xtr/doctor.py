"""This is where it is looked whether this machine is ready for a sweep: `xtr doctor`.

    for check in examine(spec):
        print(check.state, check.name, check.what)      -> ok device no GPU: 2 CPU cores, in fp32 (...)

Every check tells what is so and, where that is not well, the next step. Nothing is installed, made or changed.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from xtr.catalogue.task import Split, Task
from xtr.data.hublock import hub_is_offline
from xtr.errors import InputError
from xtr.spec.sweep import ModelSpec, PairsSpec, SearchSpec, SweepSpec
from xtr.storage.workplace import is_uri

State = Literal["ok", "warn", "fail"]
LITTLE_SPACE_GB = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a sweep needs.

    Attributes:
        name: what was looked at.
        what: what is so.
        next: what to do where it is not well.
    """

    name: str
    state: State
    what: str
    next: str = ""

    def __str__(self) -> str:
        first = f"{self.state:<5} {self.name:<9} {self.what}"
        return f"{first}\n{'':<15} try {self.next}" if self.next else first


def examine(spec: SweepSpec) -> Iterator[Check]:
    """Look at everything that a sweep relies on, quick things first."""
    probes: Mapping[str, Callable[[SweepSpec], Check]] = {
        "python": _python,
        "packages": _packages,
        "device": _device,
        "ray": _ray,
        "storage": _storage,
        "tracking": _tracking,
        "hub": _hub,
        "model": _model,
        "data": _data,
    }
    for name, probe in probes.items():
        try:
            yield probe(spec)
        except Exception as error:  # a library that cannot even be imported is a finding, too
            said = str(error).strip() or type(error).__name__
            yield Check(name, "fail", said.splitlines()[0], "pip install --force-reinstall xtr")


def anything() -> SweepSpec:
    """Make the sweep that is meant when nobody names one: everything at its default."""
    pairs = PairsSpec(intermediate=(), target=("tatoeba",))
    return SweepSpec(version=1, name="any", model=ModelSpec(name="demo"), pairs=pairs, search=SearchSpec())


def examined_text(checks: list[Check]) -> str:
    """Write the checks, and what they come to."""
    failed, warned = (sum(check.state == state for check in checks) for state in ("fail", "warn"))
    end = f"{failed} failed, {warned} to look at" if failed or warned else "all is well"
    return "\n".join([*map(str, checks), "", end])


def _python(spec: SweepSpec) -> Check:  # noqa: ARG001
    wanted = importlib.metadata.metadata("xtr")["Requires-Python"] or ""
    here = platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return Check("python", "ok", f"{here} ({wanted})")
    return Check("python", "fail", f"{here}, where xtr needs {wanted}", "a newer Python")


def _packages(spec: SweepSpec) -> Check:
    """Compare what is installed with the ranges that xtr was installed with."""
    extra = "s3" if is_uri(spec.storage.root) else ""
    needed = required(importlib.metadata.requires("xtr") or (), extra)
    if wrong := unmet(needed):
        told = "; ".join(f"{each.name} {have or 'is missing'} ({each.specifier})" for each, have in wrong)
        wanted = " ".join(f"'{each.name}{each.specifier}'" for each, _ in wrong)
        return Check("packages", "fail", told, f"pip install {wanted}")
    return Check("packages", "ok", f"all {len(needed)} lie within xtr's ranges")


def required(texts: Iterable[str], extra: str) -> list[Requirement]:
    """Read requirements, and keep those that hold on this machine, with an extra or none."""
    wanted = [Requirement(text) for text in texts]
    return [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": extra})]


def unmet(wanted: Iterable[Requirement]) -> list[tuple[Requirement, str | None]]:
    """List the requirements that what is installed does not meet, with the version that is there."""
    found = [(each, _version(each.name)) for each in wanted]
    return [(each, have) for each, have in found if have is None or not each.specifier.contains(have, True)]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device(spec: SweepSpec) -> Check:
    from xtr.model.precision import device_here

    name, used, reason = device_here()
    asked = spec.compute.per_worker.GPU
    if name != "cpu":
        return Check("device", "ok", f"{name}, in {used} ({reason})")
    what = f"no GPU: {os.cpu_count()} CPU cores, in {used} ({reason})"
    if asked and not os.environ.get("RAY_ADDRESS"):
        return Check("device", "fail", f"{what}; a worker asks for {asked}", "--set compute.per_worker.GPU=0")
    return Check("device", "ok", what)


def _ray(spec: SweepSpec) -> Check:
    from xtr.search.cluster import HEAD_RESOURCE, local_cpus, reach

    address, version = os.environ.get("RAY_ADDRESS"), _version("ray")
    if not address:
        what = f"{version}; RAY_ADDRESS is not set: xtr run starts one here, of {local_cpus(spec)} CPUs"
        return Check("ray", "ok", what)
    if "://" in address and not address.startswith("ray://"):
        what = f"RAY_ADDRESS={address} is a dashboard, which takes jobs"
        return Check("ray", "warn", what, "RAY_API_SERVER_ADDRESS and xtr submit; xtr run wants HOST:6379")
    try:
        offered = reach(address)
    except OSError as error:
        hint = "is it up? does ~/.ray/auth_token, or RAY_AUTH_TOKEN, hold its token?"
        return Check("ray", "fail", f"no cluster at RAY_ADDRESS={address}: {error}", hint)
    told = ", ".join(f"{offered.get(each, 0):g} {each}" for each in ("CPU", "GPU", HEAD_RESOURCE))
    worker = spec.compute.per_worker
    if offered.get("GPU", 0) < worker.GPU:
        hint = "a cluster that grows starts them when a trial waits; else --set compute.per_worker.GPU=0"
        return Check("ray", "warn", f"{address} has {told}; a worker asks for {worker.GPU} GPU", hint)
    return Check("ray", "ok", f"{version}; the cluster at {address} has {told}")


def _storage(spec: SweepSpec) -> Check:
    root = spec.storage.root
    try:
        place = spec.storage.workplace()
        place.check_writable()
    except InputError as error:
        problem = error.problems[0]
        return Check("storage", "fail", f"{root}: {problem.what} {problem.received}".strip(), problem.hint)
    here = next(each for each in (place.here, *place.here.parents) if each.exists())
    if not (here.is_dir() and os.access(here, os.W_OK)):
        return Check("storage", "fail", f"{here} cannot be written", "--set storage.root=FOLDER")
    free = shutil.disk_usage(here).free / 1e9
    what = f"{root} can be written; {free:,.0f} GB are free in {here}"
    if free < LITTLE_SPACE_GB:
        return Check("storage", "warn", what, "xtr plan FILE tells what a sweep takes; xtr store gc")
    return Check("storage", "ok", what)


def _tracking(spec: SweepSpec) -> Check:
    from xtr.track.reachable import reach
    from xtr.track.where import naming_variable, tracking_uri, without_password

    uri = tracking_uri(spec)
    shown = without_password(uri)
    exposed = shown != uri and naming_variable(spec, os.environ).tracking.uri == uri
    note = "; its password stands in the sweep file, where env:NAME would do" if exposed else ""
    try:
        return Check("tracking", "warn" if exposed else "ok", f"{shown} ({reach(uri)}){note}")
    except OSError as error:
        what = f"{shown}: {without_password(str(error))}{note}"
        hint = "tracking.uri or MLFLOW_TRACKING_URI; a sweep runs without it and shows itself later"
        return Check("tracking", "warn", what, hint)


def _hub(spec: SweepSpec) -> Check:
    cache = os.environ.get("HF_HOME", "~/.cache/huggingface")
    if not hub_is_offline():
        return Check("hub", "ok", "is asked where something is not in its cache (HF_HUB_OFFLINE is not set)")
    what = f"is never asked (HF_HUB_OFFLINE=1): what is not in {cache} is missing"
    if spec.data.source == "hub":
        return Check("hub", "warn", what, "xtr data prepare FILE once, with HF_HUB_OFFLINE=0")
    return Check("hub", "ok", what)


def _model(spec: SweepSpec) -> Check:
    """See whether every encoder that a pair begins with is there, or can be had."""
    from xtr.data.hubsource import resolve_on_hub
    from xtr.data.open import open_source
    from xtr.stages.path import Paths
    from xtr.stages.stage import PretrainStage

    try:
        starts = Paths(spec, open_source(spec.data, spec.storage.workplace(), resolve=False)).starts
        for start in starts:
            if not isinstance(start, PretrainStage) and not Path(start.name).is_dir():
                resolve_on_hub("models", start.name)
    except InputError as error:
        problem = error.problems[0]
        return Check("model", "fail", f"{problem.received}: {problem.what}", problem.hint or problem.allowed)
    names = ", ".join(start.name for start in starts)
    made = any(isinstance(start, PretrainStage) for start in starts)
    return Check("model", "ok", names + (" (made at the first run)" if made else " can be had"))


def _data(spec: SweepSpec) -> Check:
    """See whether the files are there; what they hold is read by `xtr data check`."""
    from xtr.data.open import open_source
    from xtr.stages.preflight import needed_rows

    if spec.data.source != "official":
        return Check("data", "ok", f"{spec.data.source}; nothing is read from folders of yours")
    source = open_source(spec.data, spec.storage.workplace())
    needed = list(needed_rows(spec, source))
    missing = [
        f"{task.name} {split} {language}"
        for task, split, language in needed
        if language not in source.languages(task, split)
    ]
    if missing:
        what = f"{spec.data.official_root} lacks {', '.join(missing)}"
        hint = f"xtr tasks {missing[0].split()[0]} says where files are looked for"
        return Check("data", "fail", what, _fitting_child(spec, needed, len(needed) - len(missing)) or hint)
    return Check(
        "data", "ok", f"{spec.data.official_root} has all {len(needed)} splits to train and select on"
    )


def _fitting_child(spec: SweepSpec, needed: Sequence[tuple[Task, Split, str]], here: int) -> str:
    """Name the folder one level below the official root that has most of what is needed, if more than the root."""
    from xtr.data.open import open_source

    assert spec.data.official_root is not None
    found: dict[str, int] = {}
    for child in sorted(each for each in Path(spec.data.official_root).iterdir() if each.is_dir()):
        data = spec.data.model_copy(update={"official_root": str(child)})
        source = open_source(data, spec.storage.workplace())
        found[str(child)] = sum(language in source.languages(task, split) for task, split, language in needed)
    best = max(found, key=found.__getitem__, default="")
    if found.get(best, 0) <= here:
        return ""
    return f"--set data.official_root={best}, which has {found[best]} of {len(needed)} splits"
