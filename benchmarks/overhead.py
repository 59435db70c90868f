"""What a trial costs beside its training: 60 trials whose stages are stored, beside 60 of plain Ray Tune.

    python benchmarks/overhead.py [REPEATS]

A sweep of 60 trials is run once, then again under other names: nothing is trained, so what is left is the
platform. The peer is Ray Tune as its guide has it: 60 function trainables that load nothing and report once, two
at a time, chosen by OptunaSearch, Tune's own handling of actors, with and without its MLflow callback. The three
take turns, each in a process of its own, and are timed from start to end, Ray's own start included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))} | {
    "HF_HUB_OFFLINE": "1"
}
N_TRIALS = 60
SWEEP = """
version: 1
name: overhead
model: {name: demo}
pairs: {intermediate: [squad_v1, csqa], target: [tydiqa]}
stages:
  intermediate: {epochs: 1, batch_size: 16, max_length: 96, max_rows: 32}
  target: {epochs: 1, batch_size: 16, max_length: 96, max_rows: 32}
  evaluate: {max_rows: 8}
search:
  space:
    intermediate.learning_rate: {log_float: [1e-4, 1e-3]}
    target.learning_rate: {log_float: [1e-4, 1e-3]}
  share: intermediate
  pool: 2
  start_with: []
  trials_per_pair: 20
data: {source: demo, demo_scale: 0.02}
"""


def ours(folder: Path, name: str) -> float:
    """Run the sweep under a name; return seconds."""
    return _timed([sys.executable, "-m", "xtr", "run", "sweep.yaml", "--set", f"name={name}"], folder)


def theirs(folder: Path, *, mlflow: bool) -> float:
    """Run the peer; return seconds."""
    return _timed([sys.executable, __file__, "peer", "mlflow" if mlflow else "bare"], folder)


def _timed(command: list[str], folder: Path) -> float:
    started = time.monotonic()
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {result.returncode}\n{result.stdout}{result.stderr}"
        )
    return time.monotonic() - started


def peer(folder: Path, *, mlflow: bool) -> None:
    """Run 60 function trainables that report once, as Ray Tune's guide has it."""
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    def trainable(config: dict[str, float]) -> None:
        tune.report({"score": config["learning_rate"]})

    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    uri = f"sqlite:///{folder / 'mlruns.db'}"
    callbacks = [MLflowLoggerCallback(tracking_uri=uri, experiment_name="peer")] if mlflow else []
    tune.Tuner(
        trainable,
        param_space={"learning_rate": tune.loguniform(1e-4, 1e-3)},
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(),
            metric="score",
            mode="max",
            num_samples=N_TRIALS,
            max_concurrent_trials=2,
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0, callbacks=callbacks),
    ).fit()
    ray.shutdown()


def compare(repeats: int) -> None:
    """Take turns and keep the figures."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        (folder / "sweep.yaml").write_text(SWEEP)
        ours(folder, "stored")
        turns = []
        for turn in range(repeats):
            own = ours(folder, f"again-{turn}") / N_TRIALS
            peers = [theirs(folder, mlflow=each) / N_TRIALS for each in (True, False)]
            turns.append((own, *peers))
            print(
                "s a trial: xtr {:.3f}, Tune with MLflow {:.3f}, without {:.3f}".format(*turns[-1]),
                flush=True,
            )
    each, with_mlflow, bare = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio = statistics.median(turn[1] / turn[0] for turn in turns)
    to_bare = statistics.median(turn[2] / turn[0] for turn in turns)
    figures = [
        Figure("a trial whose stages are stored, xtr", each, "s", "at most 0.35", each <= 0.35),
        Figure("a trial of Ray Tune with its MLflow callback", with_mlflow, "s", "printed", True),
        Figure("a trial of Ray Tune without MLflow", bare, "s", "printed", True),
        Figure("Ray Tune with MLflow / xtr", ratio, "x", "at least 3", ratio >= 3),
        Figure("Ray Tune without MLflow / xtr (which writes MLflow)", to_bare, "x", "printed", True),
    ]
    keep("overhead", "python benchmarks/overhead.py", figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(Path.cwd(), mlflow=sys.argv[2] == "mlflow")
    else:
        compare(int(sys.argv[1]) if sys.argv[1:] else 3)
