"""How often verdicts err: counted over simulated sweeps whose truth is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tests.analysis.planted import result
from tests.spec.sweeps import load_text
from xtr.analysis.findings.verdicts import Finding, findings_of
from xtr.analysis.records.results import Result
from xtr.spec.sweep import SweepSpec

N_SWEEPS = 500
LANGUAGES = ("en", "xa", "xb", "xd")
SPEC = """\
version: 1
name: simulated
model: {name: demo}
pairs: {intermediate: [squad_v1, csqa], target: [tydiqa]}
search:
  space: {intermediate.fraction: {choice: [0.5, 1.0]}}
  design: {seeds: [1, 2, 3, 4, 5]}
contrasts:
"""
EACH = """\
  helps: {claim: c, difference: {of: squad_v1}, expect: {above: 0}}
  other: {claim: c, difference: {of: csqa}, expect: {below: 0}}
  more: {claim: c, curve: {of: squad_v1, minus: none, over: intermediate.fraction}, expect: rises}
  groups:
    claim: c
    difference_of_differences: {of: csqa, among: low_resource, against: high_resource}
    expect: {below: 0}
"""


def a_sweep(draw: np.random.Generator, n_seeds: int, effect: float = 0.0) -> list[Result]:
    """Scores of no more than chance: of a seed, shared by its languages, and of each score; and an effect."""
    rows = []
    for seed in range(1, n_seeds + 1):
        for arm, fractions in (("none", (None,)), ("squad_v1", (0.5, 1.0)), ("csqa", (0.5, 1.0))):
            for fraction in fractions:
                luck = draw.normal(0, 0.01) + effect * (arm == "squad_v1")
                settings = {} if fraction is None else {"intermediate.fraction": fraction}
                for language in LANGUAGES:
                    score = 0.6 + luck + draw.normal(0, 0.01)
                    rows.append(result(arm, "tydiqa", seed, language, score, settings))
    return rows


def verdicts(spec: SweepSpec, n_seeds: int, effect: float = 0.0) -> list[list[Finding]]:
    """The findings of many sweeps."""
    draw = np.random.default_rng(n_seeds)
    return [findings_of(spec, a_sweep(draw, n_seeds, effect)) for _ in range(N_SWEEPS)]


def near(share: float, expected: float) -> bool:
    """Whether a share of simulated sweeps is what it should be, but for the chance of the simulation."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / N_SWEEPS)


def test_where_nothing_is_a_sweep_is_wrong_as_seldom_as_one_contrast(tmp_path: Path) -> None:
    found = verdicts(load_text(tmp_path, SPEC + EACH), 3)
    alone = [each.detail["p_alone"] for sweep in found for each in sweep]
    assert abs(np.mean([isinstance(p, float) and p < 0.05 for p in alone]) - 0.05) < 0.02
    wrong = np.mean([any(each.verdict != "open" for each in sweep) for sweep in found])
    assert 0.01 < wrong <= 0.05 or near(float(wrong), 0.05)


def test_intervals_hold_what_was_planted_and_two_sided_verdicts_take_its_side(tmp_path: Path) -> None:
    spec = load_text(tmp_path, SPEC + EACH.splitlines()[0] + "\n")
    found = [each for sweep in verdicts(spec, 5, effect=0.02) for each in sweep]
    held = [(each.low or 0) <= 2.0 <= (each.high or 0) for each in found]
    assert near(float(np.mean(held)), 0.95)
    assert np.mean([each.verdict == "holds" for each in found]) > 0.5
    assert not any(each.verdict == "refuted" for each in found)


def test_an_effect_as_large_as_the_margin_passes_for_none_as_seldom_as_is_said(tmp_path: Path) -> None:
    spec = load_text(
        tmp_path, SPEC + "  alike: {claim: c, difference: {of: squad_v1}, expect: {within: 2}}\n"
    )
    found = [each for sweep in verdicts(spec, 5, effect=0.02) for each in sweep]
    passed = float(np.mean([each.verdict == "holds" for each in found]))
    assert passed <= 0.05 or near(passed, 0.05)
    beyond = float(np.mean([each.verdict == "refuted" for each in found]))
    assert beyond <= 0.025 or near(beyond, 0.025)
