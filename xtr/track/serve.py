"""This is where MLflow's own pages are opened on a sweep's store: `xtr ui`, for this machine alone.

MLflow's server is a process of its own. It ends with this one, whatever ends it but SIGKILL.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO

from xtr.errors import InputError, Problem, XtrError
from xtr.spec.sweep import SweepSpec
from xtr.track.looks import VIEWS, view_page
from xtr.track.where import (
    DATABASES,
    SERVERS,
    SQLITE,
    artifact_location,
    database_file,
    experiment_name,
    tracking_uri,
    without_password,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PATIENCE_S = 180.0
"""How long a slow machine may take to start the server; 6 to 18 s are usual on two cores."""
GRACE_S = 10.0


def open_ui(spec: SweepSpec | None, host: str, port: int | None, say: Callable[[str], None]) -> None:
    """Serve MLflow's pages until Ctrl-C, or say where they are served already.

    Args:
        spec: the sweep whose page is named; None for the store that MLFLOW_TRACKING_URI names, or mlruns/.
        port: None takes a free one.

    Raises:
        InputError: the host is not this machine's own, the port is taken, or there is nothing to show.
        XtrError: MLflow's server does not start.
    """
    uri = tracking_uri(spec)
    if host not in LOOPBACK:
        raise InputError(
            Problem(
                "MLflow's pages ask nobody who they are, so they are for this machine alone",
                "--host",
                host,
                ", ".join(LOOPBACK),
                "from elsewhere: ssh -L PORT:127.0.0.1:PORT this-machine",
            )
        )
    if uri.startswith(SERVERS):
        scheme, _, place = uri.rstrip("/").partition("://")
        _say_where(f"{scheme}://{place.rpartition('@')[2]}", uri, spec, say)
        return
    _check(uri)
    host = LOOPBACK[0] if host == "localhost" else host
    with _server(uri, host, port or _free_port(host)) as (process, url):
        _say_where(url, uri, spec, say)
        say("Ctrl-C ends it")
        process.wait()
        raise XtrError(f"MLflow's server has ended by itself, with code {process.returncode}")


def _check(uri: str) -> None:
    file = database_file(uri)
    if file is None and not uri.startswith(DATABASES):
        allowed = f"{SQLITE}FILE, {', '.join(f'{each}://...' for each in DATABASES)}, http(s)://SERVER"
        shown = without_password(uri)
        raise InputError(Problem("no store that pages can be opened on", "tracking.uri", shown, allowed))
    if file is not None and not file.exists():
        raise InputError(
            Problem(
                "nothing is shown here yet", received=str(file), hint="xtr run FILE, or xtr track sync SWEEP"
            )
        )


def _say_where(url: str, uri: str, spec: SweepSpec | None, say: Callable[[str], None]) -> None:
    """Name the pages: those of the sweep first, if one was named, then of all."""
    for line in _pages_of(spec, url, uri) if spec else ():
        say(line)
    say(f"MLflow on {without_password(uri)}: {url}")


def _pages_of(spec: SweepSpec, url: str, uri: str) -> Iterator[str]:
    from mlflow.tracking import MlflowClient

    name = experiment_name(spec)
    found = MlflowClient(tracking_uri=uri).get_experiment_by_name(name)
    if found is None:
        yield f"{name} is not shown yet: xtr run FILE, or xtr track sync {spec.name}"
        return
    for view in VIEWS:
        yield f"{view} of {spec.name}: {url}/{view_page(found.experiment_id, view)}"


# -- the server ------------------------------------------------------------------------------------------


@contextmanager
def _server(uri: str, host: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start MLflow's server, lend it while it answers, and end it with all that it has started."""
    _check_free(host, port)
    command = [sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts", "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    if (artifacts := artifact_location(uri)) is not None:
        command += ["--default-artifact-root", artifacts]
    with tempfile.TemporaryFile() as log, _ends_like_ctrl_c(signal.SIGHUP):
        process = subprocess.Popen(
            command,
            env=_environment(uri),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own, which can be ended as a whole
        )
        try:
            _wait_until_it_answers(process, host, port, log)
            yield process, f"http://{f'[{host}]' if ':' in host else host}:{port}"
        except KeyboardInterrupt:
            pass  # this is how it ends
        finally:
            _end(process)


def _environment(uri: str) -> Mapping[str, str]:
    """Hand the URI over where nobody can read it off the list of processes: it may hold a password."""
    ours = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ, **ours}


def _wait_until_it_answers(process: subprocess.Popen[bytes], host: str, port: int, log: IO[bytes]) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < PATIENCE_S:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        connection.close()
        time.sleep(0.2)
    log.seek(0)
    last = "\n".join(log.read().decode(errors="replace").splitlines()[-5:])
    raise XtrError(f"MLflow's server does not start:\n{last}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group; what does not go in time is killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with suppress(ProcessLookupError):  # nobody is left, as a rule
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _ends_like_ctrl_c(number: signal.Signals) -> Iterator[None]:
    """Have a closed terminal end a block as Ctrl-C does."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _free_port(host: str) -> int:
    with socket.socket(_family(host)) as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])


def _check_free(host: str, port: int) -> None:
    with socket.socket(_family(host)) as mine:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            mine.bind((host, port))
        except OSError as error:
            why = f"{port} ({error.strerror})"
            raise InputError(Problem("this port is taken", "--port", why, hint="leave --port out")) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
