"""Two winners beside each other: the same items, the same seeds, and words where there are none."""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.test_care import Plain
from xtr.analysis.answers.compare import Side, compare_sides, find_side
from xtr.analysis.answers.compare_text import comparison_document, comparison_text
from xtr.analysis.records.results import results_csv, results_of, write_parquet
from xtr.analysis.records.scores import ScoreRow, write_scores
from xtr.analysis.records.trials import TrialRow, write_trials
from xtr.errors import InputError
from xtr.fingerprint import JSON
from xtr.spec.load import load_stored
from xtr.spec.search import ORACLE
from xtr.stages.store import StageStore
from xtr.statistics.significance import paired_p

SPEC = """
version: 1
name: paper
model: {name: demo}
pairs: {intermediate: [mnli], target: [xnli]}
search: {trials_per_pair: 1, confirm: {top: 1, seeds: []}}
data: {source: demo, demo_scale: 0.01}
"""


def outcomes(seed: int, chance: float, n: int = 120) -> list[dict[str, JSON]]:
    right = np.random.default_rng(seed).random(n) < chance
    return [{"id": str(i), "accuracy": float(each)} for i, each in enumerate(right)]


@dataclass
class Sweep:
    """A sweep of one target whose winners were scored on seeds that each intermediate task has."""

    root: Path

    def __post_init__(self) -> None:
        self.folder = self.root / "sweeps" / "paper"
        self.folder.mkdir(parents=True)
        (self.folder / "spec.yaml").write_text(SPEC)
        self.store, self.rows, self.trials = StageStore(self.root), list[ScoreRow](), list[TrialRow]()

    def trial(self, intermediate: str, score: float, rate: float) -> None:
        params = {"target.learning_rate": rate}
        self.trials.append(TrialRow(intermediate, "xnli", 0, "search", 0, 1, params, "complete", score))
        write_trials(self.folder, self.trials)

    def score(self, intermediate: str, language: str, seed: int, items: list[dict[str, JSON]]) -> None:
        stage = Plain({"kind": "evaluate", "of": [intermediate, language, seed]})
        with self.store.workspace(stage.key) as folder:
            (folder / "items.jsonl").write_text("".join(json.dumps(each) + "\n" for each in items))
            self.store.publish(stage, folder, {}, {})  # type: ignore[arg-type]
        value = float(np.mean([float(str(each["accuracy"])) for each in items]))
        self.rows.append(
            ScoreRow(intermediate, "xnli", seed, "test", language, "accuracy", value, len(items), stage.key)
        )
        write_scores(self.folder, self.rows, "test")

    def side(self, intermediate: str = "") -> Side:
        spec = load_stored(self.folder, str(self.root))
        return find_side(f"paper/{intermediate or '(best)'}", spec, self.folder, intermediate)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """After mnli German is far better and French is as before."""
    sweep = Sweep(tmp_path)
    sweep.trial("mnli", 0.8, 3e-5)
    sweep.trial("none", 0.5, 1e-5)
    for seed in (1, 2, 3):
        for intermediate, german in (("mnli", 0.9), ("none", 0.5)):
            sweep.score(intermediate, "de", seed, outcomes(seed + 10 * len(intermediate), german))
            sweep.score(intermediate, "fr", seed, outcomes(seed, 0.6))
    return sweep


def test_languages_are_compared_on_the_same_items_and_seeds(sweep: Sweep) -> None:
    ours, theirs = sweep.side("mnli"), sweep.side("none")
    [found] = compare_sides(ours, theirs, "test")
    german, french = found.languages
    assert (german.language, french.language) == ("de", "fr")
    assert german.difference.mean == pytest.approx(german.one - german.other)
    scored, scored_none = ours.scored("xnli", "test")["de"], theirs.scored("xnli", "test")["de"]
    by_seed = [scored[seed].value - scored_none[seed].value for seed in (1, 2, 3)]
    assert german.p == paired_p(by_seed)
    assert german.p_items < 0.001
    assert german.difference.excludes_nought
    assert (french.p, french.p_holm, french.difference.mean) == (None, None, 0.0), "no spread, no test"
    assert french.p_items == 1.0
    assert german.p_holm == german.p, "one language could be tested"
    assert found.mean.mean == pytest.approx(german.difference.mean / 2)
    assert found.mean.n_seeds == 3
    assert found.changed == {"target.learning_rate": (3e-5, 1e-5)}


def test_what_is_told_is_the_same_in_text_and_json(sweep: Sweep) -> None:
    ours, theirs = sweep.side(), sweep.side("none")
    compared = compare_sides(ours, theirs, "test")
    text = comparison_text(ours, theirs, compared)
    assert "after mnli and after none" in text
    assert "target.learning_rate: 3e-05 and 1e-05" in text
    assert "over 3 seeds that both have" in text
    marked = comparison_text(replace(ours, caveat=(ORACLE,)), theirs, compared)
    assert marked == f"{ours.name}: {ORACLE}\n\n{text}"
    document = json.loads(json.dumps(comparison_document(ours, theirs, compared, "test")))
    german = document["targets"][0]["languages"][0]
    assert f"{100 * german['difference']['mean']:+.1f}" in text


def test_one_common_seed_gives_no_interval(sweep: Sweep) -> None:
    sweep.rows = [row for row in sweep.rows if row.intermediate == "none" or row.seed == 2]
    write_scores(sweep.folder, sweep.rows, "test")
    ours, theirs = sweep.side("mnli"), sweep.side("none")
    [found] = compare_sides(ours, theirs, "test")
    assert found.mean.low is None
    german = found.languages[0]
    assert (german.p, german.p_holm) == (None, None)
    assert german.p_items < 0.01, "the items still tell, of these checkpoints"
    text = comparison_text(ours, theirs, [found])
    assert "one seed: no interval can be given, and nothing is known of the luck of training" in text
    assert "of these two checkpoints alone" in text


def test_the_luck_of_seeds_is_no_effect(tmp_path: Path) -> None:
    """Two trainings of one recipe, whose seeds differ by some points."""
    sweep, draw = Sweep(tmp_path), np.random.default_rng(0)
    sweep.trial("mnli", 0.8, 3e-5)
    sweep.trial("none", 0.8, 3e-5)
    codes = [f"l{i}" for i in range(10)]
    for code, seed, name in itertools.product(codes, (1, 2, 3), ("mnli", "none")):
        luck = 0.7 + draw.normal(0, 0.06)
        sweep.score(name, code, seed, outcomes(int(draw.integers(1 << 30)), luck, n=200))
    [found] = compare_sides(sweep.side("mnli"), sweep.side("none"), "test")
    wrong = [each.language for each in found.languages if each.p is not None and each.p < 0.05]
    assert len(wrong) <= 2
    assert sum(each.p_items < 0.05 for each in found.languages) > len(wrong), (
        "of these checkpoints it is true"
    )
    assert min(each.p_holm or 1.0 for each in found.languages) > 0.05


def test_what_cannot_be_compared_is_refused_with_the_way_on(sweep: Sweep) -> None:
    ours, theirs = sweep.side("mnli"), sweep.side("none")
    with pytest.raises(InputError, match="xtr evaluate paper --split dev"):
        compare_sides(ours, theirs, "dev")
    with pytest.raises(InputError, match=r"no finished trial to compare[\s\S]*mnli, none"):
        sweep.side("csqa")
    sweep.store.remove(sweep.rows[0].stage)
    with pytest.raises(InputError, match="no longer stored"):
        compare_sides(ours, theirs, "test")


def test_other_items_are_not_compared(sweep: Sweep) -> None:
    for seed in (1, 2, 3):
        sweep.score("mnli", "sw", seed, outcomes(seed, 0.5))
        sweep.score("none", "sw", seed, outcomes(seed, 0.5)[1:])
    with pytest.raises(InputError, match="not scored on the same items in sw"):
        compare_sides(sweep.side("mnli"), sweep.side("none"), "test")


def test_the_long_table_has_select_and_test_scores(sweep: Sweep, tmp_path: Path) -> None:
    rows = results_of(sweep.folder)
    read = list(csv.DictReader(io.StringIO(results_csv(rows))))
    assert len(read) == 2 + 12
    assert [row["value"] for row in read if row["split"] == "select"] == ["0.8", "0.5"]
    german = [row for row in read if row["language"] == "de" and row["seed"] == "2"]
    assert [row["intermediate"] for row in german] == ["mnli", "none"]
    assert [(row["n"], row["trial"]) for row in german] == [("120", "")] * 2
    write_parquet(rows, tmp_path / "table.parquet")
    import pandas

    table = pandas.read_parquet(tmp_path / "table.parquet")
    assert table[table.split == "test"].value.mean() == pytest.approx(
        np.mean([row.value for row in sweep.rows])
    )
    assert table.n.isna().sum() == 2
