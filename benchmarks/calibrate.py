"""Is the instrument true? What demo worlds have planted is looked for, and false alarms are counted.

    python benchmarks/calibrate.py [worlds] [null] [--worlds 10] [--tables 1000] [--root FOLDER]

`worlds`: a seed is another world (words, encoder, items, training), so ten worlds are ten seeds. In each the arms
of sweeps/planted.yaml are trained and scored, stages shared by the store; over them the verdicts must be what was
planted. A root that is kept goes on where it was. `null`: tables of scores in which nothing differs but luck,
through the same verdicts, without any training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.spec.load import load_sweep
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.statistics.intervals import mean_interval
from xtr.statistics.significance import equivalence, holm, paired_p

PLANTED = Path(__file__).parent.parent / "sweeps" / "planted.yaml"
SOURCE, OTHERS = ("en",), ("xa", "xb", "xc", "xd")
LEVEL = 0.05
"""Of false alarms."""


class Arm(NamedTuple):
    """What a target was scored after: an intermediate, on a share of its rows."""

    intermediate: str
    target: str
    fraction: float = 1.0


class Side(NamedTuple):
    """One side of a comparison: an arm, and the languages over which its scores are averaged."""

    arm: Arm
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """A planted truth: one side's score minus the other's, in points, beside a margin.

    Attributes:
        expect: above the margin, below minus the margin, or within it on both sides.
    """

    name: str
    of: Side
    minus: Side
    expect: Literal["above", "below", "within"]
    margin: float

    def difference(self, scores: Scores) -> float:
        """Subtract in one world, in points."""
        return 100 * (_mean(scores, self.of) - _mean(scores, self.minus))

    def seen(self, difference: float) -> bool:
        """Say whether one world's difference looks as planted."""
        return {
            "above": difference > self.margin,
            "below": difference < -self.margin,
            "within": abs(difference) <= self.margin,
        }[self.expect]

    def found(self, differences: Sequence[float]) -> bool:
        """Say whether it is shown over worlds: by the t interval of the mean, or by equivalence."""
        if self.expect == "within":
            p = equivalence(differences, margin=self.margin)
            return p is not None and p < LEVEL
        interval = mean_interval(differences)
        if interval.low is None or interval.high is None:
            return False
        return interval.low > self.margin if self.expect == "above" else interval.high < -self.margin


Scores = Mapping[tuple[Arm, str], float]
"""The task's metric by arm and language, in [0, 1]."""


def _mean(scores: Scores, side: Side) -> float:
    return statistics.fmean(scores[side.arm, language] for language in side.languages)


def _effects() -> Iterator[Effect]:
    alone, squad, csqa = (Arm(each, "tydiqa") for each in ("none", "squad_v1", "csqa"))
    plain, mnli = Arm("none", "pawsx"), Arm("mnli", "pawsx")
    every, words = (*SOURCE, *OTHERS), Arm("none", "tatoeba")

    def compare(
        name: str, of: Arm, minus: Arm, languages: tuple[str, ...], expect: str, margin: float
    ) -> Effect:
        return Effect(name, Side(of, languages), Side(minus, languages), expect, margin)  # type: ignore[arg-type]

    def far(name: str, arm: Arm, margin: float) -> Effect:
        return Effect(name, Side(arm, ("xa",)), Side(arm, ("xd",)), "above", margin)

    yield compare("squad_v1 helps tydiqa in English", squad, alone, SOURCE, "above", 5)
    yield compare("squad_v1 helps tydiqa elsewhere", squad, alone, OTHERS, "above", 5)
    yield compare("mnli helps pawsx in English", mnli, plain, SOURCE, "above", 5)
    yield compare("csqa does nothing to tydiqa", csqa, alone, every, "within", 5)
    yield compare(
        "csqa after mnli does nothing to pawsx", Arm("mnli>csqa", "pawsx"), mnli, every, "within", 5
    )
    yield compare("all of squad_v1 beats an eighth", squad, squad._replace(fraction=0.125), every, "above", 5)
    yield compare("all of mnli beats an eighth", mnli, mnli._replace(fraction=0.125), SOURCE, "above", 5)
    yield compare("spelling after mnli hurts", Arm("mnli>spelling", "pawsx"), mnli, SOURCE, "below", 0)
    yield far("tydiqa is near in xa and far in xd", squad, 5)
    yield far("words are near in xa and far in xd", words, 10)


EFFECTS = tuple(_effects())


def arms_of(effects: Sequence[Effect]) -> list[Arm]:
    """List the arms that effects compare, once each."""
    return list(dict.fromkeys(side.arm for effect in effects for side in (effect.of, effect.minus)))


def world_spec(seed: int, root: Path) -> SweepSpec:
    """Describe one world's sweep: everything in it follows from the seed."""
    settings = {
        "data.demo_seed": seed,
        "search.training_seed": seed,
        "storage.root": str(root / f"world-{seed}"),
    }
    return load_sweep(PLANTED, [f"{name}={value}" for name, value in settings.items()])


def score_world(seed: int, root: Path, arms: Sequence[Arm]) -> dict[tuple[Arm, str], float]:
    """Train a world's arms in this process and score them in every language; what is stored is read."""
    from xtr.catalogue.lookup import find_task
    from xtr.model.world import World
    from xtr.stages.path import Paths
    from xtr.stages.run import Runner

    spec = world_spec(seed, root)
    runner = Runner(spec, here=World())
    paths = Paths(spec, runner.source)
    scores: dict[tuple[Arm, str], float] = {}
    for arm in arms:
        params: dict[str, Value] = (
            {} if arm.intermediate == "none" else {"intermediate.fraction": arm.fraction}
        )
        path = paths.path(Pair(arm.intermediate, arm.target), params, seed)
        task = find_task(arm.target)
        languages = runner.source.languages(task, "test")
        stages = paths.evaluations(path.end, path.target, task, "test", languages)
        for language, outcome in zip(languages, runner.evaluate(stages), strict=True):
            scores[arm, language] = outcome.scores[task.metric]
    return scores


def worlds(n_worlds: int, root: Path) -> Iterator[Figure]:
    """Look for every effect in so many worlds, two at a time."""
    arms = arms_of(EFFECTS)
    by_seed: dict[int, Scores] = {}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(score_world, seed, root, arms): seed for seed in range(n_worlds)}
        for done in as_completed(running):
            seed = running[done]
            by_seed[seed] = done.result()
            seen = sum(effect.seen(effect.difference(by_seed[seed])) for effect in EFFECTS)
            print(f"world {seed}: {seen} of {len(EFFECTS)} effects look as planted", flush=True)
    n_found = 0
    for effect in EFFECTS:
        differences = [effect.difference(by_seed[seed]) for seed in sorted(by_seed)]
        print(f"{effect.name:<40}", " ".join(f"{each:+6.1f}" for each in differences))
        found = effect.found(differences)
        n_found += found
        seen = sum(map(effect.seen, differences))
        goal = f"{effect.expect} {effect.margin:g}, {seen} of {n_worlds} look so"
        yield Figure(effect.name, statistics.fmean(differences), "points", goal, found)
    share = 10 * n_found / len(EFFECTS)
    yield Figure("planted effects found, of 10", share, "effects", "at least 9", share >= 9)


N_ITEMS, TRUTH, LUCK, HARD = 300, 0.6, 0.03, 0.05
"""Of a null table: test items, mean accuracy, and the deviations of seeds and of languages."""


def null_table(n_seeds: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores of two arms that differ by nothing but luck: (n_seeds, n_languages) each, in [0, 1].

    A seed is lucky in all languages of an arm at once, and every test set counts its own right answers.
    """
    hard = draw.normal(0, HARD, len(OTHERS) + 1)
    arms = []
    for _ in range(2):
        chance = np.clip(TRUTH + hard + draw.normal(0, LUCK, (n_seeds, 1)), 0.01, 0.99)
        arms.append(draw.binomial(N_ITEMS, chance) / N_ITEMS)
    return arms[0], arms[1]


def alarms(ours: np.ndarray, theirs: np.ndarray) -> tuple[bool, bool]:
    """Say what is cried out over a table: the interval of the mean, and any language's test after Holm."""
    apart = ours - theirs
    p_values = {i: paired_p([float(each) for each in column]) for i, column in enumerate(apart.T)}
    tested = {language: p for language, p in p_values.items() if p is not None}
    mean = mean_interval([float(each) for each in apart.mean(1)])
    return mean.excludes_nought, any(p < LEVEL for p in holm(tested).values())


def null(n_tables: int) -> Iterator[Figure]:
    """Count false alarms at several numbers of seeds, beside what chance makes of a rate of 5 %."""
    low, high = (100 * float(each) / n_tables for each in stats.binom.interval(0.95, n_tables, LEVEL))
    for n_seeds in (3, 5, 10):
        draw = np.random.default_rng(n_seeds)
        cried = [alarms(*null_table(n_seeds, draw)) for _ in range(n_tables)]
        mean, any_language = (100 * sum(each) / n_tables for each in zip(*cried, strict=True))
        name, within = f"null, {n_seeds} seeds", low <= mean <= high
        yield Figure(f"{name}: the mean's interval", mean, "%", f"{low:.1f} to {high:.1f}", within)
        # A seed's luck is the same in every language, so Holm's correction errs on the safe side.
        yield Figure(
            f"{name}: any language, Holm", any_language, "%", f"up to {high:.1f}", any_language <= high
        )


def main() -> None:
    """Run the parts that were asked for and keep their figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["worlds", "null", []], default=["worlds", "null"])
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--root", type=Path, help="Folder for the stages; by default one that is removed.")
    asked = parser.parse_args()
    if "null" in asked.parts:
        keep(
            "calibrate-null",
            f"python benchmarks/calibrate.py null --tables {asked.tables}",
            list(null(asked.tables)),
        )
    if "worlds" in asked.parts:
        with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
            figures = list(worlds(asked.worlds, asked.root or Path(scratch)))
        keep("calibrate-worlds", f"python benchmarks/calibrate.py worlds --worlds {asked.worlds}", figures)


if __name__ == "__main__":
    main()
