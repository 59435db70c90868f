"""Scores by what languages are like."""

from __future__ import annotations

from xtr.analysis.answers.groups import Group, groups_of, groups_text, members_of

SCORES = {
    "none": {"en": 0.9, "de": 0.8, "nl": 0.6, "ru": 0.6, "sw": 0.4, "yo": 0.2},
    "mnli": {"en": 0.9, "de": 0.9, "nl": 0.7, "ru": 0.6, "sw": 0.5, "yo": 0.1},
}


def test_languages_are_grouped_in_each_way_larger_groups_first() -> None:
    groups = groups_of(["yo", "de", "sw", "nl", "ru", "xa"])
    by = {each: [group for group in groups if group.by == each] for each in ("branch", "script", "in XLM-R")}
    assert by["branch"][0] == Group("branch", "Germanic", ("de", "nl"))
    assert [group.name for group in by["script"]] == ["Latin", "Cyrillic"]
    assert {group.name: group.languages for group in by["in XLM-R"]} == {
        "seen": ("de", "sw", "nl", "ru"), "unseen": ("yo",),
    }  # fmt: skip
    assert Group("resources", "low (0-2)", ("yo", "sw")) in groups


def test_a_group_s_mean_and_its_gap_to_the_source_language_are_told() -> None:
    lines = groups_text(SCORES, "en").splitlines()
    [germanic] = [line.split() for line in lines if "Germanic" in line]
    assert germanic == ["branch", "Germanic", "2", "70.0", "80.0", "20.0", "10.0"]
    [unseen] = [line.split() for line in lines if "unseen" in line]
    assert unseen[-4:] == ["20.0", "10.0", "70.0", "80.0"]


def test_a_language_that_one_has_not_is_in_no_mean() -> None:
    lacking = {**SCORES, "mnli": {code: value for code, value in SCORES["mnli"].items() if code != "nl"}}
    [germanic] = [line.split() for line in groups_text(lacking, "en").splitlines() if "Germanic" in line]
    assert germanic[-5:] == ["1", "80.0", "90.0", "10.0", "0.0"]


def test_without_known_languages_or_the_source_nothing_is_made_up() -> None:
    assert groups_text({"none": {"en": 0.9, "xa": 0.5, "xb": 0.4, "xc": 0.3, "xd": 0.2}}, "en") == ""
    assert groups_text({}, "en") == ""
    no_source = {"none": {code: value for code, value in SCORES["none"].items() if code != "en"}}
    assert "gap" not in groups_text(no_source, "en")


def test_an_arm_has_seen_what_its_tasks_are_trained_in_named_or_not() -> None:
    scored = ("en", "de", "id", "zh")
    assert members_of("seen", scored, "en", [["mnli@de"], ["none"]]) == ("de",)
    assert members_of("unseen", scored, "en", [["mnli"], ["none"]]) == ("de", "id", "zh")
    assert members_of("seen", scored, "en", [["indonli"], ["mnli>ocnli"]]) == ("id",)
    assert members_of("unseen", scored, "en", [["indonli"], ["mnli>ocnli"]]) == ("de",)
    assert members_of("unseen", scored, "en", [["mnli+mlm"], ["none"]]) == (), (
        "text of every language at hand"
    )
    assert members_of("unseen", scored, "en", [["mnli+mlm@de"], ["none"]]) == ("id", "zh")
