"""The documentation says what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer.main

from docs.generate import HOUSE, README, SWEEP_FILE, TREE, annotated_tree, sweep_file_reference
from xtr.analysis.records.results import Result, results_csv
from xtr.cli import app
from xtr.cli_groups import COMMANDS
from xtr.spec.settings import TaskSettings, TrainSettings
from xtr.spec.sweep import SearchSpec, SweepSpec

ROOT = Path(__file__).resolve().parents[1]
REMEDY = "run: python -m docs.generate"


def test_the_sweep_file_page_is_that_of_the_models() -> None:
    assert SWEEP_FILE.read_text(encoding="utf-8") == sweep_file_reference(), REMEDY


def test_the_page_lists_every_field_with_its_default_and_meaning() -> None:
    page = sweep_file_reference()
    for model in (SweepSpec, SearchSpec, TrainSettings, TaskSettings):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} says nothing of itself"
            meaning = field.description.replace("|", "\\|")
            assert re.search(rf"^\| `{name}` \| .+ \| {re.escape(meaning)} \|$", page, re.MULTILINE), name
    assert "| `trials_per_pair` | `8` |" in page
    assert "## `stages.intermediate` and `stages.target`" in page


def test_the_tree_of_the_house_is_that_of_the_package() -> None:
    found = TREE.search(HOUSE.read_text(encoding="utf-8"))
    assert found, "docs/house.md has no tree between its markers"
    assert found[0] == annotated_tree(), REMEDY


def test_the_tree_names_every_module_once() -> None:
    lines = annotated_tree().splitlines()
    names = sorted(line.split()[0] for line in lines if ".py " in line)
    assert names == sorted(path.name for path in (ROOT / "xtr").rglob("*.py") if path.name != "__init__.py")
    assert [line for line in lines if len(line.split()) < 2] == []


def test_the_commands_in_the_readme_are_those_of_the_command_line() -> None:
    section = README.read_text(encoding="utf-8").split("## Commands", 1)[1].split("\n## ", 1)[0]
    told = re.findall(r"^\| `xtr ([a-z]+)", section, re.MULTILINE)
    command = typer.main.get_command(app)
    assert told == [name for names in COMMANDS.values() for name in names]
    assert set(told) == set(getattr(command, "commands"))  # noqa: B009  # typer's group has it, its type does not


def test_every_path_that_the_pages_name_exists() -> None:
    pages = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    missing = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in pages
        for path in re.findall(r"`((?:xtr|tests|sweeps|docs)/[\w./-]+)`", page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_the_coverage_of_intervals_is_what_the_benchmark_has_measured() -> None:
    page = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    kept = json.loads((ROOT / "benchmarks/results/coverage.json").read_text(encoding="utf-8"))
    measured = {each["name"]: f"{each['value']:.1f}" for each in kept["figures"]}
    assert all(each["met"] for each in kept["figures"])
    kinds = ("noise 0, taste 0", "noise 0.2, taste 0", "noise 0.5, taste 0", "noise 0.5, taste 0.5")
    for seeds in (3, 5, 10, 20):
        cells = [measured[f"{seeds} seeds, {kind}: coverage"] for kind in kinds]
        assert f"| {seeds} | {' | '.join(cells)} |" in page
    assert f"{kept['command'].split()[-1]} simulated worlds" in page


def test_pandas_reads_the_long_table_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    [snippet] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    trials = [
        Result("csqa", "tydiqa", 1, "search", n, "select", "", "f1", value, None, {"target.epochs": n})
        for n, value in enumerate((0.2, 0.4))
    ]
    tested = [
        Result(task, "tydiqa", seed, None, None, "test", language, "f1", value + seed / 10, 9)
        for task, language, value in (("none", "en", 0.1), ("none", "xa", 0.2), ("csqa", "en", 0.3))
        for seed in (1, 2)
    ]
    (tmp_path / "demo.csv").write_text(results_csv([*trials, *tested]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "docs/results.md", "exec"), {})
    said = capsys.readouterr().out
    assert re.search(r"^csqa +45.0 +NaN$", said, re.MULTILINE)
    assert re.search(r"^none +25.0 +35.0$", said, re.MULTILINE)
    assert "target.epochs" in said
