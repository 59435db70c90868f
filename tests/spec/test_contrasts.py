"""Contrasts are read, written back, and refused where the sweep has nothing for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sweeps import load_text, only_problem, problems_of, write
from xtr.analysis.planning.changes import changes_since, scored_by
from xtr.spec.contrasts import KINDS, Expectation, Part
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_sweep

SWEEP = """\
version: 1
name: compared
model: {name: demo}
pairs:
  intermediate: [squad_v1, csqa, "mnli>squad_v1"]
  target: [tydiqa, tatoeba]
  exclude: [{intermediate: csqa, target: tydiqa, because: slow}]
search:
  space:
    intermediate.fraction: {choice: [0.25, 0.5, 1.0]}
    intermediate.epochs: 2
    target.examples: {choice: [10, 20]}
contrasts:
  helps:
    claim: SQuAD helps.
    difference: {of: squad_v1, at: {intermediate.fraction: 1.0}}
    targets: [tydiqa]
    expect: {above: 0}
  more: {claim: More is better., curve: {of: squad_v1, minus: none, over: intermediate.fraction}, expect: rises}
  meet:
    claim: The chain overtakes.
    crossing: {between: [squad_v1, "mnli > squad_v1"], over: intermediate.fraction}
    expect: crosses
  hurts:
    claim: Chains hurt low-resource languages more.
    source: nobody yet
    difference_of_differences:
      {of: "mnli>squad_v1", minus: [squad_v1, none], among: low_resource, against: {targets: [tatoeba]}}
    expect: {within: 0.5}
"""


def test_every_kind_is_read_and_written_back(tmp_path: Path) -> None:
    spec = load_text(tmp_path, SWEEP)
    kinds = {name: each.kind for name, each in spec.contrasts.items()}
    assert kinds == {
        "helps": "difference",
        "more": "curve",
        "meet": "crossing",
        "hurts": "difference_of_differences",
    }
    helps, hurts = spec.contrasts["helps"], spec.contrasts["hurts"]
    assert (helps.arms, helps.languages, helps.expect) == (
        ("squad_v1", "none"),
        "other",
        Expectation("above", 0),
    )
    assert hurts.difference_of_differences is not None
    assert hurts.difference_of_differences.among == Part(languages="low_resource")
    assert hurts.difference_of_differences.against == Part(targets=("tatoeba",))
    assert spec.contrasts["meet"].arms == ("squad_v1", "mnli>squad_v1"), "blanks mean nothing"
    assert load_text(tmp_path, to_yaml(spec)) == spec


@pytest.mark.parametrize(
    ("old", "new", "where", "what", "allowed"),
    [
        (
            "of: squad_v1, at",
            "of: squad, at",
            "helps.difference.of",
            "not among pairs.inter",
            "squad_v1, csqa",
        ),
        ("[tydiqa]\n    e", "[tidyqa]\n    e", "helps.targets", "not among pairs.target", "tydiqa, tatoeba"),
        (
            "[tydiqa]\n",
            "[tydiqa]\n    languages: [xa, xf]\n",
            "helps.languages",
            "unknown language",
            "en, xa",
        ),
        ("[tydiqa]\n", "[tydiqa]\n    languages: far\n", "helps.languages", "not a group", "low_resource"),
        (
            "fraction: 1.0}",
            "fraktion: 1.0}",
            "helps.difference.at.intermediate.fraktion",
            "dimension",
            "epochs",
        ),
        ("fraction: 1.0}", "fraction: 0.3}", "helps.difference.at.intermediate.fraction", "outside", "0.25"),
        ("{above: 0}", "rises", "helps", "a difference is not expected so", "above, below, within"),
        ("{above: 0}", "{abov: 0}", "helps.expect", "not an expectation", "{above: X}"),
        ("{within: 0.5}", "{within: 0}", "hurts.expect", "above 0", "{within: 0.5}"),
        ("minus: none, over", "minus: squad_v1, over", "more.curve.minus", "compared with itself", ""),
        (
            "of: squad_v1, minus: none",
            "of: none, minus: csqa",
            "more.curve.over",
            "has no interm",
            "target.exam",
        ),
        (
            "over: intermediate.fraction}, e",
            "over: intermediate.epochs}, e",
            "more.curve.over",
            "too few",
            "2",
        ),
        (
            'v1"], over: intermediate.fraction',
            'v1"], over: target.examples',
            "meet.crossing.over",
            "few",
            "3",
        ),
        (
            "{targets: [tatoeba]}",
            "{targets: [bucc]}",
            "hurts.difference_of_differences.against",
            "not amo",
            "tyd",
        ),
        ("of: squad_v1, at", "of: csqa, at", "helps", "leaves no target", "common target"),
        ("  helps:", "  Helps!:", "Helps!", "not a name", "small letters"),
    ],
)
def test_what_the_sweep_has_nothing_for_is_refused_with_place_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, where: str, what: str, allowed: str
) -> None:
    assert SWEEP.count(old) == 1
    problem = only_problem(write(tmp_path, SWEEP.replace(old, new)))
    assert problem.where.endswith(f" contrasts.{where}")
    assert what in problem.what
    assert problem.received
    assert allowed in problem.allowed


def test_a_contrast_has_one_kind(tmp_path: Path) -> None:
    none = SWEEP.replace("    difference: {of: squad_v1, at: {intermediate.fraction: 1.0}}\n", "")
    assert "needs a kind" in only_problem(write(tmp_path, none)).what
    two = SWEEP.replace("minus: none, over: ", "over: ").replace(
        "  more: {", "  more: {difference: {of: squad_v1}, "
    )
    assert "one kind, not difference and curve" in only_problem(write(tmp_path, two)).what


def test_one_bad_contrast_hides_no_other(tmp_path: Path) -> None:
    text = SWEEP.replace("{above: 0}", "up").replace("among: low_resource", "among: [xf]")
    assert [problem.what for problem in problems_of(write(tmp_path, text))] == [
        "not an expectation",
        "unknown language",
    ]


def test_what_is_expected_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(SWEEP, encoding="utf-8")
    child = "extends: parent.yaml\ncontrasts: {helps: {expect: {within: 1}}}\n"
    (tmp_path / "child.yaml").write_text(child, encoding="utf-8")
    spec = load_sweep(tmp_path / "child.yaml")
    assert spec.contrasts["helps"].expect == Expectation("within", 1)
    assert spec.contrasts["helps"].claim == "SQuAD helps."


def test_other_contrasts_change_no_result_and_no_study(tmp_path: Path) -> None:
    before = load_text(tmp_path, SWEEP)
    (tmp_path / "spec.yaml").write_text(to_yaml(before), encoding="utf-8")
    after = before.model_copy(update={"contrasts": {}})
    changes = changes_since(tmp_path, after, [])
    assert changes is not None
    assert {each.path.split(".")[0] for each in changes.settings} == {"contrasts"}
    assert all(each.harmless for each in changes.settings)
    assert scored_by(before) == scored_by(after)


def test_the_example_of_the_page_is_one_of_each_kind(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    spec = load_text(tmp_path, SWEEP.split("contrasts:\n")[0].replace("[10, 20]", "[10, 20, 40]") + example)
    assert {each.kind for each in spec.contrasts.values()} == set(KINDS)
