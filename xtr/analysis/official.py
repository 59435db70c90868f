"""This is where folders of predictions are scored against folders of labels, as XTREME's evaluate.py does.

    score_folders(Path("predictions"), Path("labels"), "xtreme")
    -> Official(tasks={"xnli": {"ar": {"accuracy": 0.71}, ...}}, benchmark=BenchmarkScore(...), ...)

Both hold `<task>/test-<language>.<suffix>`; see `xtr.catalogue.official` for what is in the files. Unlike the
official script, this refuses sentences whose numbers of tags differ, says which questions nobody answered, and
scores XTREME-R as a whole: XCOPA counts once, and LAReQA is scored, from one file a language that maps question
ids to at most 20 sentence ids (labels: to the right ones).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from xtr.analysis.tables import columns
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.official import SCORED, Form, Scored, scored_languages
from xtr.data.predictions import (
    read_answers,
    read_choices,
    read_gold_answers,
    read_indices,
    read_labels,
    read_pairs,
    read_rankings,
    read_tags,
)
from xtr.errors import InputError, Problem, suggest
from xtr.fingerprint import JSON
from xtr.metrics.accuracy import accuracy
from xtr.metrics.bucc import bucc_f1
from xtr.metrics.chunks import chunk_scores, token_accuracy
from xtr.metrics.mlqa import MLQA_LANGUAGES, mlqa_scores
from xtr.metrics.ranking import map_at_k
from xtr.metrics.squad import squad_scores
from xtr.metrics.xtreme import BenchmarkScore, benchmark_score

SCHEMA_VERSION = 1
Languages = Literal["all", "available"]
Scores = dict[str, float]
Gold = TypeVar("Gold")
Guess = TypeVar("Guess")


@dataclass(frozen=True, slots=True)
class Official:
    """What prediction files come to.

    Attributes:
        tasks: task to language to metric to value, 0 to 1.
        benchmark: the averages, 0 to 100.
        missing: tasks of the benchmark that have no predictions.
        notes: what the reader of the scores should know.
    """

    tasks: Mapping[str, Mapping[str, Scores]]
    benchmark: BenchmarkScore
    missing: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """The prediction and the label file of a task in a language, and what is noted while they are scored."""

    predictions: Path
    labels: Path
    language: str
    notes: list[str] = field(default_factory=list)


def score_folders(predictions: Path, labels: Path, benchmark: str, languages: Languages = "all") -> Official:
    """Score every task of a benchmark that has predictions.

    Args:
        predictions: a folder with a folder for each task.
        labels: the same; it must hold every task that is predicted.
        benchmark: `xtreme` or `xtreme-r`.
        languages: `all` demands every language that the benchmark counts; `available` scores those that have
            labels, whatever they are.

    Raises:
        InputError: all problems of all files: missing ones, malformed ones, files that do not fit each other.
    """
    members = [task for group in BENCHMARKS[benchmark].values() for task in group]
    for folder in (predictions, labels):
        if not folder.is_dir():
            raise InputError(
                Problem("no such folder", where=str(folder), hint="a folder with a folder a task")
            )
    present = [task for task in members if (predictions / task).is_dir()]
    if not present:
        found = ", ".join(sorted(path.name for path in predictions.iterdir())) or "nothing"
        below = [each for task in members for at in ("*", "*/*") for each in predictions.glob(f"{at}/{task}")]
        hint = f"--predictions {min(task.parent for task in below)}" if below else ""
        raise InputError(
            Problem(f"no task of {benchmark}", str(predictions), found, ", ".join(members), hint)
        )
    problems: list[Problem] = []
    notes = _strangers(predictions, members, benchmark)
    tasks: dict[str, dict[str, Scores]] = {}
    for task in present:
        try:
            tasks[task] = _score_task(task, predictions / task, labels / task, benchmark, languages, notes)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    missing = tuple(task for task in members if task not in tasks)
    return Official(tasks, benchmark_score(tasks, benchmark), missing, tuple(notes))


def official_document(scores: Official, benchmark: str, languages: Languages) -> dict[str, JSON]:
    """Return scores as a JSON document, 0 to 100."""
    return {
        "schema_version": SCHEMA_VERSION,
        "benchmark": benchmark,
        "languages": languages,
        "tasks": {task: _task_document(task, each, scores) for task, each in scores.tasks.items()},
        "groups": dict(scores.benchmark.groups),
        "overall": scores.benchmark.overall,
        "missing": list(scores.missing),
        "notes": list(scores.notes),
    }


def _task_document(task: str, languages: Mapping[str, Scores], scores: Official) -> JSON:
    metrics = next(iter(languages.values()))
    means: dict[str, JSON] = {metric: _mean(languages, metric) for metric in metrics}
    by_language: dict[str, JSON] = {
        language: {metric: 100 * value for metric, value in each.items()}
        for language, each in languages.items()
    }
    return {"score": scores.benchmark.tasks[task], **means, "languages": by_language}


def official_text(scores: Official, benchmark: str, languages: Languages) -> str:
    """Write scores as tables, and what an overall score still needs."""
    tasks = [
        (
            task,
            f"{scores.benchmark.tasks[task]:.2f}",
            str(len(each)),
            ", ".join(f"{name} {_mean(each, name):.2f}" for name in next(iter(each.values()))),
        )
        for task, each in scores.tasks.items()
    ]
    lines = [
        f"{benchmark}: means over languages, in points of 100",
        "",
        columns(("task", "score", "languages", "metrics"), tasks),
    ]
    if scores.benchmark.groups:
        groups = [(group, f"{value:.2f}") for group, value in scores.benchmark.groups.items()]
        lines += ["", columns(("group", "score"), groups)]
    if scores.benchmark.overall is not None:
        lines += ["", f"overall (mean over {len(scores.tasks)} tasks): {scores.benchmark.overall:.2f}"]
    else:
        lines += ["", f"no overall score: no predictions for {', '.join(scores.missing)}"]
    if languages == "available":
        lines.append(
            "only languages that have labels count here, so these may not be the benchmark's numbers"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in scores.notes)])


def _mean(languages: Mapping[str, Scores], metric: str) -> float:
    return 100 * sum(each[metric] for each in languages.values()) / len(languages)


def _strangers(predictions: Path, members: list[str], benchmark: str) -> list[str]:
    folders = sorted(path.name for path in predictions.iterdir() if path.is_dir())
    return [
        f"{name} is no task of {benchmark} and is left out" + (f"; {hint}" if hint else "")
        for name in folders
        if name not in members
        for hint in [suggest(name, members)]
    ]


def _score_task(
    task: str, predictions: Path, labels: Path, benchmark: str, languages: Languages, notes: list[str]
) -> dict[str, Scores]:
    scored = SCORED[task]
    if not labels.is_dir():
        hint = "add its labels, or take its predictions away"
        raise InputError(Problem(f"{task} has predictions but no labels", where=str(labels), hint=hint))
    asked = scored_languages(task, benchmark)
    if languages == "available":
        asked = tuple(
            sorted(path.stem.removeprefix("test-") for path in labels.glob(f"test-*.{scored.suffix}"))
        )
    problems = [
        problem
        for folder in (predictions, labels)
        for problem in _missing_files(folder, asked, scored.suffix)
    ]
    scores: dict[str, Scores] = {}
    for language in asked:
        name = f"test-{language}.{scored.suffix}"
        files = Files(predictions / name, labels / name, language)
        if files.predictions.is_file() and files.labels.is_file():
            try:
                scores[language] = SCORERS[scored.form](files, scored)
            except InputError as error:
                problems += error.problems
        notes += [f"{task}/{language}: {note}" for note in files.notes]
    if problems:
        raise InputError(problems)
    return scores


def _missing_files(folder: Path, asked: tuple[str, ...], suffix: str) -> list[Problem]:
    absent = [language for language in asked if not (folder / f"test-{language}.{suffix}").is_file()]
    if asked and not absent:
        return []
    where = str(folder / f"test-<language>.{suffix}")
    received = f"none for {' '.join(absent) or 'any language'}"
    hint = "write them, or score the languages that have labels: --languages available"
    return [Problem("files are missing", where, received, " ".join(asked), hint)]


def _score_lines(files: Files, scored: Scored) -> Scores:
    def read(path: Path) -> list[str] | list[int]:
        if scored.form == "labels":
            return read_labels(path, scored.labels)
        return read_indices(path) if scored.form == "indices" else read_choices(path)

    gold, guesses = _both(files, read)
    _same_length(files, len(gold), len(guesses), "lines")
    return {"accuracy": accuracy(gold, guesses)}


def _score_tags(files: Files, scored: Scored) -> Scores:
    gold, guesses = _both(files, lambda path: read_tags(path, scored.labels))
    _same_length(files, len(gold), len(guesses), "sentences")
    line = 1
    for number, (tags, found) in enumerate(zip(gold, guesses, strict=True), 1):
        _same_length(files, len(tags), len(found), f"tags in sentence {number}", line)
        line += len(found) + 1
    return {**chunk_scores(gold, guesses), "accuracy": token_accuracy(gold, guesses)}


def _score_answers(files: Files, scored: Scored) -> Scores:
    gold, guesses = _read(files, read_gold_answers, read_answers)
    _note_absent(files, gold, guesses, "questions")
    if scored.rules == "mlqa":
        if files.language not in MLQA_LANGUAGES:
            where, allowed = str(files.labels), ", ".join(MLQA_LANGUAGES)
            raise InputError(Problem("MLQA has no rules for this language", where, files.language, allowed))
        return mlqa_scores(gold, guesses, files.language)
    return squad_scores(gold, guesses)


def _score_pairs(files: Files, _scored: Scored) -> Scores:
    gold, guesses = _both(files, read_pairs)
    if not gold:
        raise InputError(Problem("the file holds no pairs", where=f"{files.labels}:1"))
    return bucc_f1(gold, guesses)


def _score_rankings(files: Files, _scored: Scored) -> Scores:
    gold, guesses = _read(files, lambda path: read_rankings(path, most=None), read_rankings)
    bare = [query for query, right in gold.items() if not right]
    if bare or not gold:
        received = ", ".join(bare[:5]) or "no queries"
        raise InputError(Problem("a query needs a right id", str(files.labels), received))
    _note_absent(files, gold, guesses, "queries")
    return {"map_at_20": map_at_k(guesses, gold)}


SCORERS: Mapping[Form, Callable[[Files, Scored], Scores]] = {
    "labels": _score_lines,
    "indices": _score_lines,
    "choices": _score_lines,
    "tags": _score_tags,
    "answers": _score_answers,
    "pairs": _score_pairs,
    "rankings": _score_rankings,
}


def _both(files: Files, read: Callable[[Path], Gold]) -> tuple[Gold, Gold]:
    return _read(files, read, read)


def _read(
    files: Files, read_gold: Callable[[Path], Gold], read_guesses: Callable[[Path], Guess]
) -> tuple[Gold, Guess]:
    """Read both files; their problems come together."""
    problems: list[Problem] = []
    try:
        gold = read_gold(files.labels)
    except InputError as error:
        problems += error.problems
    try:
        guesses = read_guesses(files.predictions)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return gold, guesses


def _same_length(files: Files, n_gold: int, n_guesses: int, what: str, line: int | None = None) -> None:
    if n_gold != n_guesses:
        where = f"{files.predictions}:{line or min(n_gold, n_guesses) + 1}"
        hint = "write one prediction for every label, in the labels' order"
        raise InputError(
            Problem(f"wrong number of {what}", where, str(n_guesses), f"{n_gold}, as in {files.labels}", hint)
        )


def _note_absent(files: Files, gold: Mapping[str, object], guesses: Mapping[str, object], what: str) -> None:
    absent, strange = len(gold.keys() - guesses.keys()), len(guesses.keys() - gold.keys())
    if absent:
        files.notes.append(f"{absent} of {len(gold)} {what} have no prediction and score 0")
    if strange:
        files.notes.append(f"{strange} predictions are for {what} without labels and do not count")
