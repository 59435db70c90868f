"""Playing a sweep through: places are used, a stage is made once, generations follow one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtr.analysis.planning.forecast import Foreseen, Step
from xtr.analysis.planning.schedule import longest_chain, pack_seconds, run_seconds
from xtr.spec.sweep import Pair

FIRST, SECOND = Pair("mnli", "xnli"), Pair("mnli", "pawsx")


def trial(pair: Pair, wave: int, *stages: tuple[str, float]) -> Foreseen:
    return Foreseen(pair, wave, tuple(Step(key, "target", 1, 1.0, seconds) for key, seconds in stages))


def seconds(trials: list[Foreseen], n_places: int, stored: frozenset[str] = frozenset()) -> float:
    return run_seconds(trials, stored, n_places, 0.0)


def test_a_shared_stage_is_waited_for_and_made_once() -> None:
    trials = [trial(FIRST, 0, ("mnli", 10), ("a", 3)), trial(SECOND, 0, ("mnli", 10), ("b", 5))]
    assert seconds(trials, 2) == 15, "both wait for mnli, then train their own"
    assert seconds(trials, 1) == 10 + 3 + 5


def test_what_is_stored_takes_no_time() -> None:
    trials = [trial(FIRST, 0, ("mnli", 10), ("a", 3))]
    assert seconds(trials, 1, frozenset({"mnli"})) == 3
    assert seconds(trials, 1, frozenset({"mnli", "a"})) == 0
    assert seconds([], 4) == 0


def test_a_wave_waits_for_the_wave_before_while_other_pairs_go_on() -> None:
    trials = [trial(FIRST, 0, ("a", 10)), trial(FIRST, 1, ("b", 10)), trial(SECOND, 0, ("c", 4))]
    assert seconds(trials, 8) == 20
    assert seconds([trial(FIRST, 0, ("a", 10)), trial(FIRST, 0, ("b", 10))], 8) == 10


def test_the_longest_chain_is_that_of_unmade_stages() -> None:
    trials = [trial(FIRST, 0, ("mnli", 10), ("a", 3)), trial(SECOND, 0, ("mnli", 10), ("b", 5))]
    assert longest_chain(trials, frozenset()) == (15, trials[1])
    assert longest_chain(trials, frozenset({"b"})) == (13, trials[0])
    assert longest_chain([], frozenset()) == (0, None)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_no_schedule_beats_its_bounds(drawn: list[tuple[int, int, int]], n_places: int) -> None:
    pairs = (FIRST, SECOND, Pair("none", "xnli"))
    trials = [
        trial(pairs[pair], wave, (f"shared-{pair}", 5.0), (f"own-{number}", float(length)))
        for number, (pair, wave, length) in enumerate(drawn)
    ]
    work = sum({step.key: step.seconds for each in trials for step in each.steps}.values())
    chain, _ = longest_chain(trials, frozenset())
    took = seconds(trials, n_places)
    assert took >= max(chain, work / n_places)
    assert took <= sum(step.seconds for each in trials for step in each.steps)
    assert seconds(trials, 1) == pytest.approx(work), "one place never waits"


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 5))
def test_independent_work_is_packed_within_the_known_bound(durations: list[int], n_places: int) -> None:
    took = pack_seconds(durations, n_places)
    least = max(sum(durations) / n_places, max(durations, default=0))
    assert least <= took <= least * 4 / 3 + max(durations, default=0)
