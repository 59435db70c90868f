"""What sharing stages saves: a grid of nine by nine against independent trials, and a search counted.

    python benchmarks/sharing.py [grid] [search]

`grid` trains every pair twice on the same machine with the same concurrency: as xtr does, and as plain Ray Tune
function trainables, each of which trains its whole path alone, in a private store, with the same Runner. Ray Tune
keeps its processes warm (reuse_actors), which is to its advantage. `search` trains nothing: the real studies
propose, a pure function scores, and tokens are counted by the paths.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, run_parts
from benchmarks.grid_data import INTERMEDIATE, TARGET, write_encoder, write_grid
from xtr.catalogue.lookup import find_task
from xtr.data.subsets import resolve_size
from xtr.fingerprint import derive_seed
from xtr.search.book import Book
from xtr.search.cluster import ray_cluster
from xtr.search.study import Job
from xtr.search.sweep import run_sweep
from xtr.search.trial import perform
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Paths
from xtr.stages.stage import Part, TrainStage
from xtr.stages.work import source_of, store_of

CONCURRENT = 2
GRID_SCALE, FEW_ROWS = 0.08, 0.0002
SETTINGS = {"epochs": 1, "batch_size": 16, "max_length": 96, "learning_rate": 3e-4}
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
RATES, EPOCHS = (1e-5, 3e-5, 5e-5), (1, 2, 3)
POOL = 6


@dataclass(frozen=True)
class Trained:
    """A trial's score, the tokens it was trained on, and the hashes of its last training stage's files."""

    score: float
    tokens: int
    files: dict[str, str]


def spec_of(folder: Path, name: str, search: dict[str, Any]) -> SweepSpec:
    """A sweep over all pairs on the files below a folder."""
    document = {
        "version": 1,
        "name": name,
        "model": {"name": str(folder / "encoder")},
        "pairs": {"intermediate": list(INTERMEDIATE), "target": list(TARGET)},
        "stages": {"intermediate": SETTINGS, "target": SETTINGS, "evaluate": {"batch_size": 64}},
        "search": search,
        "data": {"source": "official", "official_root": str(folder / "data")},
        "storage": {"root": str(folder / name)},
        "tracking": {"uri": f"sqlite:///{folder}/mlflow.db"},
    }
    return SweepSpec.model_validate(document)


# -- the grid ----------------------------------------------------------------------------------------------


def grid(folder: Path) -> list[Figure]:
    """Train the grid twice."""
    write_grid(folder / "data", scale=GRID_SCALE)
    write_encoder(folder / "encoder")
    search = {"trials_per_pair": 1, "concurrent_trials": CONCURRENT}
    shared, shared_s = timed(lambda: as_a_sweep(spec_of(folder, "shared", search)))
    alone, alone_s = timed(lambda: as_trials(spec_of(folder, "alone", search)))
    assert shared.keys() == alone.keys()
    tokens = [sum(each.tokens for each in run.values()) for run in (alone, shared)]
    print(
        f"{len(alone)} trials; alone {tokens[0]:,} tokens, {alone_s:.0f} s; shared {tokens[1]:,}, {shared_s:.0f} s"
    )
    fewer, faster = tokens[0] / tokens[1], alone_s / shared_s
    other = sum(shared[pair].score != alone[pair].score for pair in alone)
    changed = sum(shared[pair].files != alone[pair].files for pair in alone)
    return [
        Figure("grid 9 x 9: fewer training tokens than alone", fewer, "x", "at least 3.5", fewer >= 3.5),
        Figure("grid 9 x 9: less wall time than alone", faster, "x", "at least 3", faster >= 3),
        Figure(f"of {len(alone)} trials: another score", other, "", "0", not other),
        Figure(f"of {len(alone)} trials: other weights", changed, "", "0", not changed),
    ]


def timed(work: Callable[[], dict[Pair, Trained]]) -> tuple[dict[Pair, Trained], float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def as_a_sweep(spec: SweepSpec) -> dict[Pair, Trained]:
    """Run the sweep as the command line does."""
    outcome = run_sweep(spec, print)
    assert not outcome.n_failed
    return {row.pair: trained(spec, row.value or 0.0, row.detail, row.pair) for row in outcome.rows}


def as_trials(spec: SweepSpec) -> dict[Pair, Trained]:
    """Give every pair to Ray Tune as a trial of its own, which shares nothing with the others."""
    private = Path(spec.storage.root)
    with ray_cluster(spec):
        from ray import tune

        def train_alone(config: dict[str, Any]) -> None:
            pair, root = Pair(**config["pair"]), private / "-".join(config["pair"].values())
            own = spec.model_copy(update={"storage": spec.storage.model_copy(update={"root": str(root)})})
            report = perform(own, Job(pair, 0, "search", {}, spec.search.training_seed, None))
            assert report["state"] == "complete", report["detail"]
            result = trained(own, report["score"], json.loads(report["detail"]), pair)
            shutil.rmtree(root)
            tune.report({"score": result.score, "tokens": result.tokens, "files": json.dumps(result.files)})

        pairs = [{"intermediate": each.intermediate, "target": each.target} for each in spec.pairs.pairs()]
        tuner = tune.Tuner(
            tune.with_resources(train_alone, {"CPU": 1}),
            param_space={"pair": tune.grid_search(pairs)},
            tune_config=tune.TuneConfig(max_concurrent_trials=CONCURRENT, reuse_actors=True),
            run_config=tune.RunConfig(name="alone", storage_path=str(private / "ray"), verbose=0),
        )
        results = tuner.fit()
    assert not results.errors, results.errors
    metrics = [(Pair(**each.config["pair"]), each.metrics) for each in results]
    return {pair: Trained(m["score"], m["tokens"], json.loads(m["files"])) for pair, m in metrics}


def trained(spec: SweepSpec, score: float, detail: dict[str, Any], pair: Pair) -> Trained:
    stages = Paths(spec, source_of(spec)).path(pair, {}, spec.search.training_seed).training
    manifest = store_of(spec).read(stages[-1].key) if stages else None
    return Trained(score, detail["tokens"], manifest.files if manifest else {})


# -- the search --------------------------------------------------------------------------------------------


def search(folder: Path) -> list[Figure]:
    """Count what 24 trials a pair train of their intermediates, at full size, with and without a pool."""
    write_grid(folder / "data", scale=FEW_ROWS)
    write_encoder(folder / "encoder")
    space = {
        "intermediate.fraction": {"choice": FRACTIONS},
        "intermediate.learning_rate": {"choice": RATES},
        "intermediate.epochs": {"choice": EPOCHS},
        "target.learning_rate": {"log_float": [5e-6, 5e-5]},
        "target.epochs": {"int": [1, 5]},
    }
    figures = []
    shared = {"share": "intermediate", "pool": POOL}
    for name, asked, goal in (("free", {}, 3), (f"pool of {POOL}", shared, 20)):
        each = {"space": space, "trials_per_pair": 24, "concurrent_trials": CONCURRENT, **asked}
        asked_for, distinct, n_settings = count(spec_of(folder, name.replace(" ", "-"), each))
        fewer = asked_for / distinct
        print(
            f"{name}: {asked_for / 1e9:.1f} Gtok asked, {distinct / 1e9:.2f} trained in {n_settings} stages"
        )
        what = f"24 trials x 9 targets, 63 settings, {name}: fewer intermediate tokens"
        figures.append(Figure(what, fewer, "x", f"at least {goal}", fewer >= goal))
    return figures


def count(spec: SweepSpec) -> tuple[int, int, int]:
    """Let the studies propose; return intermediate tokens asked for, those of distinct stages, their number."""
    book, paths = Book(spec, Path(spec.storage.root)), Paths(spec, source_of(spec))
    drive(book, spec.search.concurrent_trials)
    asked, stages = 0, dict[str, int]()
    for row in book.rows:
        if row.pair.intermediate != "none" and row.phase == "search":
            for stage in paths.path(row.pair, row.params, row.seed).intermediate:
                stages[stage.key] = tokens_of(stage)
                asked += stages[stage.key]
    return asked, sum(stages.values()), len(stages)


def drive(book: Book, width: int) -> None:
    """Serve all jobs, `width` at a time, each with a pure function's score."""
    flying: list[Job] = []
    order = random.Random(0)
    while True:
        while len(flying) < width and (job := book.next_job()) is not None:
            flying.append(job)
        if not flying:
            return
        job = flying.pop(order.randrange(len(flying)))
        book.report(job, "complete", score(job), {})


def score(job: Job) -> float:
    """A smooth function with an optimum inside the space, more for more data, and a little noise by pair."""
    value = {name: float(each) for name, each in job.params.items()}
    rates = [value[name] for name in ("intermediate.learning_rate", "target.learning_rate") if name in value]
    miss = sum((math.log10(rate) + 4.6) ** 2 for rate in rates)
    data = value.get("intermediate.fraction", 0.0) * value.get("intermediate.epochs", 0.0)
    noise = random.Random(derive_seed(str(job.pair), json.dumps(job.params, sort_keys=True))).random()
    return (
        0.5
        - 0.1 * miss
        + 0.05 * math.log1p(10 * data)
        + 0.01 * value.get("target.epochs", 0.0)
        + 0.02 * noise
    )


def tokens_of(stage: TrainStage) -> int:
    """Tokens of a stage on the full data set: rows, by the catalogue's tokens a row, by epochs."""

    def of_part(part: Part) -> int:
        task = find_task(part.task)
        rows = resolve_size(task.n_train or 0, fraction=part.settings.fraction, examples=None, cap=None)
        return rows * task.tokens_per_row

    return stage.settings.epochs * sum(map(of_part, stage.parts))


PARTS: dict[str, Callable[[Path], Sequence[Figure]]] = {"grid": grid, "search": search}

if __name__ == "__main__":
    run_parts("sharing", PARTS)
