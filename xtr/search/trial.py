"""This is where a trial runs: plan the path, make its stages exist, say what it came to."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from xtr.analysis.records.trials import State
from xtr.catalogue.lookup import find_task
from xtr.errors import CorruptArtefact, Diverged, Drained, XtrError
from xtr.faults import fault
from xtr.fingerprint import JSON
from xtr.metrics.collapse import COLLAPSED
from xtr.search.study import Job
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.path import Paths
from xtr.stages.run import Outcome, Runner
from xtr.stages.stage import TrainStage

SPENT = "spent"
DRAINED: Literal["drained"] = "drained"
"""In a report: seconds of the stage that was just computed; the state of a trial that was asked to stop."""


def run_trial(config: dict[str, Any], *, spec: SweepSpec, drain: Drain) -> None:
    """Be Tune's trainable: report what each stage took, do the job, and report at the end what it came to.

    A report returns when the driver has taken it in, so a budget that is spent is known before the next stage.
    """
    from ray import tune

    def told(outcome: Outcome) -> None:
        tune.report({**_report("running", math.nan, {}), SPENT: outcome.seconds})

    report = perform(spec, job_of(config), drain, told)
    fault("trial.before_report")
    tune.report(report)


def config_of(job: Job) -> dict[str, Any]:
    """Put a job into a trial's config."""
    return {"job": asdict(job)}


def job_of(config: dict[str, Any]) -> Job:
    """Read a job back from a trial's config."""
    fields = dict(config["job"])
    return Job(**(fields | {"pair": Pair(**fields["pair"])}))


def perform(
    spec: SweepSpec, job: Job, drain: Drain = NEVER, told: Callable[[Outcome], None] = lambda _: None
) -> dict[str, Any]:
    """Run a job's stages and return state, score and detail; failures are tried again, then told as such."""
    computed: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        computed.append(outcome)
        told(outcome)

    error = ""
    for _ in range(1 + spec.compute.retries.trial):
        try:
            return _attempt(job, Runner(spec, drain, note))
        except Drained:
            return _report(DRAINED, math.nan, _detail(computed))
        except Diverged as diverged:
            return _report("diverged", math.nan, _detail(computed) | {"error": str(diverged)})
        except CorruptArtefact:  # it is set aside now; the next attempt makes it anew
            error = traceback.format_exc()
        except XtrError as refused:
            return _report("failed", math.nan, _detail(computed) | {"error": str(refused)})
        except Exception:
            error = traceback.format_exc()
    return _report("failed", math.nan, _detail(computed) | {"error": error})


def _attempt(job: Job, runner: Runner) -> dict[str, Any]:
    spec = runner.spec
    path = Paths(spec, runner.source).path(job.pair, job.params, job.seed)
    trained = [runner.train(stage) for stage in path.intermediate]
    collapsed = [
        name
        for stage, outcome in zip(path.intermediate, trained, strict=True)
        for name in _collapsed(stage, outcome.scores_after(stage.settings.epochs))
    ]
    fault("trial.between_stages")
    if path.target is not None:
        trained.append(runner.train(path.target, until_epoch=job.until_epoch))
        # A stage that is stored already replays the score it had at the rung.
        epoch = job.until_epoch or path.target.settings.epochs
        scores = trained[-1].scores_after(epoch)
        score = scores[find_task(path.target.parts[0].task).metric]
        collapsed += [job.pair.target] if COLLAPSED in scores else []
        if not path.select:
            paused = epoch < path.target.settings.epochs
            return _report(_state(score, paused=paused), score, _detail(trained, collapsed))
    selected = runner.evaluate(path.select)
    metric = find_task(job.pair.target_task).metric
    score = sum(each.scores[metric] for each in selected) / len(selected)
    detail = _detail([*trained, *selected], collapsed)
    if path.target is not None:
        detail |= runner.spec.search.mark
    return _report(_state(score, paused=False), score, detail)


def _collapsed(stage: TrainStage, scores: Mapping[str, float]) -> list[str]:
    """Name the tasks of an intermediate training for which it has come to predict one class alone."""
    named = {part.name: f"{part.name}/{COLLAPSED}" if stage.is_mixture else COLLAPSED for part in stage.parts}
    return [name for name, metric in named.items() if metric in scores]


def _state(score: float, *, paused: bool) -> State:
    if not math.isfinite(score):
        return "diverged"
    return "running" if paused else "complete"


def _detail(outcomes: Sequence[Outcome], collapsed: Sequence[str] = ()) -> dict[str, JSON]:
    """Say which stages a trial walked through, what it spent, and what has collapsed on its way."""
    return {
        **({COLLAPSED: list(collapsed)} if collapsed else {}),
        "stages": [
            {
                "key": each.key,
                "reused": each.reused,
                "steps": each.steps,
                "tokens": each.tokens,
                "seconds": round(each.seconds, 3),
            }
            for each in outcomes
        ],
        "steps": sum(each.steps for each in outcomes),
        "tokens": sum(each.tokens for each in outcomes),
        "seconds": round(sum(each.seconds for each in outcomes), 3),
    }


def _report(state: State | Literal["drained"], score: float, detail: dict[str, JSON]) -> dict[str, Any]:
    # Tune flattens nested results on their way to the searcher, so the detail travels as text.
    return {"state": state, "score": score, "detail": json.dumps(detail)}
