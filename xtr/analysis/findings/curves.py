"""This is where contrasts over a size are measured: slopes, laws with their bands, and where two curves cross.

    slopes(by_size).weights            -> a sum of scores that is points per doubling of the size
    curve_detail(...)["points"]        -> [{"arm": "mnli - none", "language": "sw", "size": 1000, "mean": 2.1}]
    crossing_detail(...)               -> the size at which two arms meet, and whether they do

A law is fitted to the error of an arm, 1 minus its mean score over languages, from three sizes on. Everything
that is drawn is told in points of 100, on the scale of the points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from xtr.analysis.findings.sampling import SEED, sample
from xtr.analysis.findings.weighing import Compared, Size, Weighing, Weights, combined, total
from xtr.fingerprint import JSON
from xtr.spec.contrasts import Crossing, Curve, Expectation
from xtr.statistics.intervals import Interval, jackknife_interval, pseudo_values
from xtr.statistics.scaling import PowerLaw, bootstrap_laws, crossing, fit_power_law, loss_band
from xtr.statistics.significance import Outcome, side_of

BySize = Mapping[Size, Compared]
MEAN = "mean"
"""Stands in the place of a language for the mean over them."""
N_DRAWS, N_DRAWN_SIZES = 200, 25
GROWS = "what is subtracted changes with the size, too: a difference of two laws is none"
Errors = Mapping[int, Mapping[float, float]]
"""By seed and size, 1 minus the mean score, in [0, 1]."""


def slopes(by_size: BySize) -> Compared:
    """Weigh the sizes such that the sum is the slope of the least-squares line over the logarithm, base 2."""
    logs: dict[Size, float] = {size: math.log2(size) for size in by_size if size}
    centre = fmean(logs.values())
    spread = sum((each - centre) ** 2 for each in logs.values())
    factors = {size: (each - centre) / spread for size, each in logs.items()}
    codes = [
        code
        for code in next(iter(by_size.values())).by_language
        if all(code in each.by_language for each in by_size.values())
    ]
    return Compared(
        combined([(factors[size], each.weights) for size, each in by_size.items()]),
        {
            code: combined([(factors[size], each.by_language[code]) for size, each in by_size.items()])
            for code in codes
        },
    )


def curve_detail(weighing: Weighing, curve: Curve, by_size: BySize, seeds: Sequence[int]) -> dict[str, JSON]:
    """Tell what a curve is drawn from: points by language and size, and the law through their mean."""
    arm = " + ".join(curve.of) + (f" - {' + '.join(curve.minus)}" if curve.minus else "")
    law, why = _curve_law(weighing, curve, by_size, seeds)
    return {
        "over": curve.over,
        "points": _points(weighing, arm, by_size, seeds),
        "laws": [{"arm": arm, **law}] if law else [],
        "no_law": why,
    }


def _curve_law(
    weighing: Weighing, curve: Curve, by_size: BySize, seeds: Sequence[int]
) -> tuple[dict[str, JSON] | None, str | None]:
    """Fit a law to the arm; what is subtracted shifts it, as long as it is the same at every size.

    Each seed is freed of its own luck first, which it has in what is subtracted, too.
    """
    if not {*curve.of}.isdisjoint(curve.minus or ()):
        return None, GROWS
    grown = {size: _side(each.weights, curve.of) for size, each in by_size.items()}
    bases = {
        seed: [
            total(_side(each.weights, curve.minus or ()), weighing.table, seed) for each in by_size.values()
        ]
        for seed in seeds
    }
    if any(max(each) - min(each) > 1e-9 for each in bases.values()):
        return None, GROWS
    base = {seed: fmean(each) for seed, each in bases.items()}
    shift = fmean(base.values())
    errors = {
        seed: {size: loss + base[seed] - shift for size, loss in each.items()}
        for seed, each in _errors(weighing, grown, seeds).items()
    }
    try:
        return _drawn_law(errors, shift), None
    except ValueError as reason:
        return None, f"no law: {reason}"


def crossing_detail(
    weighing: Weighing, compared: Crossing, apart: BySize, seeds: Sequence[int]
) -> tuple[Interval | None, Outcome | None, str, dict[str, JSON]]:
    """Find the size at which two arms meet.

    Returns:
        The size, where the laws meet within the sizes; the outcome; why there is none; the detail.
    """
    sides = {
        arm: {size: _side(each.weights, (arm,)) for size, each in apart.items()} for arm in compared.between
    }
    points: list[JSON] = []
    for arm, by_size in sides.items():
        single = {
            size: Compared(
                weights, {code: _side(each, (arm,)) for code, each in apart[size].by_language.items()}
            )
            for size, weights in by_size.items()
        }
        points += _points(weighing, arm, single, seeds)
    errors = [_errors(weighing, each, seeds) for each in sides.values()]
    interval, left_out, why = _meeting(errors, seeds)
    if why:
        weighing.notes[why] = None
    expected = weighing.contrast.expect
    if expected.what in ("crosses", "never"):
        outcome = _crosses(weighing, apart, seeds, expected)
        reason = (
            ""
            if outcome
            else "at some size all seeds gave the same: without spread nothing is known of chance"
        )
    else:
        outcome = _beyond(interval, left_out, expected)
        lacks = "the size of the crossing has no interval" if interval else "no such crossing is found"
        reason = "" if outcome else lacks
    detail = {"over": compared.over, "points": points, **_laws(compared, errors)}
    return interval, outcome, reason, detail


def _meeting(errors: Sequence[Errors], seeds: Sequence[int]) -> tuple[Interval | None, list[float], str]:
    """Find where the other arm's law overtakes the first's, with the jackknife's interval of the logarithm.

    Returns:
        The size; its logarithms, base 2, without each seed and, last, with all; what is to be said.
    """
    try:
        laws = [_fit(each) for each in errors]
        whole = _log_size(errors, laws)
        if whole is None:
            met = _log_size([*reversed(errors)], [*reversed(laws)]) is not None
            order = "they meet in the other order: the second leads below it"
            return None, [], order if met else "the curves do not meet within the sizes"
        left_out = [_log_size_without(seed, errors, laws) for seed in seeds if len(seeds) > 1]
    except ValueError as reason:
        return None, [], f"no size can be told: {reason}"
    found = [each for each in left_out if each is not None]
    if len(seeds) == 1 or len(found) < len(seeds):
        lacks = "without some seed the curves do not meet in that order, so the size has no interval"
        return Interval(2**whole, None, None, len(seeds), "none"), [], lacks if len(seeds) > 1 else ""
    each = jackknife_interval(whole, found)
    low, high = (None if end is None else 2**end for end in (each.low, each.high))
    return Interval(2**whole, low, high, len(seeds), each.method), [*found, whole], ""


def _log_size(errors: Sequence[Errors], laws: Sequence[PowerLaw]) -> float | None:
    sizes = [size for each in errors[0].values() for size in each]
    found = crossing(*laws, between=(min(sizes), max(sizes)))
    return None if found is None else math.log2(found)


def _log_size_without(seed: int, errors: Sequence[Errors], laws: Sequence[PowerLaw]) -> float | None:
    fewer = [{number: each[number] for number in each if number != seed} for each in errors]
    near = [_fit(each, law) for each, law in zip(fewer, laws, strict=True)]
    return _log_size(errors, near)


def _beyond(interval: Interval | None, logs: Sequence[float], expected: Expectation) -> Outcome | None:
    if interval is None or not logs or expected.value <= 0:
        return None
    *left_out, whole = logs
    values = pseudo_values(whole, left_out)
    return side_of(values, math.log2(expected.value), above=expected.what == "above")


def _crosses(
    weighing: Weighing, apart: BySize, seeds: Sequence[int], expected: Expectation
) -> Outcome | None:
    """Test whether the first arm leads at the smallest size and the other at the largest.

    Both ends must be sure, so the larger p counts; that nobody is overtaken must be sure at every size.
    """
    by_seed = [
        sample(each.weights, weighing.table, seeds).by_seed for _, each in sorted(apart.items(), key=_by)
    ]
    tests = [side_of(values, 0.0, above=True) for values in by_seed]
    if any(test is None for test in tests):
        return None
    sure = [test for test in tests if test is not None]
    first, last = sure[0], sure[-1]
    if first.as_expected != last.as_expected:
        in_order = first.as_expected
        return Outcome(max(first.p, last.p), expected.what == "crosses" and in_order)
    alike = all(test.as_expected == first.as_expected for test in sure)
    return Outcome(max(test.p for test in sure) if alike else 1.0, expected.what == "never")


def _by(item: tuple[Size, Compared]) -> float:
    return item[0] or 0.0


def _laws(compared: Crossing, errors: Sequence[Errors]) -> dict[str, JSON]:
    """Tell the law of each arm, and what the first one's data are worth in data of the other."""
    try:
        laws: list[JSON] = [
            {"arm": arm, **_drawn_law(each, 0.0)} for arm, each in zip(compared.between, errors, strict=True)
        ]
        one, other = map(_fit, errors)
    except ValueError as reason:
        return {"laws": [], "no_law": f"no law: {reason}", "effective": []}
    effective: list[JSON] = []
    for size in sorted({size for each in errors[0].values() for size in each}):
        worth = other.size(one.loss(size))
        effective.append(
            {"size": size, "worth": worth, "transferred": None if worth is None else worth - size}
        )
    return {"laws": laws, "no_law": None, "effective": effective}


def _drawn_law(errors: Errors, shift: float) -> dict[str, JSON]:
    """Fit a law and tell it such that it can be drawn: in points, less `shift` (of 1), with its band."""
    law = _fit(errors)
    sizes = sorted({size for each in errors.values() for size in each})
    ratio = sizes[-1] / sizes[0]
    drawn = [sizes[0] * ratio ** (i / (N_DRAWN_SIZES - 1)) for i in range(N_DRAWN_SIZES)]
    several = len(errors) > 1
    band = loss_band(bootstrap_laws(errors, seed=SEED, n_draws=N_DRAWS), drawn) if several else []
    curve: list[JSON] = []
    for i, size in enumerate(drawn):
        low, high = (_points_of(loss, shift) for loss in reversed(band[i])) if several else (None, None)
        curve.append({"size": size, "value": _points_of(law.loss(size), shift), "low": low, "high": high})
    return {"limit": law.limit, "scale": law.scale, "exponent": law.exponent, "band": curve}


def _points_of(loss: float, shift: float) -> float:
    return 100 * (1 - loss - shift)


def _fit(errors: Errors, near: PowerLaw | None = None) -> PowerLaw:
    points = [point for each in errors.values() for point in each.items()]
    return fit_power_law([size for size, _ in points], [loss for _, loss in points], near=near)


def _errors(weighing: Weighing, by_size: Mapping[Size, Weights], seeds: Sequence[int]) -> Errors:
    return {
        seed: {
            float(size or 0): 1 - total(weights, weighing.table, seed) for size, weights in by_size.items()
        }
        for seed in seeds
    }


def _side(weights: Weights, arms: Sequence[str]) -> Weights:
    """Keep the scores of some arms, whatever their sign was."""
    return {cell: abs(weight) for cell, weight in weights.items() if cell.pair.intermediate in arms}


def _points(weighing: Weighing, arm: str, by_size: BySize, seeds: Sequence[int]) -> list[JSON]:
    """Tell the mean and every language at every size, in points, with intervals over seeds."""
    points: list[JSON] = []
    for size, each in by_size.items():
        for language, weights in {MEAN: each.weights, **each.by_language}.items():
            found = sample(weights, weighing.table, seeds).interval
            points.append(
                {
                    "arm": arm,
                    "language": language,
                    "size": size,
                    "mean": found.mean,
                    "low": found.low,
                    "high": found.high,
                }
            )
    return points
