"""This is where predictions become scores and official files: those that a model makes, or that are kept.

    stages/<key>/predictions.tsv    as the official scorer reads them
    stages/<key>/raw.jsonl          what the model predicted, before any threshold, one JSON value a row
    stages/<key>/items.jsonl        each row's id and its family's outcome
    stages/<key>/rankings.jsonl     of parallel tasks that choose among candidates: each row's id, best first

An evaluation whose way of scoring has changed (`SCORING` in `families.registry`) has another key. It is scored
anew from the raw predictions that lie under the old one, without a model.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xtr.catalogue.lookup import find_task
from xtr.data.rows import Candidate, Row
from xtr.data.source import Source
from xtr.families.registry import family_of
from xtr.fingerprint import JSON, canonical_json
from xtr.stages.made import made
from xtr.stages.stage import ITEMS, EmbedStage, EvaluateStage
from xtr.stages.store import StageStore
from xtr.stages.work import capped

RAW, RANKINGS = "raw.jsonl", "rankings.jsonl"


def rescore(store: StageStore, source: Source, stages: Sequence[EvaluateStage]) -> list[str]:
    """Score stages anew whose predictions are kept, and publish them.

    Returns:
        Keys of the stages that were scored here; the others need a model.
    """
    done = []
    for stage in with_calibrations(stages):
        predictions = None if store.has(stage.key) else _kept_predictions(store, stage)
        if predictions is None or not (stage.calibration is None or store.has(stage.calibration.key)):
            continue
        lease = store.claim(stage.key)
        if lease is None:
            continue
        began = time.monotonic()
        with lease, store.workspace(stage.key) as folder:
            rows = rows_of(source, stage)
            result = write_scores(store, source, stage, rows, predictions, folder)
            _copy_rankings(store, stage, folder)
            store.publish(stage, folder, result, made("cpu", time.monotonic() - began))
        done.append(stage.key)
    return done


def with_calibrations(stages: Sequence[EvaluateStage]) -> list[EvaluateStage]:
    """List stages once each, after those whose threshold they apply."""
    both = (each for stage in stages for each in (stage.calibration, stage) if each is not None)
    return list({stage.key: stage for stage in both}.values())


def rows_of(source: Source, stage: EvaluateStage) -> Sequence[Row]:
    """Read the rows that a stage predicts."""
    task = find_task(stage.task)
    return capped(source.rows(task, stage.split, stage.language), stage.max_rows, task)


def pool_candidates(source: Source, pool: EmbedStage) -> list[Candidate]:
    """List what the queries of every language rank."""
    task = find_task(pool.task)
    rows = [row for language, _ in pool.data for row in source.rows(task, "pool", language)]
    return family_of(task).pool_candidates(rows)


def write_scores(
    store: StageStore,
    source: Source,
    stage: EvaluateStage,
    rows: Sequence[Row],
    predictions: Sequence[Any],
    folder: Path,
) -> dict[str, JSON]:
    """Write raw and official predictions; score where the rows carry labels, as a whole and row by row.

    Where no threshold is to be applied and the family knows one, it is fitted on these very rows.
    """
    task = find_task(stage.task)
    family = family_of(task)
    _write_lines(folder / RAW, predictions)
    if stage.pool is not None:
        rows = family.against(rows, pool_candidates(source, stage.pool))
    labelled = all(family.labelled(row) for row in rows)
    threshold = None if stage.calibration is None else _threshold(store, stage.calibration)
    if threshold is None and labelled:
        threshold = family.fit_threshold(rows, predictions)
    if threshold is not None:
        predictions = family.keep(predictions, threshold)
    text = family.prediction_file(rows, predictions)
    (folder / f"predictions.{family.suffix}").write_text(text, encoding="utf-8")
    scores: Mapping[str, float] = {}
    if labelled:
        scores = family.score(rows, predictions, task, stage.language)
        outcomes = family.outcomes(rows, predictions, task, stage.language)
        _write_lines(
            folder / ITEMS, ({"id": row.id, **each} for row, each in zip(rows, outcomes, strict=True))
        )
    fitted: dict[str, JSON] = {} if threshold is None else {"threshold": threshold}
    return {"scores": dict(scores), "n": len(rows), "predictions": f"predictions.{family.suffix}", **fitted}


def write_rankings(rows: Sequence[Row], rankings: Sequence[Sequence[str]] | None, folder: Path) -> None:
    """Keep the order of every row's candidates, from which it is told whether languages agree."""
    if rankings is not None:
        pairs = zip(rows, rankings, strict=True)
        _write_lines(folder / RANKINGS, ({"id": row.id, "ranking": list(each)} for row, each in pairs))


def read_rankings(store: StageStore, key: str) -> dict[str, list[str]]:
    """Read the order of candidates by row; nothing where an evaluation has kept none."""
    if store.open(key) is None or not (path := store.checked(key) / RANKINGS).exists():
        return {}
    documents = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {each["id"]: each["ranking"] for each in documents}


def label_file(source: Source, stage: EvaluateStage) -> tuple[str, str] | None:
    """Write the gold of the rows that a stage predicts: the file's name and its text; None where it is hidden."""
    family = family_of(find_task(stage.task))
    rows = rows_of(source, stage)
    if stage.pool is not None:
        rows = family.against(rows, pool_candidates(source, stage.pool))
    if not all(family.labelled(row) for row in rows):
        return None
    return f"test-{stage.language}.{family.suffix}", family.label_file(rows)


def _kept_predictions(store: StageStore, stage: EvaluateStage) -> list[Any] | None:
    """Read what a model predicted for the same stage under an earlier way of scoring, the latest first."""
    family = family_of(find_task(stage.task))
    for earlier in stage.scored_before:
        if store.open(earlier.key) is not None:
            lines = (store.checked(earlier.key) / RAW).read_text(encoding="utf-8").splitlines()
            return [family.prediction(json.loads(line)) for line in lines]
    return None


def _copy_rankings(store: StageStore, stage: EvaluateStage, folder: Path) -> None:
    """Take over what was kept under an earlier way of scoring: the order of candidates is a prediction, too."""
    for earlier in stage.scored_before:
        if store.open(earlier.key) is not None:
            kept = store.checked(earlier.key) / RANKINGS
            if kept.exists():
                shutil.copyfile(kept, folder / RANKINGS)
            return


def _threshold(store: StageStore, calibration: EvaluateStage) -> float:
    manifest = store.read(calibration.key)
    assert manifest is not None
    return float(str(manifest.result["threshold"]))


def _write_lines(path: Path, values: Any) -> None:
    path.write_text("".join(f"{canonical_json(value)}\n" for value in values), encoding="utf-8")
