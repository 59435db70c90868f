"""This is where declared contrasts get their verdicts: what was expected, what was measured, and what follows.

    findings_of(spec, results_of(folder))
    -> [Finding("squad-helps", ..., measured=19.8, low=12.1, high=27.5, p=0.004, verdict="holds", ...)]

Everything is paired: equal seeds, equal settings of what both arms train, the same test items. A verdict is told
at 5 %, after Holm's correction over all contrasts that the sweep declares, so that a sweep of twenty is not right
once by chance. The p of single languages are corrected over languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from xtr.analysis.findings.curves import crossing_detail, curve_detail, slopes
from xtr.analysis.findings.sampling import Sample, sample, seeds_of
from xtr.analysis.findings.weighing import Compared, Table, Untestable, Weighing, Weights, combined
from xtr.analysis.records.results import Result
from xtr.catalogue.task import Split
from xtr.fingerprint import JSON
from xtr.spec.contrasts import Contrast, Crossing, Curve, Difference, DifferenceOfDifferences
from xtr.spec.sweep import SweepSpec
from xtr.stages.store import StageStore
from xtr.statistics.intervals import ENOUGH_SEEDS, Interval
from xtr.statistics.significance import Outcome, holm, paired_p

Verdict = Literal["holds", "refuted", "open", "not tested"]
ALPHA = 0.05
ONE_SEED = "one seed says nothing of chance"
UNITS = {"curve": "points per doubling", "crossing": "size"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A contrast and its verdict.

    Attributes:
        measured, low, high: in points of 100, of a curve per doubling of its size, of a crossing a size; None
            where that cannot be said, and `why` tells the reason.
        p: of the verdict, after Holm's correction over the contrasts of the sweep.
        why: the reason of the verdict, and what to know of it, in words.
        detail: unit, arms, targets, languages and seeds; `by_language`; of a curve or crossing `points`, `laws`.
    """

    name: str
    claim: str
    source: str
    kind: str
    expected: str
    measured: float | None
    low: float | None
    high: float | None
    p: float | None
    n_seeds: int
    verdict: Verdict
    why: str
    detail: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A contrast as it was measured, before it is known how many others there are.

    Attributes:
        outcome: None where nothing could be tested; then `why` says the reason.
    """

    interval: Interval | None
    outcome: Outcome | None
    why: str
    n_seeds: int
    notes: tuple[str, ...]
    detail: Mapping[str, JSON]


def findings_of(spec: SweepSpec, rows: Sequence[Result], split: Split | None = None) -> list[Finding]:
    """Give every contrast of a sweep its verdict, in the order of the file.

    Args:
        rows: the long table.
        split: on which scores; where None on that of the sweep, or the other one if only that was evaluated.
    """
    if not spec.contrasts:
        return []
    table = Table(rows, split or _split(spec, rows))
    many = len({row.seed for row in rows}) >= ENOUGH_SEEDS
    store = StageStore(spec.storage.workplace()) if many else None
    measured = {name: _measure(spec, table, each, store) for name, each in spec.contrasts.items()}
    adjusted = holm({name: each.outcome.p for name, each in measured.items() if each.outcome})
    return [
        _judged(name, spec.contrasts[name], each, adjusted.get(name), len(adjusted))
        for name, each in measured.items()
    ]


def _split(spec: SweepSpec, rows: Sequence[Result]) -> Split:
    own = spec.stages.evaluate.split
    other: Split = "dev" if own == "test" else "test"
    scored = {row.split for row in rows}
    return other if own not in scored and other in scored else own


def _measure(spec: SweepSpec, table: Table, contrast: Contrast, store: StageStore | None) -> Measured:
    weighing = Weighing(spec, table, contrast)
    try:
        if not table.scores:
            raise Untestable(f"nothing is scored on {table.split} yet: xtr evaluate {spec.name}")
        compared = contrast.compared
        if isinstance(compared, Crossing):
            return _crossing(weighing, compared)
        return _sum(weighing, compared, store)
    except Untestable as reason:
        return Measured(None, None, str(reason), 0, (), {})


def _sum(weighing: Weighing, compared: Difference | Curve, store: StageStore | None) -> Measured:
    """Measure what is a weighted sum of scores: all kinds but the crossing."""
    table, by_size = weighing.table, {}
    parts: dict[str, str] = {}
    if isinstance(compared, Curve):
        by_size = weighing.by_size(compared.of, compared.minus, over=compared.over)
        found = slopes(by_size)
    elif isinstance(compared, DifferenceOfDifferences):
        found, parts = _difference_of_differences(weighing, compared)
    else:
        found = weighing.by_size(compared.of, compared.minus)[None]
    seeds = _common_seeds(weighing, [found.weights])
    whole = sample(found.weights, table, seeds, store)
    if whole.items is not None:
        weighing.notes["what another test set of this size would change is counted in"] = None
    detail = _detail(weighing, seeds, whole)
    detail["by_language"] = _by_language(found.by_language, parts, table, seeds)
    if isinstance(compared, Curve):
        detail |= curve_detail(weighing, compared, by_size, seeds)
    outcome = whole.against(weighing.contrast.expect)
    why = "" if outcome else _no_test(whole)
    return Measured(whole.interval, outcome, why, len(seeds), tuple(weighing.notes), detail)


def _difference_of_differences(
    weighing: Weighing, compared: DifferenceOfDifferences
) -> tuple[Compared, dict[str, str]]:
    """Subtract the difference in one part from that in the other; also say which language is in which."""
    sides = {"among": compared.among, "against": compared.against}
    languages = {name: part.languages or weighing.contrast.languages for name, part in sides.items()}
    groups = {"among": tuple(languages.values()), "against": tuple(reversed(languages.values()))}
    found = {
        name: weighing.by_size(compared.of, compared.minus, targets=part.targets, groups=groups[name])[None]
        for name, part in sides.items()
    }
    one, other = found["among"], found["against"]
    weights = combined([(1.0, one.weights), (-1.0, other.weights)])
    if compared.among.targets or compared.against.targets:
        both = {
            code: combined([(1.0, each), (-1.0, other.by_language[code])])
            for code, each in one.by_language.items()
            if code in other.by_language
        }
        return Compared(weights, both), {}
    parts = {code: name for name, each in found.items() for code in each.by_language}
    return Compared(weights, {**one.by_language, **other.by_language}), parts


def _crossing(weighing: Weighing, compared: Crossing) -> Measured:
    """Measure at which size two arms meet."""
    one, other = compared.between
    apart = weighing.by_size((one,), (other,), over=compared.over)
    seeds = _common_seeds(weighing, [each.weights for each in apart.values()])
    interval, outcome, why, detail = crossing_detail(weighing, compared, apart, seeds)
    if len(seeds) == 1:
        why = ONE_SEED
    base = _detail(weighing, seeds, None)
    return Measured(interval, outcome, why, len(seeds), tuple(weighing.notes), {**base, **detail})


def _common_seeds(weighing: Weighing, sums: Sequence[Weights]) -> tuple[int, ...]:
    seeds, partly = seeds_of(sums, weighing.table)
    if not seeds:
        raise Untestable(f"its scores have no seed in common: each of {_listed(partly)} is missing somewhere")
    design = weighing.spec.search.design
    lacking = sorted({*partly, *(design.seeds if design else ())} - {*seeds})
    if lacking:
        told = "seed" if len(lacking) == 1 else "seeds"
        weighing.notes[f"{told} {_listed(lacking)} left out: some score is missing"] = None
    if design is None:  # of a design all settings are compared, and nothing is chosen
        weighing.notes.update(dict.fromkeys(weighing.spec.search.caveat))
    runs = {(cell.pair, cell.settings, seed) for each in sums for cell in each for seed in seeds}
    collapsed = sum(weighing.table.collapsed(*run) for run in runs)
    if collapsed:
        name = weighing.spec.name
        weighing.notes[f"{collapsed} of its {len(runs)} runs collapsed to one class (xtr status {name})"] = (
            None
        )
    return seeds


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _detail(weighing: Weighing, seeds: Sequence[int], whole: Sample | None) -> dict[str, JSON]:
    contrast = weighing.contrast
    return {
        "unit": UNITS.get(contrast.kind, "points"),
        "split": weighing.table.split,
        "arms": list(contrast.arms),
        "targets": list(weighing.targets),
        "seeds": list(seeds),
        "method": whole.interval.method if whole else None,
        "by_seed": list(whole.by_seed) if whole else None,
    }


def _by_language(
    by_language: Mapping[str, Weights], parts: Mapping[str, str], table: Table, seeds: Sequence[int]
) -> JSON:
    """Tell each language by itself; p by the paired t test over seeds, corrected over languages."""
    samples = {code: sample(weights, table, seeds) for code, weights in by_language.items()}
    tested = {code: p for code, each in samples.items() if (p := paired_p(each.by_seed)) is not None}
    adjusted = holm(tested)
    return [
        {
            "language": code,
            "part": parts.get(code),
            "measured": each.interval.mean,
            "low": each.interval.low,
            "high": each.interval.high,
            "p": tested.get(code),
            "p_holm": adjusted.get(code),
        }
        for code, each in samples.items()
    ]


def _no_test(whole: Sample) -> str:
    if len(whole.by_seed) == 1:
        return ONE_SEED
    return f"all {len(whole.by_seed)} seeds gave the same: without spread nothing is known of chance"


def _judged(name: str, contrast: Contrast, each: Measured, p: float | None, n: int) -> Finding:
    verdict, why = _verdict(each, p, n)
    interval = each.interval
    shown = interval if interval is None or each.outcome else replace(interval, low=None, high=None)
    return Finding(
        name=name,
        claim=contrast.claim,
        source=contrast.source,
        kind=contrast.kind,
        expected=str(contrast.expect),
        measured=shown.mean if shown else None,
        low=shown.low if shown else None,
        high=shown.high if shown else None,
        p=p,
        n_seeds=each.n_seeds,
        verdict=verdict,
        why="; ".join([why, *each.notes]),
        detail={**each.detail, "p_alone": each.outcome.p if each.outcome else None},
    )


def _verdict(each: Measured, p: float | None, n: int) -> tuple[Verdict, str]:
    if each.outcome is None or p is None:
        return ("open" if each.n_seeds == 1 else "not tested"), each.why
    told = f"p {p:.3g}" if n == 1 else f"p {p:.3g} over {n} contrasts"
    seeds = f"{each.n_seeds} seeds"
    if p < ALPHA:
        verdict: Verdict = "holds" if each.outcome.as_expected else "refuted"
        return verdict, f"{told}, {seeds}"
    if each.outcome.p < ALPHA:
        return "open", f"p {each.outcome.p:.3g} alone, but {told}, {seeds}"
    return "open", f"{each.why or 'chance may explain it'}: {told}, {seeds}"
