"""The sweep files that come with xtr: they say what they are for, and they are valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xtr.catalogue.lookup import find_task, forget_own
from xtr.catalogue.published import PUBLISHED, STILTS_GAIN, XLMR_LARGE
from xtr.metrics.xtreme import LanguageScores, benchmark_score
from xtr.spec.load import load_sweep
from xtr.spec.sweep import Pair

SWEEPS = sorted((Path(__file__).resolve().parents[2] / "sweeps").glob("*.yaml"))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folders that the files take from the environment; tasks that a file describes are forgotten again."""
    for name in ("XTR_DATA", "XTR_MINILM"):
        monkeypatch.setenv(name, str(tmp_path))
    yield
    forget_own()


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_file_says_its_question_and_how_to_run_it_and_is_valid(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert head.startswith("# Question : ")
    assert f"xtr run  sweeps/{path.name}" in head or "# Run      : " in head
    assert load_sweep(path, []).name == path.stem


def test_the_grid_of_x_stilts_covers_nine_tasks_and_nine_targets() -> None:
    spec = load_sweep(next(path for path in SWEEPS if path.stem == "stilts"), [])
    pairs = spec.pairs.pairs()
    nine = ("anli_plus", "mnli", "qqp", "squad_v2", "squad_v1", "hellaswag", "ccg", "cosmosqa", "csqa")
    assert len(spec.pairs.target) == 9
    assert {Pair(each, target) for each in ("none", *nine, "all9") for target in spec.pairs.target} <= set(
        pairs
    )
    assert spec.stages.target.carry_head
    assert spec.stages.intermediate.resolved_for("anli_plus", {}).mixture.sampling == "proportional"
    assert spec.stages.intermediate.resolved_for("all9", {}).mixture.sampling == "temperature"


def test_published_numbers_average_to_what_was_published() -> None:
    scores: dict[str, LanguageScores] = {}
    for task, number in XLMR_LARGE.scores.items():
        values = {"accuracy": number.value, "f1": number.value, "exact_match": number.exact_match or 0.0}
        known = find_task(task).metrics
        scores[task] = {"all": {name: value / 100 for name, value in values.items() if name in known}}
    overall = benchmark_score(scores, "xtreme").overall
    assert XLMR_LARGE.average is not None
    assert overall == pytest.approx(XLMR_LARGE.average.value, abs=0.2), (
        "POS was 72.6 when the average was published"
    )
    assert STILTS_GAIN.value == pytest.approx(73.5 - XLMR_LARGE.average.value)
    assert {number.confidence for each in PUBLISHED for number in each.scores.values()} == {
        "read",
        "recalled",
    }


def test_the_claims_of_the_paper_have_a_source_and_no_number_that_it_does_not_give() -> None:
    contrasts = load_sweep(next(path for path in SWEEPS if path.stem == "stilts"), []).contrasts
    assert len(contrasts) == 9
    assert all("2005.13013" in each.source for each in contrasts.values())
    assert {str(each.expect) for each in contrasts.values()} == {"above 0", "below 1"}
