"""What `xtr export --weights` hands on: the best seed's weights, scores with intervals, a card, predictions."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
import transformers
from huggingface_hub import ModelCard
from safetensors.torch import save_file

from tests.analysis.test_care import Plain
from xtr.analysis.export.config import export_best
from xtr.analysis.export.folder import ModelFolder, export_models
from xtr.analysis.records.references import record_evaluations
from xtr.analysis.records.scores import ScoreRow, read_scores, write_scores
from xtr.analysis.records.trials import Phase, TrialRow, read_trials, write_trials
from xtr.catalogue.lookup import find_task
from xtr.errors import InputError
from xtr.families.family import HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.fingerprint import JSON
from xtr.model.encoder import Encoder, save_encoder
from xtr.spec.load import load_stored
from xtr.spec.search import ORACLE
from xtr.stages.store import StageStore
from xtr.statistics.intervals import mean_interval

SPEC = """
version: 1
name: paper
description: Which one helps?
model: {name: FacebookAI/xlm-roberta-base}
pairs: {intermediate: [mnli], target: [xnli]}
search:
  space: {target.learning_rate: {choice: [1e-5, 3e-5]}}
  trials_per_pair: 2
  confirm: {top: 1, seeds: [2, 3, 4]}
data: {source: hub}
"""
SCORES = {2: 0.70, 3: 0.76, 4: 0.73}
"""Select scores by seed."""


@dataclass
class Finished:
    """A sweep of one target, confirmed on three seeds and evaluated in two languages."""

    root: Path
    encoder: Encoder
    stages: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder, self.store = self.root / "runs/sweeps/paper", StageStore(self.root / "runs")
        self.folder.mkdir(parents=True)
        (self.folder / "spec.yaml").write_text(SPEC)
        self.spec = load_stored(self.folder, str(self.root / "runs"))
        self.to = self.root / "best"
        searched = self.row("search", 1, 0.75)
        write_trials(
            self.folder, [searched, *(self.row("confirm", seed, value) for seed, value in SCORES.items())]
        )
        scores = [self.evaluate(seed, code) for seed in SCORES for code in ("de", "sw")]
        write_scores(self.folder, scores, "test")
        record_evaluations(self.folder, "test", [row.stage for row in scores])

    def row(self, phase: Phase, seed: int, value: float) -> TrialRow:
        self.stages[seed] = self.train(seed)
        detail: dict[str, JSON] = {"stages": [{"key": "0" * 32}, {"key": self.stages[seed]}]}
        params, of = {"target.learning_rate": 3e-5}, None if phase == "search" else 0
        place = ("mnli", "xnli", 0 if of is None else seed, phase, 0, seed)
        return TrialRow(*place, dict(params), "complete", value, None, of, detail)

    def train(self, seed: int) -> str:
        stage, task = Plain({"kind": "train", "seed": seed}), find_task("mnli")
        torch.manual_seed(seed)
        head = family_of(task).head(self.encoder, task, HeadSettings())
        with self.store.workspace(stage.key) as folder:
            save_encoder(self.encoder, folder / "encoder")
            (folder / "heads").mkdir()
            save_file(head.state_dict(), folder / "heads" / f"{head_id(task)}.safetensors")
            self.store.publish(stage, folder, {}, {})  # type: ignore[arg-type]
        return stage.key

    def evaluate(self, seed: int, language: str) -> ScoreRow:
        recipe: dict[str, JSON] = {"kind": "evaluate", "parent": self.stages[seed], "task": "xnli"}
        stage = Plain(recipe | {"split": "test", "language": language})
        with self.store.workspace(stage.key) as folder:
            (folder / "predictions.tsv").write_text(f"seed {seed} in {language}\n")
            self.store.publish(stage, folder, {"predictions": "predictions.tsv"}, {})  # type: ignore[arg-type]
        value = SCORES[seed] - (0.3 if language == "sw" else 0.1)
        return ScoreRow("mnli", "xnli", seed, "test", language, "accuracy", value, 5010, stage.key)

    def export(self) -> ModelFolder:
        trials, scores = read_trials(self.folder), read_scores(self.folder)
        export_best(self.spec, trials, scores, self.to)
        [exported] = export_models(self.spec, self.folder, self.to)
        return exported


@pytest.fixture
def finished(tmp_path: Path, encoder: Encoder) -> Finished:
    return Finished(tmp_path, encoder)


def test_the_folder_holds_the_best_seed_s_model_and_its_predictions(finished: Finished) -> None:
    exported = finished.export()
    assert (exported.folder.name, exported.seed) == ("xnli", 3)
    assert exported.auto_class == "AutoModelForSequenceClassification"
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(exported.folder)
    torch.manual_seed(3)
    head = family_of(find_task("mnli")).head(finished.encoder, find_task("mnli"), HeadSettings())
    assert torch.equal(plain.classifier.out_proj.weight, head.state_dict()["out.weight"])
    assert list(plain.config.id2label.values()) == list(find_task("mnli").labels)
    predictions = exported.folder / "predictions/test/xnli"
    assert {path.name: path.read_text() for path in predictions.iterdir()} == {
        "test-de.tsv": "seed 3 in de\n",
        "test-sw.tsv": "seed 3 in sw\n",
    }
    assert (exported.folder / "config.yaml").read_text() == (finished.to / "xnli.yaml").read_text()


def test_scores_have_intervals_over_seeds(finished: Finished) -> None:
    folder = finished.export().folder
    table = list(csv.DictReader(io.StringIO((folder / "scores.csv").read_text())))
    assert [(row["split"], row["language"]) for row in table] == [
        ("select", ""), ("test", "de"), ("test", "sw"), ("test", "mean"),
    ]  # fmt: skip
    for row, lower in zip(table, (0.0, 0.1, 0.3, 0.2), strict=True):
        interval = mean_interval([value - lower for value in SCORES.values()])
        assert [float(row[name]) for name in ("mean", "low", "high")] == pytest.approx(
            [interval.mean, interval.low, interval.high]
        )
        assert row["n_seeds"] == "3"
    document = json.loads((folder / "scores.json").read_text())
    assert (document["seed"], document["intermediate"]) == (3, "mnli")
    assert document["scores"][1]["by_seed"]["4"] == pytest.approx(0.63)


def test_the_card_is_one_for_the_hub(finished: Finished) -> None:
    card = ModelCard.load(finished.export().folder / "README.md")
    assert card.data.language == ["de", "en", "sw"]
    assert card.data.base_model == "FacebookAI/xlm-roberta-base"
    assert "facebook/xnli" in card.data.datasets
    assert card.data.pipeline_tag == "text-classification"
    assert "license" not in card.data.to_dict()
    results = {result.dataset_config: result.metric_value for result in card.data.eval_results}
    assert results == {"de": pytest.approx(0.66), "sw": pytest.approx(0.46)}, "these weights', not the mean"
    for told in ("seed 3, the best", "Swahili (sw) | 46.0 | 43.0 |", "trained on mnli, then on mnli (en)"):
        assert told in card.text
    assert "nan" not in card.text.lower().split()


def test_two_seeds_are_told_one_by_one_and_give_no_interval(finished: Finished) -> None:
    trials = [each for each in read_trials(finished.folder) if each.seed != 4]
    write_trials(finished.folder, trials)
    exported = finished.export()
    text = (exported.folder / "README.md").read_text()
    assert "| language | seed 3 | mean | each seed | seeds | rows |" in text
    assert "| Swahili (sw) | 46.0 | 43.0 | 40.0, 46.0 | 2 | 5010 |" in text
    assert "73.0 over 2 seeds (70.0, 76.0)" in text
    assert "%" not in text
    rows = list(csv.DictReader((exported.folder / "scores.csv").open()))
    assert {(row["low"], row["high"]) for row in rows} == {("", "")}


def test_one_seed_without_an_evaluation_gives_no_interval_and_says_so(finished: Finished) -> None:
    write_trials(finished.folder, read_trials(finished.folder)[:1])
    write_scores(finished.folder, [], "test")
    record_evaluations(finished.folder, "test", [])
    exported = finished.export()
    assert exported.seed == 1
    [row] = csv.DictReader(io.StringIO((exported.folder / "scores.csv").read_text()))
    assert (row["mean"], row["low"], row["high"]) == ("0.75", "", "")
    text = (exported.folder / "README.md").read_text()
    assert "75.0 on one seed" in text
    assert "`xtr evaluate paper` does that" in text
    assert not (exported.folder / "predictions").exists()


def test_weights_that_are_gone_are_told_with_the_command_that_makes_them_again(finished: Finished) -> None:
    finished.store.remove(finished.stages[3])
    with pytest.raises(InputError, match=rf"xtr stage {finished.to}/xnli.yaml --pair mnli:xnli --seed 3"):
        finished.export()
    assert [path.name for path in finished.to.iterdir()] == ["xnli.yaml"], "nothing half written stays"


def test_an_earlier_export_is_replaced_and_anything_else_is_left_alone(finished: Finished) -> None:
    folder = finished.export().folder
    (folder / "stale").write_text("old")
    finished.export()
    assert not (folder / "stale").exists()
    (folder / "scores.json").unlink()
    with pytest.raises(InputError, match="something else lies here"):
        finished.export()
    assert (folder / "README.md").exists()
    assert sorted(path.name for path in finished.to.iterdir()) == ["xnli", "xnli.yaml"]


def test_a_model_that_an_oracle_has_chosen_says_so_on_its_card_and_in_its_scores(finished: Finished) -> None:
    search = finished.spec.search.model_copy(update={"select_on": "oracle"})
    finished.spec = finished.spec.model_copy(update={"search": search})
    rows = read_trials(finished.folder)
    write_trials(finished.folder, [replace(row, detail=row.detail | {"select_on": "oracle"}) for row in rows])
    folder = finished.export().folder
    card = (folder / "README.md").read_text()
    assert ORACLE in card
    assert "on the dev sets of other languages" in card
    assert "select split" not in card
    assert (folder / "scores.csv").read_text().splitlines()[1].startswith("oracle,,accuracy,")
