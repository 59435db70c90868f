"""Is the instrument true? What demo worlds have planted is looked for, and false alarms are counted.

    python benchmarks/calibrate.py [worlds] [null] [--worlds 10] [--tables 1000] [--root FOLDER]

`worlds`: a seed is another world (words, encoder, items, training), so ten worlds are ten seeds. In each the arms
of sweeps/planted.yaml are trained and scored, stages shared by the store; over them its contrasts must be found to
hold. A root that is kept goes on where it was. `null`: the same contrasts on scores in which nothing differs but
luck, without any training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.analysis.findings.verdicts import ALPHA, Finding, findings_of
from xtr.analysis.records.results import Result
from xtr.catalogue.lookup import find_task
from xtr.spec.contrasts import Contrast, Curve, Expectation
from xtr.spec.load import load_sweep
from xtr.spec.space import Choice, Value
from xtr.spec.sweep import Pair, SweepSpec

PLANTED = Path(__file__).parent.parent / "sweeps" / "planted.yaml"
SIZE = "intermediate.fraction"
LANGUAGES = ("en", "xa", "xb", "xc", "xd")
ENOUGH = 0.9
"""Share of the planted effects that are to be found."""


def planted(root: Path, seeds: range, world: int = 0) -> SweepSpec:
    """Load the sweep for a world; its design's seeds are those of all worlds."""
    settings = {
        "data.demo_seed": world,
        "search.design.seeds": [*seeds],
        "storage.root": str(root / f"world-{world}"),
    }
    return load_sweep(PLANTED, [f"{name}={value}" for name, value in settings.items()])


Point = tuple[Pair, dict[str, Value]]


def points_of(spec: SweepSpec, contrasts: list[Contrast]) -> list[Point]:
    """List what contrasts compare, once each: pairs, and the sizes of their intermediate task."""
    dimension = spec.search.space[SIZE]
    assert isinstance(dimension, Choice)
    points: list[Point] = []
    for contrast in contrasts:
        compared = contrast.compared
        sizes = dimension.values if isinstance(compared, Curve) else (1.0,)
        for target in contrast.targets:
            for arm in contrast.arms:
                points += [(Pair(arm, target), {SIZE: size} if arm != "none" else {}) for size in sizes]
    return [point for i, point in enumerate(points) if point not in points[:i]]


def score_world(spec: SweepSpec, points: list[Point]) -> list[Result]:
    """Train a world's points in this process and score them in every language; what is stored is read."""
    from xtr.model.world import World
    from xtr.stages.path import Paths
    from xtr.stages.run import Runner

    runner, seed = Runner(spec, here=World()), spec.data.demo_seed
    paths = Paths(spec, runner.source)
    rows = []
    for pair, params in points:
        path, task = paths.path(pair, params, seed), find_task(pair.target)
        stages = paths.evaluations(path.end, path.target, task, "test", LANGUAGES)
        for language, outcome in zip(LANGUAGES, runner.evaluate(stages), strict=True):
            rows.append(row_of(pair, params, seed, language, outcome.scores[task.metric]))
    return rows


def row_of(pair: Pair, params: dict[str, Value], seed: int, language: str, value: float) -> Result:
    """Make a row of the long table; without its stage, since worlds have no item in common to draw anew."""
    metric = find_task(pair.target).metric
    return Result(
        pair.intermediate, pair.target, seed, None, None, "test", language, metric, value, 300, params
    )


def looks_planted(contrast: Contrast, measured: float | None) -> bool:
    """Say whether what was measured, in one world or in several, lies where the contrast expects it."""
    expected = contrast.expect
    if measured is None:
        return False
    return {
        "above": measured > expected.value,
        "below": measured < expected.value,
        "within": abs(measured) <= expected.value,
        "rises": measured > 0,
    }[expected.what]


def worlds(n_worlds: int, root: Path) -> Iterator[Figure]:
    """Look for every contrast in so many worlds, two at a time."""
    seeds = range(n_worlds)
    whole = planted(root, seeds)
    points = points_of(whole, [*whole.contrasts.values()])
    rows: list[Result] = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(score_world, planted(root, seeds, seed), points): seed for seed in seeds}
        for done in as_completed(running):
            one = findings_of(whole, done.result())
            seen = sum(looks_planted(whole.contrasts[each.name], each.measured) for each in one)
            print(f"world {running[done]}: {seen} of {len(one)} effects look as planted", flush=True)
            rows += done.result()
    findings = findings_of(whole, rows)
    yield from (_figure(each, whole.contrasts[each.name]) for each in findings)
    share = sum(each.verdict == "holds" for each in findings) / len(findings)
    name = f"planted effects found over {n_worlds} worlds"
    yield Figure(name, 100 * share, "%", f"at least {100 * ENOUGH:g}", share >= ENOUGH)


def _figure(finding: Finding, contrast: Contrast) -> Figure:
    by_seed = finding.detail.get("by_seed")
    each = [float(str(value)) for value in by_seed] if isinstance(by_seed, list) else []
    print(f"{finding.name:<24} {finding.verdict:<10}", " ".join(f"{value:+6.1f}" for value in each))
    seen = sum(looks_planted(contrast, value) for value in each)
    goal = f"{finding.expected}, {seen} of {len(each)} look so"
    unit = str(finding.detail.get("unit", ""))
    return Figure(finding.claim, finding.measured or 0.0, unit, goal, finding.verdict == "holds")


N_ITEMS, TRUTH, LUCK, HARD = 300, 0.6, 0.03, 0.05
"""Of a table without effects: test items, mean accuracy, and the deviations of seeds and of languages."""


def null_rows(points: list[Point], n_seeds: int, draw: np.random.Generator) -> list[Result]:
    """Draw scores of points that differ by nothing but luck.

    A seed is lucky in all languages of a point at once, and every test set counts its own right answers.
    """
    hard = draw.normal(0, HARD, len(LANGUAGES))
    rows = []
    for pair, params in points:
        chance = np.clip(TRUTH + hard + draw.normal(0, LUCK, (n_seeds, 1)), 0.01, 0.99)
        values = draw.binomial(N_ITEMS, chance) / N_ITEMS
        for seed, by_language in enumerate(values):
            for language, value in zip(LANGUAGES, by_language, strict=True):
                rows.append(row_of(pair, params, seed, language, float(value)))
    return rows


def null(n_tables: int, root: Path, numbers_of_seeds: tuple[int, ...] = (3, 5, 10)) -> Iterator[Figure]:
    """Count false alarms at several numbers of seeds, beside what chance makes of a rate of 5 %.

    An alarm is a verdict, either way, on "above nought"; `alone` is the first contrast before Holm's correction.
    """
    low, high = (100 * float(each) / n_tables for each in stats.binom.interval(0.95, n_tables, ALPHA))
    for n_seeds in numbers_of_seeds:
        spec, draw = _expecting_nothing(planted(root, range(n_seeds))), np.random.default_rng(n_seeds)
        points = points_of(spec, [*spec.contrasts.values()])
        alone = family = 0
        for _ in range(n_tables):
            findings = findings_of(spec, null_rows(points, n_seeds, draw))
            p = findings[0].detail["p_alone"]  # None where all seeds happen to differ by the same
            alone += isinstance(p, float) and p < ALPHA
            family += any(each.verdict in ("holds", "refuted") for each in findings)
        rates = [100 * each / n_tables for each in (alone, family)]
        name, wanted = f"no effect, {n_seeds} seeds", f"{low:.1f} to {high:.1f}"
        yield Figure(f"{name}: one contrast", rates[0], "%", wanted, low <= rates[0] <= high)
        n = len(spec.contrasts)  # they have arms in common, so Holm's correction errs on the safe side
        yield Figure(f"{name}: any of {n} contrasts", rates[1], "%", f"up to {high:.1f}", rates[1] <= high)


def _expecting_nothing(spec: SweepSpec) -> SweepSpec:
    """Have every contrast say that it is above nought, of which each verdict is an alarm where nothing is.

    Curves are left out: their verdicts are those of a weighted sum as well, but their laws take seconds a table.
    """
    above = {"expect": Expectation("above", 0)}
    sums = {name: each for name, each in spec.contrasts.items() if each.kind != "curve"}
    contrasts = {name: each.model_copy(update=above) for name, each in sums.items()}
    return spec.model_copy(update={"contrasts": contrasts})


def main() -> None:
    """Run the parts that were asked for and keep their figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="worlds, null; by default both")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--root", type=Path, help="Folder for the stages; by default one that is removed.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
        root, command = asked.root or Path(scratch), "python benchmarks/calibrate.py"
        if not asked.parts or "null" in asked.parts:
            keep("calibrate-null", f"{command} null --tables {asked.tables}", [*null(asked.tables, root)])
        if not asked.parts or "worlds" in asked.parts:
            keep(
                "calibrate-worlds", f"{command} worlds --worlds {asked.worlds}", [*worlds(asked.worlds, root)]
            )


if __name__ == "__main__":
    main()
