"""This is where it is estimated which dimensions of a search mattered, by PED-ANOVA (arXiv 2304.10255).

importances(spec, trials)[Pair("squad_v1", "tydiqa")]   -> {"target.learning_rate": 0.8, "target.epochs": 0.2}
"""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from xtr.analysis.records.trials import TrialRow
from xtr.search.optuna_space import PairSpace
from xtr.spec.budget import fits
from xtr.spec.sweep import Pair, SweepSpec

optuna.logging.set_verbosity(optuna.logging.ERROR)

FEWEST_TRIALS = 8
"""Finished search trials of a pair; with fewer the better ones are one or two, and say nothing."""


def importances(spec: SweepSpec, trials: Sequence[TrialRow]) -> dict[Pair, dict[str, float]]:
    """Tell how much each dimension of each pair matters, as shares that sum to 1.

    Pairs with fewer than eight finished search trials, with one dimension at most, or whose scores are all alike
    are left out. Trials of an earlier, wider space count as far as they lie in the present one.
    """
    rows: dict[Pair, list[TrialRow]] = {pair: [] for pair in spec.pairs.pairs()}
    for row in trials:
        if row.phase == "search" and row.value is not None and row.pair in rows:
            rows[row.pair].append(row)
    found = {
        pair: _of_pair(PairSpace(spec, pair), own) for pair, own in rows.items() if len(own) >= FEWEST_TRIALS
    }
    return {pair: each for pair, each in found.items() if each}


def _of_pair(space: PairSpace, rows: Sequence[TrialRow]) -> dict[str, float]:
    inside = [row for row in rows if fits(row.params, space.dimensions)]
    values = {row.value for row in inside}
    if len(inside) < FEWEST_TRIALS or len(values) < 2 or len(space.free) < 2:
        return {}
    study = optuna.create_study(direction="maximize")
    for row in inside:
        told = space.told(row.params)
        distributions = {name: space.distributions[name] for name in told}
        study.add_trial(create_trial(params=told, distributions=distributions, value=row.value))
    shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in shares.items()}
