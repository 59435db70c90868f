"""This is where a sweep is handed to a Ray cluster as a job, and followed to its end.

    job = submit(Path("sweep.yaml"), (), "http://127.0.0.1:8265")
    job.id, job.address      -> ("xtr-my-sweep-4f1c09", "http://127.0.0.1:8265")
    follow(job, print)       -> 3: some trials failed, as `xtr run` says by its exit code

A job carries the sweep's own files and nothing else. xtr is what is installed on the cluster.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtr.errors import InputError, Problem, XtrError
from xtr.search.cluster import HEAD_RESOURCE
from xtr.spec.document import Elsewhere
from xtr.spec.load import load_sweep
from xtr.spec.parts import files_of
from xtr.spec.sweep import SweepSpec
from xtr.storage.workplace import is_uri

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Where a cluster is named when `--address` is not said; the first that is set."""

_TALKATIVE = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
_ENDED = {"SUCCEEDED": 0, "FAILED": 1, "STOPPED": 1}


@dataclass(frozen=True, slots=True)
class Job:
    """A sweep that a cluster has taken.

    Attributes:
        address: of the cluster's dashboard.
        entrypoint: the command that the job runs.
        resources: what it holds while it runs; empty where the cluster keeps none for drivers.
    """

    id: str
    address: str
    entrypoint: str
    resources: Mapping[str, float]


def submit(
    file: Path,
    overrides: Sequence[str],
    address: str | None,
    *,
    skip_bad: int | None = None,
    demo: bool = False,
) -> Job:
    """Hand `xtr run` of a sweep file to a cluster.

    Args:
        overrides: `a.b=c` each, as `--set` takes them.
        address: of the dashboard, or of the cluster; None asks the environment.

    Raises:
        InputError: the file is wrong, says what only this machine has, or no cluster takes it.
    """
    spec = _load_for_elsewhere(file, overrides, demo=demo)
    problems = list(_stays_behind(spec))
    if problems:
        raise InputError(problems)
    client = _client(address)
    name = f"xtr-{spec.name}-{secrets.token_hex(3)}"
    resources = {HEAD_RESOURCE: 1.0} if _has_place_for_drivers(client) else {}
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(file, Path(folder))
        sets = [word for each in overrides for word in ("--set", each)]
        allowed = [] if skip_bad is None else ["--skip-bad", str(skip_bad)]
        entrypoint = shlex.join(["xtr", "run", str(packed), *["--demo"] * demo, *sets, *allowed])
        client.submit_job(
            entrypoint=entrypoint,
            submission_id=name,
            runtime_env={"working_dir": folder},
            metadata={"xtr.sweep": spec.name},
            entrypoint_resources=resources or None,
        )
    return Job(name, client.get_address(), entrypoint, resources)


def follow(job: Job, say: Callable[[str], None]) -> int:
    """Tell what a job prints until it ends, and return its exit code.

    Raises:
        XtrError: the cluster is lost; or, with exit code 130, by Ctrl-C: then the job goes on.
    """
    client = _client(job.address)
    try:
        asyncio.run(_tell(client, job.id, say))
        info = client.get_job_info(job.id)
    except KeyboardInterrupt:
        left = XtrError(f"the job goes on; {how_to_follow(job)}")
        left.exit_code = 130
        raise left from None
    except (OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise XtrError(f"the cluster no longer answers ({reason}); {how_to_follow(job)}") from None
    state = str(info.status)
    code = _ENDED[state] if info.driver_exit_code is None else info.driver_exit_code
    reason = "" if code == 0 or info.driver_exit_code else f": {info.message}"
    say(f"job {job.id}: {state.lower()}, exit code {code}{reason}")
    return code


def pack(file: Path, into: Path) -> Path:
    """Copy a sweep's files with their places beside one another; return the sweep's own, relative."""
    files = [each.resolve() for each in files_of(file)]
    base = Path(os.path.commonpath([each.parent for each in files]))
    for each in files:
        copy = into / each.relative_to(base)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(each, copy)
    return files[0].relative_to(base)


def how_to_follow(job: Job) -> str:
    """Tell the commands by which a job is looked after."""
    where = f"--address {job.address} {job.id}"
    return f"follow it: ray job logs --follow {where}; stop it: ray job stop {where}"


async def _tell(client: JobSubmissionClient, job: str, say: Callable[[str], None]) -> None:
    """Say what a job prints; a connection that breaks is made again, until the job has ended."""
    told = ""
    while str(client.get_job_status(job)) not in _ENDED:
        try:
            seen = ""
            async for text in client.tail_job_logs(job):
                seen += text
                if len(seen) > len(told):
                    say(seen[len(told) :].removesuffix("\n"))
                    told = seen
        except (OSError, RuntimeError):
            await asyncio.sleep(2)
    rest = client.get_job_logs(job)[len(told) :]
    if rest.strip():
        say(rest.removesuffix("\n"))


def _load_for_elsewhere(file: Path, overrides: Sequence[str], *, demo: bool) -> SweepSpec:
    """Check a file here, where variables may be missing that the cluster has."""
    return load_sweep(file, overrides, Elsewhere(os.environ), demo=demo)


def _stays_behind(spec: SweepSpec) -> Iterator[Problem]:
    """Find folders that a job would look for in its own working directory, which goes when it ends."""
    root = spec.storage.root
    if not is_uri(root) and _is_relative(root):
        yield Problem(
            "a Ray job's working directory does not outlast the job",
            where="storage.root",
            received=root,
            allowed="an absolute folder that all machines share, or s3://bucket/prefix",
            hint="--set storage.root=/mnt/xtr/runs",
        )
    uri = spec.tracking.uri or ""
    if uri.startswith("sqlite:///") and _is_relative(uri.removeprefix("sqlite:///")):
        hint = "sqlite:////mnt/xtr/mlflow.db, or a server"
        yield Problem("the job's own folder goes when it ends", "tracking.uri", uri, hint=hint)
    folders = {"data.official_root": spec.data.official_root, **_own_folders(spec)}
    for where, folder in folders.items():
        if folder is not None and _is_relative(folder):
            yield Problem(
                "a job brings no data along",
                where,
                folder,
                allowed="an absolute folder that all machines see",
            )


def _own_folders(spec: SweepSpec) -> dict[str, str]:
    folders = {f"data.hub_folders.{name}": folder for name, folder in spec.data.hub_folders.items()}
    if spec.model.name.startswith((".", "~")):
        folders["model.name"] = spec.model.name
    return folders


def _is_relative(path: str) -> bool:
    """Whether a path begins somewhere that differs by machine; what a variable says is not known here."""
    return not path.startswith(("/", "env:"))


def _client(address: str | None) -> JobSubmissionClient:
    """Open a cluster's jobs.

    Raises:
        InputError: no cluster is named, none answers there, or it asks for another token.
    """
    named = {"--address": address, **{name: os.environ.get(name) for name in ADDRESS_VARIABLES}}
    said, where = next(((name, each) for name, each in named.items() if each), ("", ""))
    if not where:
        hint = "--address http://127.0.0.1:8265; ray dashboard cluster.yaml opens it"
        raise InputError(Problem("no cluster is named", " or ".join(named), hint=hint))
    os.environ[ADDRESS_VARIABLES[0]] = where  # Ray lets the environment win over its argument
    from ray.exceptions import AuthenticationError, RayError
    from ray.job_submission import JobSubmissionClient

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return JobSubmissionClient(where)
    except AuthenticationError as error:
        hint = "RAY_AUTH_TOKEN, or the cluster's ~/.ray/auth_token on this machine, and RAY_AUTH_MODE=token"
        reason = str(error).partition("\n")[0]
        raise InputError(Problem(reason, said, where, hint=hint)) from None
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        hint = "is the cluster up, and its tunnel open? ray dashboard cluster.yaml"
        raise InputError(Problem(str(error).partition("\n")[0], said, where, hint=hint)) from None


def _has_place_for_drivers(client: JobSubmissionClient) -> bool:
    from ray.util.state import list_nodes
    from ray.util.state.exception import RayStateApiException

    try:
        nodes: list[Any] = list_nodes(
            address=client.get_address(), detail=True, raise_on_missing_output=False
        )
    except RayStateApiException:  # a cluster without it runs the job as any other
        return False
    return any(HEAD_RESOURCE in (node.resources_total or {}) for node in nodes if node.state == "ALIVE")
