"""What early stopping saves and what it costs, replayed over a recorded table through the real studies.

    python benchmarks/stopping.py record FOLDER    train 48 random settings and write the table
    python benchmarks/stopping.py                  replay it: no stopping, top K, successive halving

The table is of tydiqa after squad_v1 on the demo world: each setting's select F1 after each of six epochs, all
planned for six. A replay is one pair's study in memory: each of many seeds draws 16 settings anew, in two
generations, and the study decides who goes on. Regret is what the best of these 16 reaches after six epochs, minus
what the trial reaches that the study chooses, in points.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from optuna.storages import InMemoryStorage

from benchmarks.figures import Figure, keep
from xtr.fingerprint import derive_seed
from xtr.search.study import PairStudy
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Paths
from xtr.stages.run import Runner

TABLE = Path(__file__).parent / "tables" / "stopping.json"
PAIR = Pair("squad_v1", "tydiqa")
N_SETTINGS, EPOCHS = 48, 6
N_SEEDS, N_TRIALS, GENERATION = 200, 16, 8
WHOLE = N_TRIALS * EPOCHS
TOP, HALVING = {"rung_epochs": 1, "keep": 2}, {"rung_epochs": [1, 2, 4], "keep": 0.5}


@dataclass(frozen=True)
class Recorded:
    """One setting and its select F1 after every epoch, in [0, 1]."""

    params: dict[str, Value]
    scores: tuple[float, ...]


def record(folder: Path) -> None:
    """Train every setting with the real runner and write the table."""
    spec = SweepSpec.model_validate(
        {
            "version": 1,
            "name": "recorded",
            "model": {"name": "demo"},
            "pairs": {"intermediate": [PAIR.intermediate], "target": [PAIR.target]},
            "stages": {
                "intermediate": {"learning_rate": 5e-4, "epochs": 2, "batch_size": 16, "max_length": 96},
                "target": {"epochs": EPOCHS, "max_length": 96, "examples": 200},
            },
            "search": {},
            "storage": {"root": str(folder)},
        }
    )
    runner = Runner(spec)
    paths = Paths(spec, runner.source)
    table = []
    for number in range(N_SETTINGS):
        params = _setting(number)
        path = paths.path(PAIR, params, seed=1)
        assert path.target is not None
        outcome = runner.train(path.target)
        scores = tuple(round(outcome.scores_after(epoch)["f1"], 6) for epoch in range(1, EPOCHS + 1))
        table.append(Recorded(params, scores))
        print(number, params, scores, flush=True)
    TABLE.parent.mkdir(exist_ok=True)
    lines = ",\n ".join(json.dumps(asdict(each)) for each in table)
    TABLE.write_text(
        f'{{"schema_version": 1, "pair": "{PAIR.target} after {PAIR.intermediate}", "rows": [\n {lines}\n]}}\n'
    )


def _setting(number: int) -> dict[str, Value]:
    """Draw a setting at random; learning rates are six significant digits, and no two are equal."""
    rng = random.Random(derive_seed("stopping", number))
    return {
        "target.learning_rate": float(f"{10 ** rng.uniform(-4.3, -2.3):.6g}"),
        "target.batch_size": rng.choice([8, 16, 32]),
        "target.warmup_fraction": rng.choice([0.0, 0.1, 0.3]),
        "target.weight_decay": rng.choice([0.0, 0.01, 0.1]),
    }


def read_table() -> list[Recorded]:
    """Read the recorded settings."""
    rows = json.loads(TABLE.read_text())["rows"]
    return [Recorded(row["params"], tuple(row["scores"])) for row in rows]


def replay(
    table: list[Recorded], rule: dict[str, object] | None, n_trials: int, seed: int
) -> tuple[int, float]:
    """Search some of the table's settings under a rule; return the epochs trained and the F1 of its choice.

    Settings are told apart by their learning rate, which is the one dimension that the study searches.
    """
    by_rate = {each.params["target.learning_rate"]: each.scores for each in table}
    spec = SweepSpec.model_validate(
        {
            "version": 1,
            "name": "replayed",
            "model": {"name": "demo"},
            "pairs": {"intermediate": [PAIR.intermediate], "target": [PAIR.target]},
            "search": {
                "space": {"target.learning_rate": {"choice": list(by_rate)}, "target.epochs": EPOCHS},
                "sampler": {"name": "random"},
                "trials_per_pair": n_trials,
                "generation": GENERATION,
                "early_stopping": rule,
                "start_with": [],
                "seed": seed,
            },
        }
    )
    study = PairStudy(spec, PAIR, InMemoryStorage())
    trained: dict[int, int] = {}
    while (job := next(study.offers(set()), None)) is not None:
        study.take(job)
        scores = by_rate[job.params["target.learning_rate"]]
        trained[job.number] = job.until_epoch or EPOCHS
        if job.until_epoch:
            study.report_rung(job.number, scores[job.until_epoch - 1], {})
        else:
            study.finish(job.number, "complete", scores[-1], {})
    return sum(trained.values()), max(row.value for row in study.rows if row.value is not None)


def compare() -> None:
    """Replay every rule over the same seeds and keep the figures."""
    table = read_table()
    best = [replay(table, None, N_TRIALS, seed)[1] for seed in range(N_SEEDS)]
    as_many = WHOLE
    figures = [
        Figure(f"no stopping, {N_TRIALS} settings: regret 0, epochs", WHOLE, "epochs", "printed", True)
    ]
    regrets = {}
    for name, rule in {"all for one epoch, top 2 of 8": TOP, "halving after 1, 2 and 4": HALVING}.items():
        as_many, regrets[name] = _outcome(table, rule, N_TRIALS, best)
        saved = WHOLE / as_many
        figures.append(Figure(f"{name}: times fewer epochs", saved, "x", "at least 2.5", saved >= 2.5))
    n_alone = round(as_many / EPOCHS)
    _, regrets[f"no stopping, {n_alone} settings, as many epochs"] = _outcome(table, None, n_alone, best)
    for name, each in regrets.items():
        regret, worst = statistics.mean(each), statistics.quantiles(each, n=20)[-1]
        figures += [
            Figure(f"{name}: mean regret", regret, "points", "printed", True),
            Figure(f"{name}: 19 of 20 regrets are below", worst, "points", "printed", True),
        ]
    keep("stopping", "python benchmarks/stopping.py", figures)


def _outcome(
    table: list[Recorded], rule: dict[str, object] | None, n_trials: int, best: list[float]
) -> tuple[float, list[float]]:
    """Mean epochs, and by seed the points that are lost against the best of all settings drawn."""
    replayed = [replay(table, rule, n_trials, seed) for seed in range(N_SEEDS)]
    lost = [100 * (most - reached) for (_, reached), most in zip(replayed, best, strict=True)]
    return statistics.mean(epochs for epochs, _ in replayed), lost


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(Path(sys.argv[2]))
    else:
        compare()
