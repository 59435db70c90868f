"""The command line as a person meets it: help with examples, errors in words, JSON alone on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from xtr.catalogue.lookup import TASKS

GOOD = """version: 1
name: good
model: {name: demo}
pairs: {intermediate: [mnli], target: [xnli]}
search: {trials_per_pair: 2}
"""


def xtr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xtr", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "run",
        "submit",
        "plan",
        "validate",
        "schema",
        "tasks",
        "status",
        "best",
        "evaluate",
        "stage",
        "score",
        "export",
        "results",
        "compare",
        "findings",
        "ui",
        "report",
        "doctor",
        "data prepare",
        "data check",
        *(f"store {verb}" for verb in ("ls", "show", "why", "verify", "pin", "unpin", "gc")),
        "track sync",
    ],
)
def test_every_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    result = xtr(tmp_path, *command.split(), "--help")
    assert result.returncode == 0
    assert f"Example: xtr {command}" in result.stdout


def test_the_help_lists_commands_under_headings_in_whole_sentences_of_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = xtr(tmp_path, "--help").stdout.splitlines()
    start = lines.index("Start:")
    assert [line for line in lines[start:] if line.endswith(":")] == ["Start:", "Run:", "Read:", "Keep:"]
    assert not any("..." in line or "…" in line for line in lines[start:])
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("  ") for line in lines[start:]) == 22 + 1  # a line each, and the epilog
    assert xtr(tmp_path, "--version").stdout.startswith("xtr 0.")


def test_what_is_probably_a_mistake_is_told_of_a_valid_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    text = GOOD.replace("{name: demo}", "{name: xlm-roberta-bas}")
    (tmp_path / "slip.yaml").write_text(text.replace("pair: 2", "pair: 2, early_stopping: {rung_epochs: 9}"))
    result = xtr(tmp_path, "validate", "slip.yaml")
    assert result.returncode == 0
    first, *warnings = result.stdout.splitlines()
    assert first.startswith("slip.yaml: valid")
    assert [line.split()[0] for line in warnings] == ["warning:"] * 2
    assert "early stopping stops nothing" in warnings[0]
    assert "did you mean 'xlm-roberta-base'?" in warnings[1]


def test_all_errors_of_all_files_come_at_once_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        GOOD.replace("mnli", "mnlu").replace("trials_per_pair: 2", "trials: 2")
    )
    (tmp_path / "two.yaml").write_text(GOOD.replace("xnli", "xnly"))
    (tmp_path / "good.yaml").write_text(GOOD)
    result = xtr(tmp_path, "validate", "one.yaml", "good.yaml", "two.yaml")
    assert result.returncode == 2
    assert "good.yaml: valid" in result.stdout
    for expected in (
        "one.yaml:4",
        "did you mean 'mnli'",
        "one.yaml:5",
        "trials",
        "two.yaml:4",
        "did you mean 'xnli'",
    ):
        assert expected in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_option_or_command_is_a_user_error_in_words(tmp_path: Path) -> None:
    for arguments in (
        ["plam"],
        ["plan"],
        ["plan", "x.yaml", "--jsn"],
        ["tasks", "xnly"],
        ["tasks", "--role", "both"],
    ):
        result = xtr(tmp_path, *arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.strip()
        assert "Traceback" not in result.stderr


def test_a_sweep_that_was_never_run_is_named_with_those_that_were(tmp_path: Path) -> None:
    (tmp_path / "runs/sweeps/good").mkdir(parents=True)
    (tmp_path / "runs/sweeps/good/spec.yaml").write_text(GOOD)
    for command in ("status", "best", "evaluate"):
        result = xtr(tmp_path, command, "goood")
        assert result.returncode == 2
        assert "did you mean 'good'" in result.stderr
    assert "no trial has finished yet" in xtr(tmp_path, "best", "good").stdout
    assert xtr(tmp_path, "evaluate", "good").returncode == 2
    assert xtr(tmp_path, "export", "good", "--to", "best").returncode == 2


def test_json_stands_alone_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    plan = json.loads(xtr(tmp_path, "plan", "good.yaml", "--json").stdout)
    assert (plan["schema_version"], plan["pairs"], plan["sweep"]) == (1, 2, "good")
    assert set(plan["stages"]) == {"intermediate", "target", "evaluate"}
    tasks = json.loads(xtr(tmp_path, "tasks", "--json").stdout)["tasks"]
    assert {task["name"] for task in tasks} == set(TASKS)
    task = json.loads(xtr(tmp_path, "tasks", "tydiqa", "--json").stdout)
    assert (task["family"], task["held_out"]) == ("span", 0.1)


def test_tasks_are_listed_by_role_and_shown_in_full(tmp_path: Path) -> None:
    targets = xtr(tmp_path, "tasks", "--role", "target").stdout
    assert "xnli" in targets
    assert "csqa" not in targets
    shown = xtr(tmp_path, "tasks", "tatoeba").stdout
    for expected in ("retrieval", "accuracy", "CC BY 2.0 FR", "da ga is", "Artetxe"):
        assert expected in shown


def test_running_on_official_data_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "good.yaml").write_text(GOOD + "data: {source: official, official_root: data}\n")
    result = xtr(tmp_path, "run", "good.yaml")
    assert result.returncode == 2
    assert "data/xnli/train-en.tsv" in result.stderr
    assert "data.official_root" in result.stderr


def test_hub_data_are_checked_from_local_folders(tmp_path: Path) -> None:
    from tests.data.hub_folders import write_mnli, write_xnli

    folders = {
        "facebook/xnli": str(write_xnli(tmp_path / "xnli")),
        "nyu-mll/glue": str(write_mnli(tmp_path / "glue")),
    }
    data = {"source": "hub", "hub_folders": folders}
    sweep = GOOD + f"data: {json.dumps(data)}\nstages: {{evaluate: {{languages: [de, en]}}}}\n"
    (tmp_path / "hub.yaml").write_text(sweep)
    result = xtr(tmp_path, "data", "check", "hub.yaml", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    rows = {f"{each['task']} {each['split']} {each['language']}": each["rows"] for each in document["splits"]}
    assert rows == {"mnli train en": 5, "mnli select en": 6, "xnli test de": 6, "xnli test en": 6}
    assert "the full set 392702" in document["warnings"][0]
    refused = xtr(tmp_path, "data", "check", "hub.yaml", "--set", "stages.evaluate.languages=[fr]")
    assert refused.returncode == 2
    assert "no such configuration" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_task_is_shown_with_its_home_on_the_hub_and_a_row_where_data_is_at_hand(tmp_path: Path) -> None:
    (tmp_path / "xnli").mkdir()
    (tmp_path / "xnli/dev-de.tsv").write_text("Er schlief.\tEr war wach.\tcontradiction\n")
    shown = xtr(tmp_path, "tasks", "xnli", "--data", str(tmp_path)).stdout
    for fact in ("facebook/xnli {lang} test", "5,010 in ar bg de", "CC BY-NC 4.0", "Conneau", "[pairs_tsv]"):
        assert fact in shown
    assert "first row of dev de\n  id         0\n  first      Er schlief." in shown
    assert "no file of panx" in xtr(tmp_path, "tasks", "panx", "--data", str(tmp_path)).stdout


def test_a_users_own_task_is_shown(tmp_path: Path) -> None:
    file = Path(__file__).resolve().parents[1] / "docs" / "examples" / "aspects.yaml"
    assert (
        "labels     negative, neutral, positive"
        in xtr(tmp_path, "tasks", "aspects", "--catalogue", str(file)).stdout
    )


def test_the_plan_of_a_changed_file_shows_what_has_changed_since_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "runs/sweeps/good").mkdir(parents=True)
    (tmp_path / "runs/sweeps/good/spec.yaml").write_text(GOOD)
    (tmp_path / "good.yaml").write_text(GOOD)
    assert "has changed" not in xtr(tmp_path, "plan", "good.yaml").stdout
    more = ("--set", "search.trials_per_pair=5", "--set", "compute.workers=2")
    text = xtr(tmp_path, "plan", "good.yaml", *more).stdout
    assert "good has changed since its last run:\n  search.trials_per_pair: 2 -> 5\n" in text
    assert "  compute.workers: 1 -> 2    (changes no result)\n" in text
    changes = json.loads(xtr(tmp_path, "plan", "good.yaml", *more, "--json").stdout)["changes"]
    assert [each["path"] for each in changes["settings"]] == ["search.trials_per_pair", "compute.workers"]


def test_a_budget_in_money_without_prices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    result = xtr(tmp_path, "run", "good.yaml", "--set", "budget.money=5")
    assert result.returncode == 2
    assert "prices.gpu_hour" in result.stderr
    assert not (tmp_path / "runs/sweeps").exists()


def test_a_demo_is_asked_for_and_named_in_the_next_command(tmp_path: Path) -> None:
    demo = "demo: {pairs: {intermediate: [squad_v1], target: [tydiqa]}}\n"
    (tmp_path / "good.yaml").write_text(GOOD + demo)
    checked = xtr(tmp_path, "validate", "good.yaml", "--demo")
    assert "next: xtr plan good.yaml --demo" in checked.stdout
    planned = xtr(tmp_path, "plan", "good.yaml", "--demo")
    assert planned.stdout.startswith("good-demo: 2 pairs")
    assert "next: xtr run good.yaml --demo" in planned.stdout
    assert xtr(tmp_path, "plan", "good.yaml", "--json").stdout.count("good-demo") == 0
