"""xtr from Python: the page's snippets, one after the other in one process, give what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xtr
from xtr.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_snippets_of_the_page_run_one_after_the_other(tmp_path: Path) -> None:
    [file] = snippets("yaml")
    (tmp_path / "small.yaml").write_text(file)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets("python"))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": "/tmp", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "2 pairs, 7 trials, 7 target trainings"
    assert said[1] == "0 failed"
    assert {line.split()[1] for line in said if line.startswith("tydiqa ")} == {"squad_v1", "none"}
    assert [line.split()[0] for line in said if re.match(r"(none|squad_v1) +\d", line)] == [
        "none",
        "squad_v1",
    ]
    assert said[-2:] == ["best/tydiqa.yaml", "0 training steps to find it again"]


def test_every_name_is_there_and_comes_with_its_documentation() -> None:
    for name in xtr.__all__:
        assert getattr(xtr, name).__doc__, name
        assert name in PAGE, f"docs/python.md does not show {name}"
    assert set(xtr.__all__) < set(dir(xtr))


def test_to_import_xtr_imports_nothing_else() -> None:
    code = (
        "import sys, xtr; xtr.load_sweep; print([m for m in ('torch', 'ray', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_name_that_is_not_there_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        xtr.nothing  # noqa: B018


def test_a_sweep_that_was_never_run_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such sweep"):
        xtr.open_sweep("absent", root=str(tmp_path))
