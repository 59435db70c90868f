"""This is the door to XTREME's scale: scores per language, 0 to 1, become task scores and averages, 0 to 100.

    task_score("xquad", {"en": {"f1": 0.8, "exact_match": 0.6}, "de": {"f1": 0.6, "exact_match": 0.4}})
    -> 60.0
    benchmark_score({"xnli": {...}, "pawsx": {...}}).groups
    -> {"classification": 81.2}

Which languages count is the caller's to say: the mean is over those given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from xtr.catalogue.benchmarks import BENCHMARKS, XTREME, XTREME_R

LanguageScores = Mapping[str, Mapping[str, float]]

QA_TASKS = frozenset((*XTREME["qa"], *XTREME_R["qa"]))
RANKING_METRICS = ("f1", "accuracy", "map_at_20")


@dataclass(frozen=True, slots=True)
class BenchmarkScore:
    """A benchmark's averages, 0 to 100.

    Attributes:
        tasks: the score of each task given that belongs to the benchmark.
        groups: the mean over the tasks of each group of which all tasks are given.
        overall: the mean over all tasks of the benchmark, not over groups; None where one is missing.
    """

    tasks: Mapping[str, float]
    groups: Mapping[str, float]
    overall: float | None


def task_score(task: str, languages: LanguageScores) -> float:
    """Return a task's score, 0 to 100: the mean over languages of the metric that XTREME ranks by.

    Source: `avg_metric` in evaluate.py of google-research/xtreme. Question answering is (EM + F1) / 2; other
    tasks use F1 where there is one (udpos, panx, bucc2018), otherwise accuracy, otherwise MAP@20.

    Args:
        task: its name in the catalogue.
        languages: language to metric to value, 0 to 1; every language counts, so give those of the benchmark.

    Raises:
        ValueError: no language is given, or a language lacks the metric.
    """
    if not languages:
        raise ValueError(f"score of {task} in no language")
    return 100 * sum(_language_score(task, scores) for scores in languages.values()) / len(languages)


def benchmark_score(scores: Mapping[str, LanguageScores], benchmark: str = "xtreme") -> BenchmarkScore:
    """Average tasks as a benchmark's leaderboard does; tasks that are not part of it are left out.

    Source: the display logic of evaluate.py of google-research/xtreme. For `xtreme-r` the overall score is
    the mean over its ten tasks, which that script means to print but never does.

    Args:
        scores: task to language to metric to value, 0 to 1.
        benchmark: `xtreme` or `xtreme-r`.

    Raises:
        ValueError: a task has no language, or a language lacks the metric.
    """
    members = BENCHMARKS[benchmark]
    all_tasks = [task for group in members.values() for task in group]
    tasks = {task: task_score(task, scores[task]) for task in all_tasks if task in scores}
    groups = {
        group: _mean(tasks[task] for task in group_tasks)
        for group, group_tasks in members.items()
        if all(task in tasks for task in group_tasks)
    }
    overall = _mean(tasks.values()) if len(tasks) == len(all_tasks) else None
    return BenchmarkScore(tasks, groups, overall)


def _language_score(task: str, scores: Mapping[str, float]) -> float:
    wanted = ranked_by(task, scores)
    missing = [metric for metric in wanted if metric not in scores]
    if missing or not wanted:
        needs = " and ".join(wanted) or " or ".join(RANKING_METRICS)
        raise ValueError(f"{task} needs {needs}, got {', '.join(scores) or 'nothing'}")
    return _mean(scores[metric] for metric in wanted)


def ranked_by(task: str, metrics: Collection[str]) -> tuple[str, ...]:
    """Name those of a task's metrics whose mean a benchmark ranks it by."""
    if task in QA_TASKS:
        return ("exact_match", "f1")
    return tuple(metric for metric in RANKING_METRICS if metric in metrics)[:1]


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
