"""This is where a target's winner becomes a folder that others load, read and check.

    best/tydiqa/config.json, model.safetensors, tokenizer.json   what from_pretrained reads
    best/tydiqa/README.md                                        the model card
    best/tydiqa/config.yaml                                      what `xtr run` reads
    best/tydiqa/scores.csv, scores.json                          with intervals over seeds
    best/tydiqa/predictions/<split>/<task>/test-<language>.*     the official files of these weights

A folder appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xtr.analysis.answers.leaderboard import Row, best_rows, leaderboard, scores_of_winners, winners
from xtr.analysis.answers.seedscores import SeedScore, scores_csv, seed_scores
from xtr.analysis.export.card import Card, model_card
from xtr.analysis.export.config import config_path
from xtr.analysis.records.references import recorded_evaluations, stage_keys
from xtr.analysis.records.scores import read_scores
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.catalogue.lookup import find_task
from xtr.data.open import open_source
from xtr.errors import CorruptArtefact, InputError, Problem
from xtr.fingerprint import JSON
from xtr.spec.expressions import parse_intermediate, target_task
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.index import read_index
from xtr.stages.path import Paths
from xtr.stages.portable import write_portable
from xtr.stages.stage import Pretrained
from xtr.stages.store import StageStore
from xtr.storage import partial_folder, replace_folder

SCHEMA_VERSION = 1
SCORES = "scores.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """An exported model: where it lies, transformers' class that loads it, and the seed of its weights."""

    folder: Path
    auto_class: str
    seed: int


def export_models(spec: SweepSpec, sweep: Path, to: Path) -> list[ModelFolder]:
    """Write one folder a target; an earlier export there is replaced.

    Args:
        sweep: the sweep's folder.
        to: where the targets' configs lie already.

    Raises:
        InputError: the weights are no longer stored, or something else lies where a folder is to be written.
    """
    trials = read_trials(sweep)
    scores = scores_of_winners(spec, trials, read_scores(sweep))
    chosen, ranked = winners(spec, trials), leaderboard(spec, trials)
    for row in best_rows(ranked):
        _check_free(to / row.target)
    exported = []
    for row in best_rows(ranked):
        best = chosen[Pair(row.intermediate, row.target)]
        seed = max(best.scores, key=lambda each: best.scores[each])
        behind = next(each for each in trials if (each.pair, each.number) == (best.pair, best.number))
        table = seed_scores(best, scores, behind.scored_on)
        rivals = [each.intermediate for each in ranked if each.target == row.target]
        with partial_folder(to / row.target) as partial:
            key, auto_class = _write_weights(spec, row, seed, trials, to, partial)
            _copy_predictions(spec, sweep, key, row, partial)
            card = Card(spec, row, table, seed, auto_class, [e for e in rivals if e != row.intermediate])
            (partial / "README.md").write_text(model_card(card), encoding="utf-8")
            shutil.copyfile(config_path(to, row), partial / "config.yaml")
            (partial / "scores.csv").write_text(scores_csv(table), encoding="utf-8")
            document = json.dumps(_document(card, table), indent=1, ensure_ascii=False, allow_nan=False)
            (partial / SCORES).write_text(document, encoding="utf-8")
            replace_folder(partial, to / row.target)
        exported.append(ModelFolder(to / row.target, auto_class, seed))
    return exported


def _check_free(folder: Path) -> None:
    """Refuse to replace what no export has written."""
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / SCORES).exists())
    ):
        raise InputError(Problem("something else lies here already", str(folder), hint="--to ANOTHER_FOLDER"))


def _document(card: Card, table: Sequence[SeedScore]) -> dict[str, JSON]:
    row = card.row
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": card.spec.name,
        "intermediate": row.intermediate,
        "target": row.target,
        "transfer": row.transfer,
        "transfer_same_settings": row.transfer_same_settings,
        "config": dict(row.config),
        "seed": card.seed,
        "loaded_by": card.auto_class,
        "scores": [
            {**asdict(each), "by_seed": {str(k): v for k, v in each.by_seed.items()}} for each in table
        ],
    }


def _write_weights(
    spec: SweepSpec, row: Row, seed: int, trials: Sequence[TrialRow], to: Path, folder: Path
) -> tuple[str, str]:
    """Write the model that a winner's seed has trained: its stage's key, and transformers' class for it."""
    store, task = StageStore(spec.storage.workplace()), find_task(target_task(row.target))
    trained = _trained(spec, row, seed, trials)
    if isinstance(trained, Pretrained):
        return trained.key, write_portable(trained, task, folder)
    try:
        return trained, write_portable(store.checked(trained), task, folder)
    except CorruptArtefact as gone:
        again = f"xtr stage {config_path(to, row)} --pair {row.intermediate}:{row.target} --seed {seed}"
        raise InputError(
            Problem(
                f"the weights of {row.target} are no longer stored",
                store.uri(trained),
                hint=f"{again}, then export again",
            )
        ) from gone


def _trained(spec: SweepSpec, row: Row, seed: int, trials: Sequence[TrialRow]) -> str | Pretrained:
    """Find what a winner's seed is scored with: its last training stage, or the encoder where it has none."""
    pair = Pair(row.intermediate, row.target)
    n_stages = len(parse_intermediate(pair.intermediate).links)
    n_stages += find_task(pair.target_task).training_task is not None
    if n_stages == 0:
        source = open_source(spec.data, spec.storage.workplace(), resolve=False)
        start = Paths(spec, source).start_of(pair)
        return start if isinstance(start, Pretrained) else start.key
    walked = next(
        stage_keys(each)
        for each in trials
        if (each.pair, each.params, each.seed, each.state) == (pair, row.config, seed, "complete")
    )
    return walked[n_stages - 1]


def _copy_predictions(spec: SweepSpec, sweep: Path, key: str, row: Row, folder: Path) -> None:
    """Copy the official files of what these very weights have predicted."""
    store = StageStore(spec.storage.workplace())
    entries, task = read_index(store).entries, target_task(row.target)
    for split, keys in recorded_evaluations(sweep).items():
        scored = (entries[each] for each in keys if each in entries)
        for entry in scored:
            manifest = store.read(entry.key) if (entry.parent, entry.task) == (key, task) else None
            if manifest is not None:
                source = store.checked(entry.key) / str(manifest.result["predictions"])
                final = folder / "predictions" / split / task / f"test-{entry.language}{source.suffix}"
                final.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, final)
