"""This is where the best pair of each target becomes a config that reruns to the same score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xtr.analysis.answers.leaderboard import Row, best_rows, leaderboard, scores_of_winners
from xtr.analysis.records.references import stage_keys, write_pin
from xtr.analysis.records.scores import ScoreRow, by_language
from xtr.analysis.records.trials import TrialRow
from xtr.fingerprint import digest
from xtr.spec.dump import to_yaml
from xtr.spec.space import Fixed
from xtr.spec.sweep import Confirm, Pair, PairsSpec, SweepSpec, TrackingSpec
from xtr.storage import write_atomic


def export_best(
    spec: SweepSpec, trials: Sequence[TrialRow], scores: Sequence[ScoreRow], folder: Path
) -> list[Path]:
    """Write one YAML a target, pin the stages that running it again reads, and return the paths."""
    paths, keys, scores = [], [], scores_of_winners(spec, trials, scores)
    for row in best_rows(leaderboard(spec, trials)):
        path = config_path(folder, row)
        header = (
            f"# The best config for {row.target} found by the sweep {spec.name}.\n"
            f"# Run it again: xtr run {path}\n"
        ) + "".join(f"# {each}\n" for each in spec.search.caveat)
        write_atomic(path, header + to_yaml(exported_spec(spec, row, scores, trials)))
        paths.append(path)
        keys += exported_stages(row, trials)
    if keys:
        because = f"exported from {spec.name} to {folder.resolve()}"
        name = f"export-{spec.name}-{digest(sorted(keys))[:8]}"
        write_pin(spec.storage.workplace().store, name, because, sorted(set(keys)))
    return paths


def config_path(folder: Path, row: Row) -> Path:
    """Where a target's config lies."""
    return folder / f"{row.target}.yaml"


def exported_stages(row: Row, trials: Sequence[TrialRow]) -> list[str]:
    """List the stages behind a row: of its settings at each of its seeds, and of `none` at the same ones."""
    best = Pair(row.intermediate, row.target)
    target = {name: value for name, value in row.config.items() if name.startswith("target.")}
    behind = [
        trial
        for trial in trials
        if trial.seed in row.seeds
        and trial.state == "complete"
        and (
            (trial.pair == best and trial.params == row.config)
            or (trial.pair == Pair("none", row.target) and trial.target_params == target)
        )
    ]
    return list(dict.fromkeys(key for trial in behind for key in stage_keys(trial)))


def exported_spec(
    spec: SweepSpec, row: Row, scores: Sequence[ScoreRow], trials: Sequence[TrialRow]
) -> SweepSpec:
    """Fix every dimension to the winner's value and keep one pair, its baseline and what they reached."""
    search = spec.search.model_copy(
        update={
            "space": {name: Fixed(value) for name, value in row.config.items()},
            "trials_per_pair": 1,
            "generation": 1,
            "early_stopping": None,
            "start_with": (),
            "design": None,
            # Nothing is searched any more, so the first seed counts: those of the score, and no other.
            "training_seed": row.seeds[0],
            "confirm": Confirm(seeds=row.seeds[1:]),
        }
    )
    intermediates = () if row.intermediate == "none" else (row.intermediate,)
    fields = {
        "name": _slug(f"{spec.name}-best-{row.target}"),
        "pairs": PairsSpec(intermediate=intermediates, target=(row.target,)),
        "search": search,
        "tracking": TrackingSpec(),  # where this sweep was shown is not part of the config
        "result": _result(spec, row, scores) | {"stages": exported_stages(row, trials)},
    }
    return spec.model_copy(update=fields)


def _slug(text: str) -> str:
    """Make a sweep's name of a target's: `tydiqa@en,sw` has signs that a name must not have."""
    return text.replace("@", "-").replace(",", "-")


def _result(spec: SweepSpec, row: Row, scores: Sequence[ScoreRow]) -> dict[str, object]:
    """Say what the config reached."""
    pair = Pair(row.intermediate, row.target)
    splits = sorted({score.split for score in scores if score.pair == pair})
    languages = {
        split: {
            metric: by_language([s for s in scores if s.split == split], pair, metric)
            for metric in dict.fromkeys(s.metric for s in scores if s.pair == pair and s.split == split)
        }
        for split in splits
    }
    return {
        "sweep": spec.name,
        **spec.search.mark,
        "intermediate": row.intermediate,
        "score": row.score,
        "baseline": row.baseline,
        "transfer": row.transfer,
        "transfer_same_settings": row.transfer_same_settings,
        "seeds": list(row.seeds),
        "languages": languages,
    }
