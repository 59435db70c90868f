"""This is where an evaluation is told: as text, as JSON, and to MLflow."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

from xtr.analysis.answers.consistency import agreements_text
from xtr.analysis.answers.forgetting import links_text
from xtr.analysis.answers.groups import groups_text
from xtr.analysis.answers.leaderboard import best_rows, leaderboard, scores_of_winners, winners
from xtr.analysis.answers.summary import summarise, summary_document, summary_text
from xtr.analysis.findings.text import findings_list, findings_text
from xtr.analysis.findings.verdicts import Finding, findings_of
from xtr.analysis.records.results import results_of
from xtr.analysis.records.scores import ScoreRow, by_language, xtreme_scores
from xtr.analysis.records.trials import read_trials
from xtr.analysis.tables import columns, percent
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.lookup import find_task
from xtr.fingerprint import JSON
from xtr.search.evaluation import Evaluation
from xtr.search.sweep import sweep_folder
from xtr.spec.expressions import target_task
from xtr.spec.sweep import Pair, SweepSpec
from xtr.storage import folder_name
from xtr.track.looks import GAP, MEAN
from xtr.track.mlflow import Tracker

SCHEMA_VERSION = 1


def best_pairs(spec: SweepSpec) -> dict[str, Pair]:
    """Name the pair that leads each target, as the search chose it; never by the scores shown here."""
    rows = best_rows(leaderboard(spec, read_trials(sweep_folder(spec))))
    return {row.target: Pair(row.intermediate, row.target) for row in rows}


def winners_rows(spec: SweepSpec, rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Keep the scores of winners, out of those of a design."""
    return scores_of_winners(spec, read_trials(sweep_folder(spec)), rows)


def evaluation_findings(spec: SweepSpec, evaluation: Evaluation) -> list[Finding]:
    """Give the sweep's contrasts their verdicts, on the split that was evaluated."""
    split = evaluation.rows[0].split if evaluation.rows else None
    return findings_of(spec, results_of(sweep_folder(spec)), split)


def evaluation_document(
    spec: SweepSpec, evaluation: Evaluation, findings: Sequence[Finding] = ()
) -> dict[str, JSON]:
    """Return an evaluation as a JSON document; values of rows in [0, 1], of benchmarks 0 to 100."""
    benchmark, of_winners = spec.stages.evaluate.benchmark, winners_rows(spec, evaluation.rows)
    scores = xtreme_scores(of_winners, best_pairs(spec), benchmark)
    summary = summarise(
        of_winners,
        leaderboard(spec, read_trials(sweep_folder(spec))),
        spec.stages.evaluate.benchmark,
        spec.stages.source_language,
    )
    rows: list[JSON] = [asdict(row) for row in evaluation.rows]
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": spec.name,
        "predictions": str(evaluation.predictions),
        "labels": str(evaluation.labels),
        "rows": rows,
        "links": [asdict(row) for row in evaluation.links],
        "agreements": [asdict(each) for each in evaluation.agreements],
        "benchmarks": {
            benchmark: {"tasks": dict(scores.tasks), "groups": dict(scores.groups), "overall": scores.overall}
        },
        "summary": None if summary is None else summary_document(summary),
        "findings": findings_list(findings),
    }


def evaluation_text(spec: SweepSpec, evaluation: Evaluation, findings: Sequence[Finding] = ()) -> str:
    """Write one table a target: scores by language for every pair's winner, and the transfer under them."""
    source, of_winners = spec.stages.source_language, winners_rows(spec, evaluation.rows)
    blocks = [*spec.search.caveat]
    for target in dict.fromkeys(spec.pairs.target):
        blocks.append(_target_table(spec, of_winners, target))
        blocks.append(agreements_text(evaluation.agreements, target, source))
    summary = summarise(
        of_winners,
        leaderboard(spec, read_trials(sweep_folder(spec))),
        spec.stages.evaluate.benchmark,
        spec.stages.source_language,
    )
    if summary is not None:
        blocks.append(summary_text(summary))
    scores = xtreme_scores(of_winners, best_pairs(spec), spec.stages.evaluate.benchmark)
    means = {**scores.groups} | ({} if scores.overall is None else {"overall": scores.overall})
    if means:
        told = ", ".join(f"{group} {value:.1f}" for group, value in means.items())
        name = spec.stages.evaluate.benchmark
        blocks.append(f"{name}, groups of tasks after the best pairs (0 to 100): {told}")
    if evaluation.unlabelled:
        hidden = ", ".join(f"{target}/{language}" for target, language in evaluation.unlabelled)
        blocks.append(
            f"no labels in the files of {hidden}: predictions written, nothing scored; try --split dev"
        )
    if spec.search.design is not None:
        n = len({(row.pair, row.seed, *sorted(row.settings.items())) for row in evaluation.rows})
        blocks.append(f"shown are winners, of {n} points of the design; all of them: xtr results {spec.name}")
    blocks.append(links_text(evaluation.links))
    files = f"prediction files: {evaluation.predictions}\nlabel files: {evaluation.labels}"
    blocks.append("\n".join([files, *score_command(spec, evaluation)]))
    blocks.append(findings_text(findings))
    return "\n\n".join(block for block in blocks if block)


def score_command(spec: SweepSpec, evaluation: Evaluation) -> Iterator[str]:
    """Write the command that scores a winner's files as the benchmark does, where it counts one of the targets."""
    benchmark, asked = spec.stages.evaluate.benchmark, spec.stages.evaluate.languages
    counted = {task for group in BENCHMARKS[benchmark].values() for task in group}
    for pair in best_pairs(spec).values():
        runs = sorted((evaluation.predictions / folder_name(pair.intermediate)).glob(f"*/{pair.target_task}"))
        if runs and pair.target_task in counted:
            whole = asked == "all" and spec.data.source != "demo" and not evaluation.unlabelled
            words = ["xtr", "score", "--predictions", str(runs[0].parent), "--labels", str(evaluation.labels)]
            words += [] if benchmark == "xtreme" else ["--benchmark", benchmark]
            yield f"score them: {shlex.join(words + ([] if whole else ['--languages', 'available']))}"
            return


def track_evaluation(spec: SweepSpec, rows: Sequence[ScoreRow], say: Callable[[str], None]) -> None:
    """Write one split's per-language scores on the pairs' MLflow runs and benchmark scores on the sweep's."""
    trials, rows = read_trials(sweep_folder(spec)), winners_rows(spec, rows)
    tracker = Tracker(spec, complain=say)
    for pair in winners(spec, trials):
        tracker.scores(pair, _pair_metrics(spec, rows, pair))
    benchmark = spec.stages.evaluate.benchmark
    scores = xtreme_scores(rows, best_pairs(spec), benchmark)
    summary = {f"{benchmark}/{task}": value for task, value in scores.tasks.items()}
    if scores.overall is not None:
        summary[f"{benchmark}/overall"] = scores.overall
    tracker.summary(summary)


def _pair_metrics(spec: SweepSpec, rows: Sequence[ScoreRow], pair: Pair) -> dict[str, float]:
    """Name a winner's scores as MLflow has them: each language's, and over languages in the task's own metric."""
    own_rows = [row for row in rows if row.pair == pair]
    scores = {metric: by_language(own_rows, pair, metric) for metric in {row.metric for row in own_rows}}
    named = {
        f"{row.split}/{row.target}/{row.language}/{row.metric}": scores[row.metric][row.language]
        for row in own_rows
    }
    own = by_language(rows, pair, find_task(pair.target_task).metric)
    for split in {row.split for row in own_rows if own}:
        named[f"{split}/{MEAN}"] = round(sum(own.values()) / len(own), 4)
        gap = _gap(own, spec.stages.source_language)
        named |= {} if gap is None else {f"{split}/{GAP}": round(gap, 4)}
    return named


def _target_table(spec: SweepSpec, rows: Sequence[ScoreRow], target: str) -> str:
    metric = find_task(target_task(target)).metric
    table: dict[str, Mapping[str, float]] = {}
    for pair in spec.pairs.pairs():
        if pair.target == target:
            table[pair.intermediate] = by_language(rows, pair, metric)
    table = {name: each for name, each in table.items() if each}
    if not table:
        return ""
    languages = list(dict.fromkeys(language for each in table.values() for language in each))
    source = spec.stages.source_language
    lines = [_score_line(name, each, languages, source) for name, each in table.items()]
    if "none" in table:
        lines += [
            _transfer_line(name, each, table["none"], languages)
            for name, each in table.items()
            if name != "none"
        ]
    header = ("after", *languages, "mean", "gap")
    splits = ", ".join(dict.fromkeys(row.split for row in rows if row.target == target))
    told = [f"{target}: {metric} on {splits}\n{columns(header, lines)}", groups_text(table, source)]
    return "\n\n".join(each for each in told if each)


def _score_line(
    name: str, scores: Mapping[str, float], languages: Sequence[str], source: str
) -> tuple[str, ...]:
    """Write scores, their mean, and the gap: the source language minus the mean of the others."""
    cells = [percent(scores.get(language)) for language in languages]
    return (name, *cells, percent(sum(scores.values()) / len(scores)), percent(_gap(scores, source)))


def _gap(scores: Mapping[str, float], source: str) -> float | None:
    """Subtract the mean of the other languages from the source language's score; None where one is missing."""
    others = [value for language, value in scores.items() if language != source]
    return scores[source] - sum(others) / len(others) if source in scores and others else None


def _transfer_line(
    name: str, scores: Mapping[str, float], baseline: Mapping[str, float], languages: Sequence[str]
) -> tuple[str, ...]:
    shared = [language for language in languages if language in scores and language in baseline]
    gains = {language: scores[language] - baseline[language] for language in shared}
    mean = sum(gains.values()) / len(gains) if gains else None
    cells = [percent(gains.get(language), signed=True) for language in languages]
    return (f"{name} - none", *cells, percent(mean, signed=True), "")
