"""A Ray cluster of this machine's own: processes with their own ports, token and temp folder.

It is ended by the process ids it has, so any other Ray of this machine runs on; `ray stop` would end that too.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from xtr.spec.load import load_sweep
from xtr.spec.sweep import SweepSpec

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DEMO = REPOSITORY / "sweeps" / "demo.yaml"


def until(what: str, happened: Callable[[], object], *, seconds: float) -> None:
    """Wait until something is so, or fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        threading.Event().wait(0.1)


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead xtr or Ray elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") and name != "MLFLOW_TRACKING_URI"
    }
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "HF_HUB_OFFLINE": "1", **more}


def run_arguments(root: Path, **values: object) -> list[str]:
    """`xtr run` of a tiny demo below a folder: double underscores stand for dots, and win over these values."""
    tiny = {
        "data.demo_scale": 0.05,
        "pairs.intermediate": "[csqa]",
        "pairs.target": "[tydiqa]",
        "search.confirm.seeds": "[]",
        "storage.root": root,
        "tracking.uri": f"sqlite:///{root}/mlflow.db",
    }
    own = {name.replace("__", "."): value for name, value in values.items()}
    pairs = [f"{name}={value}" for name, value in (tiny | own).items()]
    return ["xtr", "run", str(DEMO), *(word for pair in pairs for word in ("--set", pair))]


def spec_of(command: Sequence[str]) -> SweepSpec:
    """The sweep that such a command runs."""
    return load_sweep(DEMO, [word for word in command[3:] if word != "--set"])


def processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of every process that is not a zombie, by process id."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 3) for line in listing.stdout.splitlines())
    return {int(row[0]): (int(row[1]), row[3]) for row in rows if len(row) == 4 and row[2][0] != "Z"}


def descendants(pid: int) -> set[int]:
    """A process's children, their children and so on."""
    parents = {each: parent for each, (parent, _) in processes().items()}
    found, edge = set[int](), {pid}
    while edge:
        edge = {each for each, parent in parents.items() if parent in edge} - found
        found |= edge
    return found


def end(*pids: int, seconds: float = 20) -> None:
    """Ask processes and then all they started to end; what does not is killed."""
    family = set(pids).union(*(descendants(pid) for pid in pids))
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    with contextlib.suppress(AssertionError):
        until("the end of Ray", lambda: not family & processes().keys(), seconds=seconds)
    for pid in family & processes().keys():
        _signal(pid, signal.SIGKILL)
    until("the end of what was killed", lambda: not family & processes().keys(), seconds=30)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclass
class LocalCluster:
    """A head and, by `add_nodes`, more nodes; a context manager that leaves nothing behind."""

    cpus: int
    drivers: int = 2
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="xtr-", dir="/tmp")))
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.dashboard_port, client_port = free_ports(3)
        self.token = secrets.token_hex(32)
        self.environment = clean_environment(
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN=self.token,
            RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S="0",  # else a node that is asked to end waits for half a minute
        )
        self._client_port = client_port

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> LocalCluster:
        try:
            self._start(
                "--head",
                f"--port={self.port}",
                f"--dashboard-port={self.dashboard_port}",
                "--dashboard-host=127.0.0.1",
                f"--ray-client-server-port={self._client_port}",
                f"--temp-dir={self.folder}",
                f"--num-cpus={self.cpus}",
                f"--resources={json.dumps({'xtr_driver': self.drivers})}",
            )
            until("a head that takes jobs", lambda: self.ask("/api/jobs/") is not None, seconds=60)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_nodes(self, n: int, *, cpus: int) -> None:
        """Start more nodes, one after the other: two at once race for the names of their sockets."""
        for _ in range(n):
            self._start(f"--address={self.address}", f"--num-cpus={cpus}")
            until("a node that joins", lambda: self.n_alive() == len(self.nodes), seconds=60)

    def n_alive(self) -> int:
        """Nodes that the head holds for alive."""
        answer = self.ask("/api/v0/nodes") or {"data": {"result": {"result": []}}}
        return sum(node["state"] == "ALIVE" for node in answer["data"]["result"]["result"])

    def ask(self, path: str) -> Any:
        """Read a page of the dashboard; None where it does not answer yet."""
        request = urllib.request.Request(
            self.dashboard + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def submit(
        self, command: Sequence[str], *, seconds: float, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Submit a job as a user does, with the repository as working directory, and follow it to its end."""
        return subprocess.run(
            [
                *("ray", "job", "submit", "--address", self.dashboard, "--working-dir", str(REPOSITORY)),
                *("--entrypoint-resources", '{"xtr_driver": 1}', "--", *command),
            ],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )

    def xtr(self, *arguments: str, seconds: float, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of xtr on a machine that reaches the cluster's dashboard alone."""
        return subprocess.run(
            [sys.executable, "-m", "xtr", *arguments],
            env=self.environment | {"RAY_API_SERVER_ADDRESS": self.dashboard} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            cwd=REPOSITORY,
        )

    @contextlib.contextmanager
    def driver(self, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        """Run a command on this cluster, as its own process."""
        environment: Mapping[str, str] = self.environment | {"RAY_ADDRESS": self.address}
        with started(command, environment) as process:
            yield process

    def workers(self) -> dict[int, int]:
        """Ray Train's workers on this cluster: process id and the id of the node process that started it."""
        ours = set().union(*(descendants(node.pid) for node in self.nodes))
        rows = processes()
        return {
            pid: rows[pid][0]
            for pid in ours
            if pid in rows and rows[pid][1].startswith("ray::RayTrainWorker")
        }

    def close(self) -> None:
        end(*(node.pid for node in self.nodes))
        for node in self.nodes:
            node.wait(timeout=10)
        left = [line for _, line in processes().values() if str(self.folder) in line]
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not left, f"left behind: {left}"

    def _start(self, *arguments: str) -> None:
        log = (self.folder / f"node-{len(self.nodes)}.log").open("wb")
        common = [
            *("--block", "--node-ip-address=127.0.0.1", "--disable-usage-stats"),
            *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
            "--object-store-memory=100000000",
        ]
        with log:
            self.nodes.append(
                subprocess.Popen(
                    [str(BIN / "ray"), "start", *arguments, *common],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )


@contextlib.contextmanager
def started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own; whatever is left of it at the end of the block is ended."""
    process = subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process.pid)
        process.communicate()


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on; held together, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
