import pytest

from xtr.catalogue.benchmarks import XTREME, XTREME_R
from xtr.metrics.xtreme import LanguageScores, benchmark_score, task_score


def scores_of(task: str, value: float) -> LanguageScores:
    if task in XTREME["qa"]:
        return {"en": {"f1": value + 0.1, "exact_match": value - 0.1}}
    if task in XTREME["tagging"]:
        return {"en": {"f1": value, "accuracy": 0.99}}
    if task in ("mewslix", "lareqa"):
        return {"en": {"map_at_20": value}}
    return {"en": {"f1": value}} if task == "bucc2018" else {"en": {"accuracy": value}}


XLMR_LARGE = {
    "xnli": 0.792, "pawsx": 0.864, "udpos": 0.726, "panx": 0.654, "xquad": 0.687, "mlqa": 0.624,
    "tydiqa": 0.5505, "bucc2018": 0.66, "tatoeba": 0.573,
}  # fmt: skip


def test_a_task_score_is_the_mean_over_languages_times_100() -> None:
    assert task_score("xnli", {"en": {"accuracy": 0.9}, "sw": {"accuracy": 0.5}}) == pytest.approx(70)


def test_question_answering_averages_exact_match_and_f1() -> None:
    languages = {"en": {"f1": 0.8, "exact_match": 0.6}, "de": {"f1": 0.6, "exact_match": 0.4}}
    assert task_score("xquad", languages) == pytest.approx(60)


def test_tagging_is_ranked_by_f1_even_where_accuracy_is_known() -> None:
    assert task_score("udpos", {"en": {"accuracy": 0.9, "f1": 0.7, "precision": 0.1}}) == pytest.approx(70)


def test_the_papers_xlmr_large_row_averages_to_68_1() -> None:
    score = benchmark_score({task: scores_of(task, value) for task, value in XLMR_LARGE.items()})
    assert score.overall == pytest.approx(613.05 / 9)
    assert score.groups["classification"] == pytest.approx(82.8)
    assert score.groups["qa"] == pytest.approx((68.7 + 62.4 + 55.05) / 3)


def test_the_leaderboards_x_stilts_row_averages_tasks_and_not_groups() -> None:
    groups = {"classification": 0.839, "tagging": 0.694, "qa": 0.672, "retrieval": 0.765}
    given = {task: scores_of(task, groups[group]) for group, tasks in XTREME.items() for task in tasks}
    assert benchmark_score(given).overall == pytest.approx(73.5, abs=0.05)
    assert sum(groups.values()) / 4 * 100 == pytest.approx(74.25)


def test_the_overall_score_needs_every_task_and_a_group_its_own() -> None:
    score = benchmark_score({task: scores_of(task, 0.5) for task in XLMR_LARGE if task != "mlqa"})
    assert score.overall is None
    assert sorted(score.groups) == ["classification", "retrieval", "tagging"]


def test_xtreme_r_averages_its_ten_tasks() -> None:
    tasks = [task for group in XTREME_R.values() for task in group]
    values = [0.79, 0.69, 0.75, 0.65, 0.68, 0.62, 0.58, 0.77, 0.46, 0.41]
    given = {task: scores_of(task, value) for task, value in zip(tasks, values, strict=True)}
    assert benchmark_score(given, "xtreme-r").overall == pytest.approx(64.0)


def test_tasks_outside_the_benchmark_are_left_out() -> None:
    score = benchmark_score({"mnli": scores_of("mnli", 0.9), "xnli": scores_of("xnli", 0.7)})
    assert score.tasks == {"xnli": pytest.approx(70)}


def test_a_language_without_the_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="xquad needs exact_match and f1, got f1"):
        task_score("xquad", {"en": {"f1": 0.5}})
    with pytest.raises(ValueError, match="xnli needs f1 or accuracy or map_at_20, got nothing"):
        task_score("xnli", {"en": {}})
    with pytest.raises(ValueError, match="no language"):
        task_score("xnli", {})
