"""Folders of predictions against folders of labels: right numbers, and every fault told at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.families.perfect import gold
from xtr.analysis.official import official_document, official_text, score_folders
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.lookup import TASKS, find_task
from xtr.catalogue.official import SCORED, scored_languages
from xtr.data.demo.source import DemoSource
from xtr.errors import InputError
from xtr.families.registry import family_of
from xtr.metrics.mlqa import MLQA_LANGUAGES

SQUAD = {"data": [{"paragraphs": [{"context": "", "qas": [{"id": "q", "answers": [{"text": "北京市"}]}]}]}]}
RIGHT = {
    "indices": "3\n1\n",
    "choices": '{"label": 1}\n{"label": 0}\n',
    "answers": json.dumps(SQUAD),
    "pairs": "de-1\ten-1\nde-2\ten-2\n",
    "rankings": '{"m": ["Q1"]}',
}


def right_file(task: str) -> str:
    labels = SCORED[task].labels
    if SCORED[task].form == "tags":
        return "\n".join([*labels[-2:], "", labels[-1], "", ""])
    return RIGHT.get(SCORED[task].form) or f"{labels[0]}\n"


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Write label and perfect prediction folders of a benchmark."""

    def write(benchmark: str) -> tuple[Path, Path]:
        for task in (task for group in BENCHMARKS[benchmark].values() for task in group):
            scored = SCORED[task]
            text = right_file(task)
            for side in ("predictions", "labels"):
                (tmp_path / side / task).mkdir(parents=True)
                said = '{"q": "北京市"}' if scored.form == "answers" and side == "predictions" else text
                for language in scored_languages(task, benchmark):
                    (tmp_path / side / task / f"test-{language}.{scored.suffix}").write_text(said)
        return tmp_path / "predictions", tmp_path / "labels"

    return write


def problems_of(folders: tuple[Path, Path], benchmark: str = "xtreme") -> str:
    with pytest.raises(InputError) as caught:
        score_folders(*folders, benchmark)
    return str(caught.value)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_perfect_folder_scores_100_over_all_tasks(
    benchmark: str, folders: Callable[[str], tuple[Path, Path]]
) -> None:
    scores = score_folders(*folders(benchmark), benchmark)
    document = json.loads(json.dumps(official_document(scores, benchmark, "all")))
    assert document["overall"] == pytest.approx(100)
    groups = document["groups"]
    assert isinstance(groups, dict)
    assert groups == {group: pytest.approx(100) for group in BENCHMARKS[benchmark]}
    assert document["missing"] == []
    assert "overall (mean over" in official_text(scores, benchmark, "all")
    assert len(scores.tasks) == {"xtreme": 9, "xtreme-r": 10}[benchmark]


def test_each_task_is_scored_by_its_own_rules(folders: Callable[[str], tuple[Path, Path]]) -> None:
    predictions, labels = folders("xtreme")
    for task in ("mlqa", "xquad"):
        (predictions / task / "test-zh.json").write_text('{"q": "北京"}')
    (predictions / "bucc2018" / "test-de.tsv").write_text("de-1\ten-1\nde-1\ten-1\nde-2\ten-9\n")
    scores = score_folders(predictions, labels, "xtreme").tasks
    assert scores["mlqa"]["zh"] == {"f1": pytest.approx(0.8), "exact_match": 0.0}
    assert scores["xquad"]["zh"] == {"f1": 0.0, "exact_match": 0.0}
    assert scores["bucc2018"]["de"] == {"f1": 0.5, "precision": 0.5, "recall": 0.5}


def test_absent_tasks_are_skipped_and_said(folders: Callable[[str], tuple[Path, Path]]) -> None:
    predictions, labels = folders("xtreme-r")
    scores = score_folders(predictions, labels, "xtreme")
    assert scores.benchmark.overall is None
    assert scores.missing == ("pawsx", "bucc2018")
    text = official_text(scores, "xtreme", "all")
    assert "no overall score: no predictions for pawsx, bucc2018" in text
    assert "lareqa is no task of xtreme and is left out" in text
    assert "classification" not in scores.benchmark.groups


def test_predictions_without_labels_are_refused(folders: Callable[[str], tuple[Path, Path]]) -> None:
    predictions, labels = folders("xtreme")
    (labels / "xnli").rename(labels.parent / "elsewhere")
    (labels / "mlqa" / "test-hi.json").unlink()
    (predictions / "mlqa" / "test-de.json").unlink()
    said = problems_of((predictions, labels))
    assert "xnli has predictions but no labels" in said
    assert f"{labels / 'mlqa'}/test-<language>.json: files are missing\n    received none for hi" in said
    assert f"{predictions / 'mlqa'}/test-<language>.json: files are missing\n    received none for de" in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("xnli/test-de.tsv", "entailment\nneutral\n", ":2: wrong number of lines"),
        ("xnli/test-de.tsv", "entailmen\n", ":1: unknown label"),
        ("xnli/test-de.tsv", "", ":1: the file is empty"),
        ("tatoeba/test-de.tsv", "[3]\n1\n", ":1: this is not a plain whole number"),
        ("tatoeba/test-de.tsv", "3\n01\n", ":2: this is not a plain whole number"),
        ("udpos/test-de.tsv", "VERB\nX\n\nX\n\nX\n\n", ":3: wrong number of sentences"),
        ("udpos/test-de.tsv", "VERB\nX\n\nX\nX\n\n", ":4: wrong number of tags in sentence 2"),
        ("udpos/test-de.tsv", "VERB\n_\n\nX\n\n", ":2: unknown label"),
        ("xquad/test-de.json", '{"q": 3}', ":1 q: the answer is not text"),
        ("xquad/test-de.json", '{"q": "x",\n"q": "y"}', ":1 q: an id occurs twice"),
        ("xquad/test-de.json", '{"q": "x"', ":1: this is not JSON"),
        ("xquad/test-de.json", "[]", ":1: the file is not one JSON object"),
        ("bucc2018/test-de.tsv", "de-1 en-1\n", ":1: this is not a pair of ids"),
    ],
)
def test_a_malformed_prediction_file_is_told_with_its_line(
    file: str, text: str, said: str, folders: Callable[[str], tuple[Path, Path]]
) -> None:
    predictions, labels = folders("xtreme")
    (predictions / file).write_text(text)
    assert f"{predictions / file}{said}" in problems_of((predictions, labels))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("xcopa/test-sw.jsonl", '{"label": 2}\n{"label": 0}\n', ":1: 'label' is not the number of a choice"),
        ("xcopa/test-sw.jsonl", '{"label": 1}\n1\n', ":2: 'label' is not the number of a choice"),
        ("mewslix/test-de.json", '{"m": ["Q1", "Q1"]}', ":1 m: an id is ranked twice"),
        ("lareqa/test-de.json", json.dumps({"m": [str(i) for i in range(21)]}), ":1 m: too many ids"),
        ("lareqa/test-de.json", '{"m": "s1"}', ":1 m: this is not a list of ids"),
    ],
)
def test_a_malformed_file_of_xtreme_r_is_told_with_its_line(
    file: str, text: str, said: str, folders: Callable[[str], tuple[Path, Path]]
) -> None:
    predictions, labels = folders("xtreme-r")
    (predictions / file).write_text(text)
    assert f"{predictions / file}{said}" in problems_of((predictions, labels), "xtreme-r")


def test_all_faults_of_all_files_come_at_once(folders: Callable[[str], tuple[Path, Path]]) -> None:
    predictions, labels = folders("xtreme")
    (predictions / "xnli/test-de.tsv").write_text("yes\n")
    (labels / "xnli/test-de.tsv").write_text("no\n")
    (labels / "tydiqa/test-en.json").write_text(json.dumps(SQUAD).replace("\\u5317\\u4eac\\u5e02", ""))
    said = problems_of((predictions, labels))
    assert f"{predictions / 'xnli/test-de.tsv'}:1: unknown label" in said
    assert f"{labels / 'xnli/test-de.tsv'}:1: unknown label" in said
    assert "the question has no answer" in said


def test_unanswered_questions_score_nothing_and_are_noted(
    folders: Callable[[str], tuple[Path, Path]],
) -> None:
    predictions, labels = folders("xtreme")
    (predictions / "tydiqa/test-fi.json").write_text('{"r": "x"}')
    scores = score_folders(predictions, labels, "xtreme")
    assert scores.tasks["tydiqa"]["fi"] == {"f1": 0.0, "exact_match": 0.0}
    assert "tydiqa/fi: 1 of 1 questions have no prediction and score 0" in scores.notes


def test_blank_lines_between_sentences_may_be_many_and_windows_line_ends_are_read(
    folders: Callable[[str], tuple[Path, Path]],
) -> None:
    predictions, labels = folders("xtreme")
    path = predictions / "udpos/test-de.tsv"
    path.write_text(path.read_text().replace("\n\n", "\n\n \n").replace("\n", "\r\n"))
    assert score_folders(predictions, labels, "xtreme").tasks["udpos"]["de"]["f1"] == 1.0


def test_languages_that_have_labels_can_be_scored_alone(folders: Callable[[str], tuple[Path, Path]]) -> None:
    predictions, labels = folders("xtreme")
    for folder in (predictions, labels):
        for path in (folder / "pawsx").glob("*.tsv"):
            path.rename(path.with_name("test-xa.tsv"))
    scores = score_folders(predictions, labels, "xtreme", "available")
    assert list(scores.tasks["pawsx"]) == ["xa"]
    (predictions / "pawsx/test-xa.tsv").unlink()
    with pytest.raises(InputError, match="none for xa"):
        score_folders(predictions, labels, "xtreme", "available")


@pytest.mark.parametrize("name", ["xnli", "pawsx", "xcopa", "udpos", "panx", "xquad", "tydiqa", "tatoeba"])
def test_files_that_a_family_writes_score_what_the_family_scores(
    name: str, demo: DemoSource, tmp_path: Path
) -> None:
    task, benchmark = find_task(name), "xtreme-r" if name == "xcopa" else "xtreme"
    family = family_of(task)
    language = demo.languages(task, "test")[-1]
    rows = demo.rows(task, "test", language)
    predictions = [gold(row) for row in rows]
    half = len(rows) // 2
    if task.family == "tagging":
        predictions[:half] = [tags[::-1] for tags in predictions[:half]]
    else:
        predictions[:half] = [*predictions[1:half], predictions[0]]
    for side, text in (
        ("predictions", family.prediction_file(rows, predictions)),
        ("labels", family.label_file(rows)),
    ):
        (tmp_path / side / name).mkdir(parents=True)
        (tmp_path / side / name / f"test-{language}.{family.suffix}").write_text(text, encoding="utf-8")
    scores = score_folders(tmp_path / "predictions", tmp_path / "labels", benchmark, "available")
    official, ours = scores.tasks[name][language], family.score(rows, predictions, task, language)
    assert {metric: official[metric] for metric in ours} == ours
    assert task.metric in ours


def test_folders_that_are_not_there_or_hold_no_task_are_refused(tmp_path: Path) -> None:
    assert "no such folder" in problems_of((tmp_path / "x", tmp_path))
    assert "no task of xtreme" in problems_of((tmp_path, tmp_path))
    (tmp_path / "mnli" / "seed-2" / "xnli").mkdir(parents=True)
    assert f"--predictions {tmp_path}/mnli/seed-2" in problems_of((tmp_path, tmp_path))


def test_the_scorers_facts_are_the_catalogues() -> None:
    assert set(SCORED) == {
        task for groups in BENCHMARKS.values() for group in groups.values() for task in group
    }
    for name in SCORED.keys() & TASKS.keys():
        assert set(SCORED[name].languages) == set(TASKS[name].languages)
        assert SCORED[name].labels in (TASKS[name].labels, ())
        assert SCORED[name].rules == TASKS[name].answer_rules
    assert set(SCORED["mlqa"].languages) == set(MLQA_LANGUAGES)
    counts = {task: len(scored_languages(task, "xtreme-r")) for task in SCORED}
    assert (counts["udpos"], counts["panx"], counts["xquad"], counts["tatoeba"]) == (38, 48, 12, 41)
