"""MLflow's pages on a finished sweep, as a user sees them: `xtr ui`, and Chromium without a screen."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.search.specs import drive, sweep
from tests.track.browser import Browser, browser, chromium
from xtr.analysis.answers.leaderboard import leaderboard
from xtr.analysis.records.trials import read_trials
from xtr.errors import InputError
from xtr.search.book import Book
from xtr.search.sweep import sweep_folder
from xtr.search.sync import sync_tracking
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import Pair, SweepSpec
from xtr.track.looks import pair_name
from xtr.track.serve import open_ui


def said(uri: str, monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1", port: int | None = None) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    lines: list[str] = []
    open_ui(None, host, port, lines.append)
    return "\n".join(lines)


def test_pages_are_for_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"this machine alone[\s\S]*0\.0\.0\.0[\s\S]*ssh -L"):
        said("sqlite:///absent.db", monkeypatch, host="0.0.0.0")


def test_a_server_is_named_and_none_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said("http://user:secret@tracker:5000/", monkeypatch)
    assert told.startswith("MLflow on http://user:***@tracker:5000")
    assert "secret" not in told


def test_what_no_page_can_show_is_refused_with_the_way_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"nothing is shown here yet[\s\S]*xtr run"):
        said(f"sqlite:///{tmp_path}/mlflow.db", monkeypatch)
    with pytest.raises(InputError, match=r"no store that pages can be opened on[\s\S]*sqlite"):
        said("file:///mlruns", monkeypatch)
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="this port is taken"):
            said(f"sqlite:///{tmp_path}/mlflow.db", monkeypatch, port=taken.getsockname()[1])


@dataclass(frozen=True)
class Ui:
    """Pages of a sweep that are being served; `pages` by the words before their URLs."""

    spec: SweepSpec
    process: subprocess.Popen[str]
    pages: dict[str, str]
    browser: Browser

    @property
    def port(self) -> str:
        found = re.search(r"127\.0\.0\.1:(\d+)", self.pages["leaderboard of studied"])
        assert found is not None
        return found[1]

    def processes(self) -> list[int]:
        """Find what runs on the pages' port."""
        asked, found = f"--port\0{self.port}\0", []
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += [int(line.parent.name)] if asked in line.read_text() else []
            except OSError:  # it has just ended
                continue
        return found


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A sweep whose trials were told scores, served; nothing is trained."""
    chromium()
    folder = tmp_path_factory.mktemp("ui")
    plain = sweep(folder / "runs", trials_per_pair=2, generation=2)
    uri = f"sqlite:///{folder / 'mlruns/mlflow.db'}"
    spec = plain.model_copy(update={"tracking": plain.tracking.model_copy(update={"uri": uri})})
    held = sweep_folder(spec)
    drive(Book(spec, held), 1, random.Random(0))
    (held / "spec.yaml").write_text(to_yaml(spec))
    sync_tracking(spec)
    asked, there = [sys.executable, "-m", "xtr"], ["studied", "--root", str(folder / "runs")]
    subprocess.run([*asked, "report", *there, "--to", str(folder / "report")], cwd=folder, check=True)
    process = subprocess.Popen(
        [*asked, "ui", *there],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    pages = {}
    for line in process.stdout:
        if line.startswith("Ctrl-C"):
            break
        name, _, url = line.strip().partition(": ")
        pages[name] = url
    try:
        with browser(folder / "chromium") as opened:
            yield Ui(spec, process, pages, opened)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_leaderboard_is_read_off_the_runs_table(ui: Ui) -> None:
    assert next(iter(ui.pages)) == "leaderboard of studied"
    ranked = leaderboard(ui.spec, read_trials(sweep_folder(ui.spec)))
    names = [pair_name(Pair(row.intermediate, row.target)) for row in ranked]
    scores = [f"{round(row.score, 4):g}" for row in ranked]
    columns = ["select/score", "transfer/best", "transfer/same_settings"]
    page = ui.browser.read(ui.pages["leaderboard of studied"], *names, *scores, *columns)
    lines = page.splitlines()
    places = [lines.index(name) for name in names]
    assert len(places) == 6
    assert places == sorted(places), "best first, target by target"
    assert {*scores, *columns} <= set(lines)
    assert not any("search 000" in line for line in lines), "winners alone"


@pytest.mark.slow
def test_artifacts_open(ui: Ui) -> None:
    client = MlflowClient(tracking_uri=ui.spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    [run] = client.search_runs([experiment.experiment_id], "tags.`xtr.kind` = 'sweep'")
    server = ui.pages["leaderboard of studied"].partition("#")[0]
    artifacts = f"{server}#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}/artifacts"
    text = ui.browser.read(f"{artifacts}/sweep.yaml", "trials_per_pair: 2")
    assert "target: [tydiqa, tatoeba]" in text
    report = ui.browser.read(f"{artifacts}/report/report.html", "Leaderboard", frame=True)
    assert "squad_v1" in report
    assert "xtr report, " in report


@pytest.mark.slow
def test_ctrl_c_ends_it_and_leaves_no_process(ui: Ui) -> None:
    assert ui.processes()
    ui.process.send_signal(signal.SIGINT)
    assert ui.process.wait(60) == 0
    assert ui.processes() == []
