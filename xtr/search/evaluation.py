"""This is where winners are scored in every language, after they are frozen: one evaluation a language and seed.

Every pair's winner is scored, so that transfer shows in each language and not only for the best pair. Of a design
every point is, because nothing is chosen among them; prediction files are laid out of winners alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xtr.analysis.answers.consistency import Agreement, agreements
from xtr.analysis.answers.forgetting import LinkScoring, planned_links
from xtr.analysis.answers.leaderboard import Point, points
from xtr.analysis.records.links import LinkRow, write_links
from xtr.analysis.records.openings import note_opening
from xtr.analysis.records.references import record_evaluations
from xtr.analysis.records.scores import ScoreRow, write_scores
from xtr.analysis.records.spending import Spent, note_spent, spent_by, spent_text
from xtr.analysis.records.trials import read_trials
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON
from xtr.model.world import World
from xtr.search.cluster import ray_cluster
from xtr.search.sweep import hold_sweep
from xtr.spec.expressions import target_task
from xtr.spec.sweep import SweepSpec
from xtr.stages.evaluating import EvaluateJob, evaluate_group
from xtr.stages.path import Paths, evaluated_languages
from xtr.stages.preflight import read_all, record_left_out
from xtr.stages.run import Runner
from xtr.stages.scoring import label_file
from xtr.stages.stage import EvaluateStage, Pretrained
from xtr.storage import folder_name, write_atomic

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation came to.

    Attributes:
        rows: a score per winner, of a design per point, and seed, language and metric.
        unlabelled: (target, language) whose files carry no labels, so only predictions were written.
        predictions: the folder that holds `<intermediate>/seed-<n>[@<languages>]/<task>/test-<lang>.<suffix>`.
        labels: the folder that holds the gold, `<task>/test-<lang>.<suffix>`, of languages that have it; from
            the two, `xtr score` gives the scores of `rows`.
        links: scores after each link of the winners' chains, where they were asked for.
        agreements: how alike languages rank the candidates of the same items.
    """

    rows: tuple[ScoreRow, ...]
    unlabelled: tuple[tuple[str, str], ...]
    predictions: Path
    labels: Path
    links: tuple[LinkRow, ...] = ()
    agreements: tuple[Agreement, ...] = ()


def evaluate_sweep(spec: SweepSpec, split: Split, say: Say) -> Evaluation:
    """Score every pair's winner, of a design every point, on a split, reusing what is stored.

    Raises:
        InputError: the sweep has no finished trial, or a language's file is missing or malformed.
    """
    runner = Runner(spec)
    with hold_sweep(spec.storage.workplace(), spec.name, say) as held:
        folder = held.folder
        chosen = points(spec, read_trials(folder))
        if not chosen:
            raise InputError(
                Problem(
                    "this sweep has no finished trial yet",
                    received=spec.name,
                    hint="xtr run FILE, then again",
                )
            )
        wanted = _wanted(spec, runner.source, chosen, split)
        links = planned_links(spec, runner.source, chosen, split)
        every = [*(s for _, stages in wanted for s in stages), *(link.stage for link in links)]
        asked = dict.fromkeys(each for stage in every for each in stage.reads)
        read_all(runner.source, ((find_task(task), part, language) for task, part, language in asked))
        record_left_out(folder, runner.source)
        distinct = {stage.key: stage for stage in every}.values()
        missing = [stage for stage in distinct if runner.store.open(stage.key) is None]
        note_opening(folder, split, evaluations=len(distinct), computed=len(missing))
        if missing:
            n_winners = len({point.pair for point in chosen})
            what = f"{n_winners} winners" if spec.search.design is None else f"{len(chosen)} points"
            say(f"scoring {what} on {split}: {len(missing)} evaluations")
            total = Spent()
            for computed in _compute(runner, missing, say):
                manifests = [runner.store.read(key) for key in computed]
                spent = spent_by(
                    spec.compute, sum(_number(each.made["seconds"]) for each in manifests if each)
                )
                note_spent(folder, "evaluate", spent)
                total += spent
            say(f"this evaluation took {spent_text(spec, total)}")
        record_evaluations(folder, split, (stage.key for stage in every))
        evaluation = _collect(runner, folder, wanted, split)
        of_winners = {stage.key for point, stages in wanted if point.wins for stage in stages}
        rows = [row for row in evaluation.rows if row.stage in of_winners]
        return replace(
            evaluation,
            links=_collect_links(runner, folder, links, split),
            agreements=tuple(agreements(runner.store, rows, spec.stages.source_language)),
        )


Wanted = Sequence[tuple[Point, tuple[EvaluateStage, ...]]]


def _wanted(spec: SweepSpec, source: Source, chosen: Sequence[Point], split: Split) -> Wanted:
    """List the evaluations of each point."""
    paths = Paths(spec, source)
    wanted: list[tuple[Point, tuple[EvaluateStage, ...]]] = []
    problems: list[Problem] = []
    for point in chosen:
        task = find_task(point.pair.target_task)
        languages = evaluated_languages(spec, source, task, split)
        path = paths.path(point.pair, point.params, point.seed)
        try:
            wanted.append((point, paths.evaluations(path.end, path.target, task, split, languages)))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return wanted


def _compute(runner: Runner, missing: Sequence[EvaluateStage], say: Say) -> Iterator[list[str]]:
    """Score anew what is predicted already; run the rest on the cluster, what shares a checkpoint together.

    A checkpoint that was found damaged, or removed, is trained again first.

    Yields:
        The keys of the stages that each part of the work has computed, as it ends.
    """
    rescored = runner.rescore(missing)
    if rescored:
        yield rescored
    missing = [stage for stage in missing if stage.key not in rescored]
    if not missing:
        return
    spec, per_worker = runner.spec, runner.spec.compute.per_worker
    world = World(device="cuda" if per_worker.GPU else "cpu")
    with ray_cluster(spec):
        import ray

        for parent in {stage.parent.key: stage.parent for stage in missing}.values():
            if not isinstance(parent, Pretrained) and runner.store.open(parent.key) is None:
                say(f"making stage {parent.key[:8]} again, which is not there or was damaged")
                runner.make(parent)
        remote = ray.remote(num_cpus=per_worker.CPU, num_gpus=per_worker.GPU, max_retries=2)(evaluate_group)
        waiting = [
            remote.remote(EvaluateJob(spec.anchored(), part), world)
            for part in _parts(missing, runner.source, spec.compute.workers)
        ]
        while waiting:
            ended, waiting = ray.wait(waiting)
            yield from ray.get(ended)


def _parts(
    missing: Sequence[EvaluateStage], source: Source, workers: int
) -> Iterator[tuple[EvaluateStage, ...]]:
    """Deal the stages of each checkpoint out to so many workers, by rows; those that rank one pool stay together.

    Which stages a worker computes together changes no bit of them, so the workers need not know each other.
    """
    by_parent: dict[str, dict[str, list[EvaluateStage]]] = {}
    for stage in missing:
        together = by_parent.setdefault(stage.parent.key, {})
        together.setdefault((stage.pool or stage).key, []).append(stage)
    for together in by_parent.values():
        n_rows = {
            key: sum(len(source.rows(find_task(name), split, language)) for name, split, language in reads)
            for key, stages in together.items()
            for reads in [{each for stage in stages for each in stage.reads}]
        }
        parts: list[tuple[int, list[EvaluateStage]]] = [(0, []) for _ in range(workers)]
        for key in sorted(together, key=lambda key: -n_rows[key]):
            least = min(range(workers), key=lambda i: parts[i][0])
            parts[least] = (parts[least][0] + n_rows[key], parts[least][1] + together[key])
        yield from (tuple(stages) for _, stages in parts if stages)


def _collect(runner: Runner, folder: Path, wanted: Wanted, split: Split) -> Evaluation:
    """Gather scores and lay the official prediction and label files out as XTREME's scorer reads them."""
    rows: list[ScoreRow] = []
    unlabelled: dict[tuple[str, str], None] = {}
    predictions, labels = folder / "predictions" / split, folder / "labels" / split
    for laid_out in (predictions, labels):
        shutil.rmtree(laid_out, ignore_errors=True)
    for stage in {(s.task, s.language): s for _, stages in wanted for s in stages}.values():
        if (labelled := label_file(runner.source, stage)) is not None:
            name, text = labelled
            write_atomic(labels / stage.task / name, text)
    for point, stages in wanted:
        if point.wins:
            _lay_out(runner, point, stages, predictions)
        for stage in stages:
            scored = _scores(runner, point, stage)
            if not scored:
                unlabelled[point.pair.target, stage.language] = None
            rows += scored
    write_scores(folder, rows, split)
    return Evaluation(tuple(rows), tuple(unlabelled), predictions, labels)


def _lay_out(runner: Runner, point: Point, stages: Sequence[EvaluateStage], predictions: Path) -> None:
    """Copy a point's prediction files to where XTREME's scorer looks for them."""
    pair = point.pair
    run = predictions / folder_name(pair.intermediate) / _run_name(pair.target, point.seed)
    out = run / target_task(pair.target)
    out.mkdir(parents=True)
    for stage in stages:
        name = str(_result(runner, stage)["predictions"])
        shutil.copyfile(
            runner.store.checked(stage.key) / name, out / f"test-{stage.language}{Path(name).suffix}"
        )


def _scores(runner: Runner, point: Point, stage: EvaluateStage) -> list[ScoreRow]:
    """Read what a point has come to in a language; nothing where the file has no labels."""
    result = _result(runner, stage)
    scores, n, pair = result["scores"], int(str(result["n"])), point.pair
    assert isinstance(scores, dict)
    return [
        ScoreRow(
            pair.intermediate,
            pair.target,
            point.seed,
            stage.split,
            stage.language,
            metric,
            _number(value),
            n,
            stage.key,
            point.params,
        )
        for metric, value in scores.items()
    ]


def _result(runner: Runner, stage: EvaluateStage) -> Mapping[str, JSON]:
    manifest = runner.store.read(stage.key)
    assert manifest is not None
    return manifest.result


def _collect_links(
    runner: Runner, folder: Path, links: Sequence[LinkScoring], split: Split
) -> tuple[LinkRow, ...]:
    """Gather what each link of the winners' chains has kept."""
    rows: list[LinkRow] = []
    for link in links:
        result = _result(runner, link.stage)
        scores, n = result["scores"], int(str(result["n"]))
        assert isinstance(scores, dict)
        rows += link.rows({metric: _number(value) for metric, value in scores.items()}, n)
    if links:
        write_links(folder, rows, split)
    return tuple(rows)


def _run_name(target: str, seed: int) -> str:
    """Name one prediction folder of an intermediate; its sub-folders are called as the scorer wants them."""
    _, at, languages = target.partition("@")
    return f"seed-{seed}{at}{languages}"


def _number(value: JSON) -> float:
    assert isinstance(value, (int, float))
    return float(value)
