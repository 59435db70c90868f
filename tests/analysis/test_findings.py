"""Contrasts get the verdict that the planted truth deserves, and words where nothing can be said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.planted import EXAMPLES, FRACTIONS, SPEC, World, direct, result, transferred
from tests.analysis.test_care import Plain
from tests.spec.sweeps import load_text
from tests.test_cli import xtr
from xtr.analysis.findings.text import findings_document, findings_text
from xtr.analysis.findings.verdicts import Finding, findings_of
from xtr.analysis.records.results import Result
from xtr.analysis.records.scores import ScoreRow, write_scores
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import SweepSpec
from xtr.stages.store import StageStore

ALL = """\
  helps:
    claim: SQuAD helps.
    difference: {of: squad_v1, at: {target.examples: 10}}
    targets: [tydiqa]
    expect: {above: 0}
  nothing: {claim: CSQA does nothing., difference: {of: csqa}, expect: {within: 1}}
  hurts:
    claim: SQuAD hurts.
    difference: {of: squad_v1, at: {target.examples: 10}}
    targets: [tydiqa]
    expect: {below: 0}
  alike: {claim: SQuAD is like none., difference: {of: squad_v1}, targets: [tydiqa], expect: {within: 0.5}}
  more:
    claim: More of SQuAD helps more.
    curve: {of: squad_v1, minus: none, over: intermediate.fraction}
    targets: [tydiqa]
    expect: rises
  less: {claim: More hurts., curve: {of: none, over: target.examples}, targets: [tydiqa], expect: falls}
  meet:
    claim: Direct training overtakes.
    crossing: {between: [squad_v1, none], over: target.examples}
    targets: [tydiqa]
    expect: crosses
  early:
    claim: It does so before 12.
    crossing: {between: [squad_v1, none], over: target.examples, at: {intermediate.fraction: 1.0}}
    targets: [tydiqa]
    expect: {below: 12}
  chain:
    claim: A chain hurts low-resource languages more.
    difference_of_differences:
      {of: "mnli>squad_v1", minus: squad_v1, among: low_resource, against: high_resource}
    expect: {below: 0}
"""


def a_spec(folder: Path, contrasts: str) -> SweepSpec:
    return load_text(folder, SPEC.replace("ROOT", str(folder / "runs")) + contrasts)


def by_name(findings: Sequence[Finding]) -> dict[str, Finding]:
    return {each.name: each for each in findings}


def only(folder: Path, contrast: str, rows: Sequence[Result]) -> Finding:
    [found] = findings_of(a_spec(folder, f"  it: {contrast}\n"), rows)
    text = json.dumps(findings_document("planted", [found]), allow_nan=False)
    assert json.loads(text)["findings"][0]["verdict"] == found.verdict
    return found


def listed(found: Finding, key: str) -> list[dict[str, Any]]:
    """A part of a finding's detail."""
    part: Any = found.detail[key]
    return list(part)


def numbers(found: Finding) -> tuple[float, float, float]:
    """Low, measured and high of a finding that has them."""
    assert found.low is not None
    assert found.measured is not None
    assert found.high is not None
    return found.low, found.measured, found.high


def test_what_was_planted_is_found(tmp_path: Path) -> None:
    found = by_name(findings_of(a_spec(tmp_path, ALL), World().rows()))
    assert {name: each.verdict for name, each in found.items()} == {
        "helps": "holds",
        "nothing": "holds",
        "hurts": "refuted",
        "alike": "refuted",
        "more": "holds",
        "less": "refuted",
        "meet": "holds",
        "early": "refuted",
        "chain": "holds",
    }
    helps = found["helps"]
    truth = np.mean([transferred(10, each) - direct(10) for each in FRACTIONS])
    assert helps.measured == pytest.approx(100 * truth, abs=0.5)
    low, measured, high = numbers(helps)
    assert 0 < low < measured < high
    assert helps.n_seeds == 3
    assert "mean over 4 settings" in helps.why
    assert found["chain"].measured == pytest.approx(-4, abs=0.7)
    parts = {each["language"]: each["part"] for each in listed(found["chain"], "by_language")}
    assert parts == {"xa": "against", "xb": "against", "xc": "against", "xd": "among"}


def test_arms_are_held_at_settings_and_matched_in_what_both_train(tmp_path: Path) -> None:
    rows = World(noise=0.0001).rows()
    at = "{intermediate.fraction: 0.25, target.examples: 10}"
    found = only(
        tmp_path,
        f"{{claim: c, difference: {{of: squad_v1, at: {at}}}, targets: [tydiqa], expect: {{above: 0}}}}",
        rows,
    )
    assert found.measured == pytest.approx(100 * (transferred(10, 0.25) - direct(10)), abs=0.05)
    # Without `none` at 10 examples there is nothing to hold squad_v1 against there.
    lacking = [row for row in rows if (row.intermediate, row.settings.get("target.examples")) != ("none", 10)]
    found = only(
        tmp_path,
        "{claim: c, difference: {of: squad_v1}, targets: [tydiqa], expect: {above: 0}}",
        lacking,
    )
    truth = np.mean([transferred(e, f) - direct(e) for e in EXAMPLES[1:] for f in FRACTIONS])
    assert found.measured == pytest.approx(100 * truth, abs=0.05)
    assert "4 of 16 settings of tydiqa after squad_v1 have no counterpart in tydiqa alone" in found.why


def test_an_arm_on_both_sides_cancels(tmp_path: Path) -> None:
    contrasts = """\
  both: {claim: c, difference: {of: [squad_v1, csqa], minus: csqa}, targets: [tatoeba], expect: {above: 0}}
  one: {claim: c, difference: {of: squad_v1, minus: csqa}, targets: [tatoeba], expect: {above: 0}}
  curve:
    claim: c
    curve: {of: [squad_v1, csqa], minus: csqa, over: intermediate.fraction}
    targets: [tatoeba]
    expect: rises
  alone: {claim: c, curve: {of: squad_v1, over: intermediate.fraction}, targets: [tatoeba], expect: rises}
"""
    found = by_name(findings_of(a_spec(tmp_path, contrasts), World(noise=0.0001).rows()))
    assert numbers(found["both"]) == pytest.approx([each / 2 for each in numbers(found["one"])])
    # csqa does nothing at any size, so half of what squad_v1 does is left.
    assert found["curve"].measured == pytest.approx((found["alone"].measured or 0) / 2, abs=0.01)
    assert found["curve"].detail["laws"] == []
    assert "changes with the size, too" in str(found["curve"].detail["no_law"])


def test_a_language_that_some_setting_lacks_is_left_out_and_told(tmp_path: Path) -> None:
    rows = [
        row
        for row in World().rows()
        if (row.language, row.settings.get("intermediate.fraction")) != ("xc", 0.5)
    ]
    found = only(tmp_path, HELPS, rows)
    assert [each["language"] for each in listed(found, "by_language")] == ["xa", "xb", "xd"]
    assert "tydiqa: xc left out, since some setting" in found.why
    others = only(tmp_path, HELPS.replace("expect", "languages: [xa], expect"), rows)
    assert "left out" not in others.why, "it is not asked about"


def test_a_curve_carries_what_is_drawn(tmp_path: Path) -> None:
    curve = "{of: squad_v1, minus: none, over: intermediate.fraction, at: {target.examples: 10}}"
    contrast = f"{{claim: c, curve: {curve}, targets: [tydiqa], expect: rises}}"
    found = only(tmp_path, contrast, World(noise=0.001).rows())
    slope = np.polyfit(np.log2(FRACTIONS), [100 * transferred(10, each) for each in FRACTIONS], 1)[0]
    assert found.measured == pytest.approx(slope, abs=0.05)
    points = listed(found, "points")
    assert len(points) == 4 * 5
    mean = {each["size"]: each for each in points if each["language"] == "mean"}
    assert mean[1.0]["mean"] == pytest.approx(100 * (transferred(10, 1.0) - direct(10)), abs=0.1)
    assert mean[1.0]["low"] < mean[1.0]["mean"] < mean[1.0]["high"]
    [law] = listed(found, "laws")
    ends = [law["band"][0], law["band"][-1]]
    assert [each["size"] for each in ends] == pytest.approx([0.125, 1.0])
    for each in ends:
        truth = 100 * (transferred(10, each["size"]) - direct(10))
        assert each["value"] == pytest.approx(truth, abs=0.15)
        assert each["low"] <= each["value"] + 1e-6 <= each["high"] + 2e-6


def test_where_the_baseline_grows_too_no_law_is_made_up(tmp_path: Path) -> None:
    curve = "{of: squad_v1, minus: none, over: target.examples}"
    found = only(tmp_path, f"{{claim: c, curve: {curve}, targets: [tydiqa], expect: falls}}", World().rows())
    assert found.verdict == "holds"
    assert found.detail["laws"] == []
    assert "changes with the size, too" in str(found.detail["no_law"])


def test_the_luck_that_a_seed_has_in_both_arms_is_not_in_the_law(tmp_path: Path) -> None:
    luck = {1: 0.04, 2: -0.05, 3: 0.02}
    rows = [replace(row, value=row.value + luck[row.seed]) for row in World(noise=0.0005).rows()]
    curve = "{of: squad_v1, minus: none, over: intermediate.fraction, at: {target.examples: 10}}"
    found = only(tmp_path, f"{{claim: c, curve: {curve}, targets: [tydiqa], expect: rises}}", rows)
    [law] = listed(found, "laws")
    largest = law["band"][-1]
    assert largest["value"] == pytest.approx(100 * (transferred(10, 1.0) - direct(10)), abs=0.2)
    assert largest["high"] - largest["low"] < 0.5, "no wider than the differences are spread"


def test_a_crossing_is_found_where_the_truth_has_it(tmp_path: Path) -> None:
    crossing = "{between: [squad_v1, none], over: target.examples, at: {intermediate.fraction: 1.0}}"
    contrast = f"{{claim: c, crossing: {crossing}, targets: [tydiqa], expect: crosses}}"
    found = only(tmp_path, contrast, World(seeds=range(1, 6)).rows())
    sizes = np.geomspace(10, 300, 10_000)
    truth = sizes[np.argmin([abs(direct(each) - transferred(each, 1.0)) for each in sizes])]
    assert found.verdict == "holds"
    assert found.measured == pytest.approx(truth, rel=0.1)
    low, _, high = numbers(found)
    assert low < truth < high
    assert [each["arm"] for each in listed(found, "laws")] == ["squad_v1", "none"]
    moved = [each["transferred"] for each in listed(found, "effective")]
    assert moved[0] > 0 > moved[-1], "transfer helps small data and hinders large"


def test_the_other_order_is_no_crossing_as_expected(tmp_path: Path) -> None:
    crossing = "{between: [none, squad_v1], over: target.examples}"
    contrast = f"{{claim: c, crossing: {crossing}, targets: [tydiqa], expect: EXPECTED}}"
    rows = World().rows()
    assert only(tmp_path, contrast.replace("EXPECTED", "crosses"), rows).verdict == "refuted"
    sized = only(tmp_path, contrast.replace("EXPECTED", "{above: 12}"), rows)
    assert (sized.verdict, sized.measured) == ("not tested", None)
    assert "they meet in the other order" in sized.why
    alike = [replace(row, value=direct(int(row.settings.get("target.examples", 1)))) for row in rows]
    assert only(tmp_path, contrast.replace("EXPECTED", "{above: 12}"), alike).measured is None
    csqa = contrast.replace("squad_v1", "csqa").replace("EXPECTED", "never")
    ahead = [replace(row, value=row.value + 0.03 * (row.intermediate == "csqa")) for row in rows]
    assert only(tmp_path, csqa, ahead).verdict == "holds", "one leads at every size"


def test_the_verdict_on_a_size_agrees_with_its_interval(tmp_path: Path) -> None:
    crossing = "{between: [squad_v1, none], over: target.examples, at: {intermediate.fraction: 1.0}}"
    contrast = f"{{claim: c, crossing: {crossing}, targets: [tydiqa], expect: {{above: BOUND}}}}"
    rows = [row for row in World(noise=0.03).rows() if row.settings.get("intermediate.fraction", 1.0) == 1.0]
    low, measured, _ = numbers(only(tmp_path, contrast.replace("BOUND", "12"), rows))
    assert low < measured
    assert only(tmp_path, contrast.replace("BOUND", f"{0.99 * low}"), rows).verdict == "holds"
    assert only(tmp_path, contrast.replace("BOUND", f"{1.01 * low}"), rows).verdict == "open"


def test_each_contrast_is_corrected_for_all(tmp_path: Path) -> None:
    one = "{claim: c, difference: {of: csqa, at: {intermediate.fraction: 1.0}}, expect: {above: 0}}"
    rows = [
        replace(row, value=row.value + (0.006 + 0.001 * row.seed) * (row.intermediate == "csqa"))
        for row in World(noise=0.0001).rows()
    ]
    alone = only(tmp_path, one, rows)
    assert alone.p is not None
    assert 0.05 / 20 < alone.p < 0.05
    assert alone.verdict == "holds"
    many = findings_of(a_spec(tmp_path, "".join(f"  c{i}: {one}\n" for i in range(20))), rows)
    assert [each.p for each in many] == pytest.approx([20 * alone.p] * 20)
    assert all(each.verdict == "open" and "alone, but p" in each.why for each in many)
    assert all("over 20 contrasts" in each.why for each in many)


HELPS = "{claim: c, difference: {of: squad_v1}, targets: [tydiqa], expect: {above: 0}}"
RISES = "{claim: c, curve: {of: squad_v1, over: intermediate.fraction}, targets: [tydiqa], expect: rises}"
MEETING = "{between: [squad_v1, none], over: target.examples}"
MEET = f"{{claim: c, crossing: {MEETING}, targets: [tydiqa], expect: crosses}}"
GROUPS = (
    "{claim: c, difference_of_differences: {of: squad_v1, among: low_resource, against: high_resource}, "
    "expect: {below: 0}}"
)


@pytest.mark.parametrize("contrast", [HELPS, RISES, MEET, GROUPS])
def test_one_seed_is_measured_and_stays_open(tmp_path: Path, contrast: str) -> None:
    found = only(tmp_path, contrast, World(seeds=[2]).rows())
    assert found.measured is not None
    assert (found.low, found.high, found.p, found.n_seeds, found.verdict) == (None, None, None, 1, "open")
    assert found.why.startswith("one seed says nothing of chance")
    assert "seeds 1, 3 left out" in found.why


@pytest.mark.parametrize("contrast", [HELPS, RISES, MEET, GROUPS])
def test_without_spread_nothing_is_tested(tmp_path: Path, contrast: str) -> None:
    found = only(tmp_path, contrast, World(noise=0).rows())
    assert found.verdict == "not tested"
    assert "seeds gave the same" in found.why
    assert (found.low, found.high, found.p) == (None, None, None)


@pytest.mark.parametrize("contrast", [HELPS, RISES, MEET, GROUPS])
def test_a_single_language_is_told_in_words(tmp_path: Path, contrast: str) -> None:
    rows = [row for row in World().rows() if row.language == "en"]
    found = only(tmp_path, contrast, rows)
    assert (found.verdict, found.measured) == ("not tested", None)
    assert "no target is scored in languages that are" in found.why


@pytest.mark.parametrize("contrast", [HELPS, RISES, MEET, GROUPS])
def test_missing_scores_are_told_in_words(tmp_path: Path, contrast: str) -> None:
    found = only(tmp_path, contrast, [])
    assert (found.verdict, found.why) == (
        "not tested",
        "nothing is scored on test yet: xtr evaluate planted",
    )
    rows = [row for row in World().rows() if row.intermediate != "squad_v1"]
    found = only(tmp_path, contrast, rows)
    assert found.verdict == "not tested"
    assert "no score of tydiqa after squad_v1 on test: xtr status planted" in found.why
    halves = [row for row in World().rows() if (row.intermediate == "squad_v1") == (row.seed == 3)]
    found = only(tmp_path, contrast, halves)
    if contrast == RISES:  # compares with nothing else
        assert (found.verdict, found.n_seeds) == ("open", 1)
    else:
        assert found.verdict == "not tested"
        assert "no seed in common" in found.why


def test_a_score_that_is_no_number_counts_as_missing(tmp_path: Path) -> None:
    rows = World().rows()
    broken = [replace(row, value=float("nan")) if row.seed == 2 else row for row in rows]
    found = only(tmp_path, HELPS, broken)
    assert found.n_seeds == 2
    assert "seed 2 left out: some score is missing" in found.why


def test_fewer_sizes_give_a_slope_but_no_law_and_one_gives_neither(tmp_path: Path) -> None:
    rows = World().rows()
    two = [row for row in rows if row.settings.get("intermediate.fraction", 1.0) in (0.5, 1.0)]
    found = only(tmp_path, RISES, two)
    assert found.verdict == "holds"
    assert "not scored at intermediate.fraction 0.125, 0.25" in found.why
    assert "at least 3 sizes" in str(found.detail["no_law"])
    one = [row for row in rows if row.settings.get("intermediate.fraction", 1.0) == 1.0]
    found = only(tmp_path, RISES, one)
    assert (found.verdict, found.measured) == ("not tested", None)
    assert "one size" in found.why


def test_a_perfect_score_leaves_no_law(tmp_path: Path) -> None:
    rows = [replace(row, value=min(1.0, row.value + 0.5)) for row in World(seeds=(1, 2)).rows()]
    perfect = [replace(row, value=1.0) if row.settings.get("target.examples") == 300 else row for row in rows]
    found = only(tmp_path, MEET, perfect)
    assert found.measured is None
    assert "must be above 0" in found.why
    assert found.detail["laws"] == []


def test_the_winners_of_a_search_are_compared_as_they_are(tmp_path: Path) -> None:
    text = SPEC.replace("ROOT", str(tmp_path)).replace("  design: {seeds: [1, 2, 3]}\n", "")
    contrasts = f"  it: {HELPS}\n  at: {HELPS.replace('squad_v1}', 'squad_v1, at: {target.examples: 30}}')}\n"
    spec = load_text(tmp_path, f"{text}{contrasts}  more: {RISES}\n")
    rows = [
        result(arm, "tydiqa", seed, language, score + 0.01 * seed * place, settings)
        for arm, score, settings in (
            ("squad_v1", 0.6, {"intermediate.fraction": 1.0, "target.examples": 100}),
            ("none", 0.5, {"target.examples": 300}),
        )
        for seed in (1, 2, 3)
        for place, language in enumerate(("en", "xa", "xb"))
    ]
    rows[1] = replace(rows[1], value=rows[1].value + 0.005)
    found = by_name(findings_of(spec, rows))
    assert found["it"].measured == pytest.approx(10, abs=0.2)
    assert "each arm at its own best settings" in found["it"].why
    assert found["at"].verdict == "not tested"
    assert (
        "no score of tydiqa after squad_v1 at target.examples 30; a search scores winners alone"
        in found["at"].why
    )
    assert found["more"].verdict == "not tested"
    assert "search.design all sizes" in found["more"].why


def test_targets_without_the_languages_or_the_arms_are_left_out_and_told(tmp_path: Path) -> None:
    exclude = "  exclude: [{intermediate: csqa, target: tydiqa, because: slow}]\nsearch:\n"
    text = SPEC.replace("ROOT", str(tmp_path)).replace("search:\n", exclude, 1)
    contrasts = (
        "  one: {claim: c, difference: {of: csqa}, expect: {within: 1}}\n"
        "  two: {claim: c, difference: {of: squad_v1}, languages: [xd], expect: {above: 0}}\n"
    )
    spec = load_text(tmp_path, text + contrasts)
    rows = [
        row
        for row in World().rows()
        if (row.intermediate, row.target) != ("csqa", "tydiqa")
        and (row.target, row.language) != ("tatoeba", "xd")
    ]
    found = by_name(findings_of(spec, rows))
    assert "tydiqa is left out, since pairs.exclude" in found["one"].why
    assert found["one"].detail["targets"] == ["tatoeba"]
    assert "tatoeba has no such language and is left out" in found["two"].why
    assert found["two"].detail["targets"] == ["tydiqa"]


def test_from_ten_seeds_on_the_items_are_drawn_anew_too(tmp_path: Path) -> None:
    store, draw = StageStore(tmp_path / "runs"), np.random.default_rng(0)
    rows = []
    chances = draw.uniform(0.2, 0.8, size=40)
    for arm, seed, language in (
        (a, s, lang) for a in ("none", "squad_v1") for s in range(10) for lang in ("xa", "xb")
    ):
        stage = Plain({"kind": "evaluate", "of": [arm, seed, language]})
        right = (draw.random(40) < chances + 0.15 * (arm == "squad_v1")).astype(float)
        with store.workspace(stage.key) as folder:
            lines = [json.dumps({"id": str(i), "f1": each}) for i, each in enumerate(right)]
            (folder / "items.jsonl").write_text("\n".join(lines) + "\n")
            store.publish(stage, folder, {}, {})  # type: ignore[arg-type]
        rows.append(result(arm, "tydiqa", seed, language, right.mean(), {}, stage.key))
    found = only(tmp_path, HELPS, rows)
    assert found.detail["method"] == "bootstrap"
    assert found.verdict == "holds"
    assert "another test set of this size" in found.why
    forgotten = only(tmp_path, HELPS, [replace(row, stage="") for row in rows])
    assert forgotten.detail["method"] == "t"
    (low, measured, high), (low_t, measured_t, high_t) = numbers(found), numbers(forgotten)
    assert measured == pytest.approx(measured_t)
    assert high - low >= high_t - low_t


def test_the_table_says_claim_expectation_measure_interval_and_verdict(tmp_path: Path) -> None:
    contrasts = ALL[: ALL.index("  more:")].replace("SQuAD helps.", "SQuAD helps.\n    source: a paper")
    spec = a_spec(tmp_path, contrasts)
    text = findings_text(findings_of(spec, World().rows()))
    assert "p is two-sided" in text
    lines = text.splitlines()
    assert lines[1].split() == ["claim", "expected", "measured", "95", "%", "seeds", "verdict"]
    helps = next(line for line in lines if line.startswith("SQuAD helps."))
    assert "above 0" in helps
    assert helps.endswith("3  holds")
    assert " to +" in helps
    assert next(line for line in lines if line.startswith("helps [a paper]: p "))
    assert "nan" not in text.lower().replace("finan", "")
    assert findings_text([]) == ""


def test_findings_are_read_again_without_evaluating_and_by_what_the_file_says_now(tmp_path: Path) -> None:
    spec = a_spec(tmp_path, ALL[: ALL.index("  nothing:")])
    folder = tmp_path / "runs" / "sweeps" / "planted"
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(to_yaml(spec), encoding="utf-8")
    rows = [
        ScoreRow(
            each.intermediate,
            each.target,
            each.seed,
            "test",
            each.language,
            each.metric,
            each.value,
            100,
            "",
            each.settings,
        )
        for each in World().rows()
    ]
    write_scores(folder, rows, "test")
    told = xtr(tmp_path, "findings", "planted", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    assert (document["schema_version"], document["sweep"]) == (1, "planted")
    assert [(each["name"], each["verdict"]) for each in document["findings"]] == [("helps", "holds")]
    a_spec(tmp_path, "  other: {claim: Something else., difference: {of: csqa}, expect: {within: 1}}\n")
    told = xtr(tmp_path, "findings", "sweep.yaml")
    assert told.returncode == 0, told.stderr
    assert "Something else." in told.stdout
    assert "SQuAD helps." not in told.stdout
    assert "Something else." not in xtr(tmp_path, "findings", "planted").stdout, "kept as it was run"
    load = SPEC.replace("ROOT", str(tmp_path / "runs")).replace("contrasts:\n", "")
    (tmp_path / "sweep.yaml").write_text(load, encoding="utf-8")
    refused = xtr(tmp_path, "findings", "sweep.yaml")
    assert refused.returncode == 2
    assert "declares no contrasts" in refused.stderr


def test_a_run_that_collapsed_stays_in_a_contrast_and_is_named_beside_it(tmp_path: Path) -> None:
    contrast = (
        "{claim: c, difference: {of: squad_v1, at: {target.examples: 10, intermediate.fraction: 0.25}}, "
        "targets: [tydiqa], expect: {above: 0}}"
    )
    rows = World().rows()
    whole = only(tmp_path, contrast, rows)
    marked = [
        replace(row, collapsed="squad_v1")
        if (row.seed, row.intermediate, row.settings.get("target.examples")) == (2, "squad_v1", 10)
        else row
        for row in rows
    ]
    found = only(tmp_path, contrast, marked)
    assert (found.measured, found.verdict) == (whole.measured, whole.verdict)
    assert "1 of its 6 runs collapsed to one class (xtr status planted)" in found.why
    assert "collapsed" not in whole.why
