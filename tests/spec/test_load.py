"""A sweep file is read with its parents, variables and overrides, and everything wrong is said at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, load_text, only_problem, problems_of, write
from xtr.errors import InputError, Problem
from xtr.spec.elsewhere import CALLED_ELSEWHERE
from xtr.spec.load import load_sweep
from xtr.spec.notation import KINDS
from xtr.spec.space import Choice, Fixed, FloatRange, IntRange, LogFloatRange
from xtr.spec.sweep import Pair, SweepSpec

BAD = """\
version: 1
name: Size Curve
descriptio: typo
model: {name: demo}
pairs:
  intermediate: [squad_v0, mnli+, 3, tatoeba]
  target: [udposs, mnli]
  exclude: [{intermediate: mnli, target: xnli}]
stages:
  target:
    learning_rates: 5e-4
    epochs: 2.5
    fraction: 1.5
search:
  space:
    target.epoch: {int: [1, 3]}
    target.epochs: {float: [1, 3]}
    intermediate.fraction: {choice: [0, 1]}
    target.fraction: {uniform: [0, 1]}
    target.learning_rate: {log_float: [1e-3, 1e-5]}
  seed: 13
  seed: 14
data: {source: hug}
tracking: {uri: env:TRACKER}
storage: {root: s4://bucket/runs}
"""
SMALL = """\
version: 1
name: small
model: {name: demo}
pairs: {intermediate: [squad_v1], target: [tydiqa]}
search: {trials_per_pair: 2}
"""


def by_line(problems: tuple[Problem, ...]) -> dict[int, list[Problem]]:
    found: dict[int, list[Problem]] = {}
    for problem in problems:
        match = re.search(r"\.yaml:(\d+)", problem.where)
        found.setdefault(int(match[1]) if match else 0, []).append(problem)
    return found


def test_a_good_file_is_read(tmp_path: Path) -> None:
    spec = load_text(tmp_path, GOOD)
    assert spec.search.space == {
        "intermediate.epochs": IntRange(1, 3),
        "intermediate.fraction": Choice((0.1, 1.0)),
        "target.learning_rate": LogFloatRange(5e-6, 5e-5),
        "target.weight_decay": FloatRange(0, 0.1),
        "target.epochs": Fixed(2),
    }
    assert spec.pairs.pairs() == (
        Pair("none", "xnli"),
        Pair("mnli>squad_v1", "xnli"),
        Pair("none", "tatoeba"),
        Pair("mnli", "tatoeba"),
        Pair("mnli>squad_v1", "tatoeba"),
    )


def test_the_demo_sweep_is_good() -> None:
    assert load_sweep(Path(__file__).parents[2] / "sweeps" / "demo.yaml").name == "demo"


def test_everything_wrong_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    problems = problems_of(write(tmp_path, BAD))
    expected = {2: 1, 3: 1, 6: 4, 7: 2, 8: 1, 11: 1, 12: 1, 13: 1}
    expected |= {16: 1, 17: 1, 18: 1, 19: 1, 20: 1, 22: 1, 23: 1, 24: 1, 25: 1}
    assert {line: len(found) for line, found in by_line(problems).items()} == expected


def test_problems_come_in_reading_order(tmp_path: Path) -> None:
    lines = list(by_line(problems_of(write(tmp_path, BAD))))
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("line", "path", "said"),
    [
        (2, "name", "size-curve"),
        (3, "descriptio", "did you mean 'description'?"),
        (6, "pairs.intermediate[0]", "did you mean 'squad_v2'?"),
        (7, "pairs.target[0]", "did you mean 'udpos'?"),
        (7, "pairs.target[1]", "xnli"),
        (11, "stages.target.learning_rates", "did you mean 'learning_rate'?"),
        (16, "search.space.target.epoch", "did you mean 'target.epochs'?"),
        (20, "search.space.target.learning_rate", "{log_float: [1e-05, 0.001]}"),
        (24, "tracking.uri", "export TRACKER=..."),
    ],
)
def test_a_hint_names_what_was_probably_meant(tmp_path: Path, line: int, path: str, said: str) -> None:
    file = write(tmp_path, BAD)
    found = [each for each in problems_of(file) if each.where == f"{file}:{line} {path}"]
    assert [each.hint for each in found] == [said]


def test_a_key_in_the_wrong_block_is_told_where_it_belongs(tmp_path: Path) -> None:
    problem = only_problem(write(tmp_path, GOOD + "learning_rate: 1\n"))
    assert problem.hint == "'learning_rate' belongs under stages.intermediate or stages.target"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "not a version of this grammar"),
        ("version: 1", "version: true", "not a version of this grammar"),
        ("version: 1", "", "'version' is missing"),
        ("name: small", "name: 2024", "must be text"),
        ("model: {name: demo}", "model: demo", "must be a mapping of keys to values"),
        ("target: [xnli, tatoeba]", "target: []", "must not be empty"),
        ("keep: 0.5", "keep: 0", "must be above 0"),
        ("keep: 0.5", "keep: half", "must be a number"),
        ("top: 2", "top: true", "must be a whole number"),
        ("learning_rate: 1e-5", "learning_rate: 1e999", "the number is too large"),
        ("languages: [en, de]", "languages: english", "not a choice of languages"),
        ("epochs: 2", "epochs: two", "not a dimension"),
        ("{int: [1, 3]}", "{int: [1, 3], choice: [1]}", "a dimension has exactly one kind"),
        ("{int: [1, 3]}", "{int: [1.0, 3]}", "the bounds of an int range must be whole numbers"),
        ("{int: [1, 3]}", "{int: [1]}", "int needs two bounds"),
        ("{choice: [0.1, 1.0]}", "{choice: []}", "a choice needs at least one value"),
        ("{choice: [0.1, 1.0]}", "{choice: [1, 1.0]}", "a choice names a value twice"),
        (
            "{log_float: [5e-6, 5e-5]}",
            "{log_float: [0, 5e-5]}",
            "the bounds of a log_float range must be above 0",
        ),
        (
            "tasks: {mnli: {max_length: 96}}",
            "examples: 10\n    fraction: 0.5",
            "fraction and examples exclude each other",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    said_of = [each.what for each in problems_of(write(tmp_path, GOOD.replace(old, new, 1)))]
    assert said in said_of


def test_a_child_merges_mappings_and_replaces_lists_and_dimensions(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "base.yaml")
    child = """\
extends: base.yaml
name: child
pairs: {target: [udpos], exclude: []}
search:
  space: {intermediate.epochs: {choice: [1, 4]}}
  early_stopping: null
"""
    spec = load_text(tmp_path, child)
    assert (spec.name, spec.pairs.target) == ("child", ("udpos",))
    assert spec.pairs.intermediate == ("mnli", "mnli>squad_v1")
    assert spec.search.space["intermediate.epochs"] == Choice((1, 4))
    assert spec.search.space["target.epochs"] == Fixed(2)
    assert spec.search.early_stopping is None


def test_a_problem_in_the_parent_has_the_parents_line(tmp_path: Path) -> None:
    base = write(tmp_path, GOOD.replace("keep: 0.5", "keep: 2.5"), "base.yaml")
    problem = only_problem(write(tmp_path, "extends: base.yaml\nname: child\n"))
    line = GOOD[: GOOD.index("keep")].count("\n") + 1
    assert problem.where == f"{base}:{line} search.early_stopping.keep"


def test_what_the_child_replaces_is_not_complained_of(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "tracking: {uri: env:ABSENT}\n", "base.yaml")
    spec = load_text(tmp_path, "extends: base.yaml\ntracking: {uri: http://here}\n")
    assert spec.tracking.uri == "http://here"


def test_a_parent_is_found_beside_the_child(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path, GOOD, "base.yaml")
    assert load_sweep(write(tmp_path / "deep", "extends: ../base.yaml\n"), env={}).name == "small"


@pytest.mark.parametrize("parent", ["sweep.yaml", "b.yaml", "../loop/b.yaml"])
def test_a_circle_of_parents_is_refused(tmp_path: Path, parent: str) -> None:
    folder = tmp_path / "loop"
    folder.mkdir()
    write(folder, "extends: ../loop/sweep.yaml\n", "b.yaml")
    path = write(folder, f"extends: {parent}\n")
    problem = only_problem(path)
    assert problem.what == "extends goes in a circle"
    assert problem.received.startswith("sweep.yaml -> ")


@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ("absent.yaml", "no such file"),
        (".", "the file cannot be read"),
        ("[a, b]", "must be one file"),
        ("3", "must be"),
    ],
)
def test_a_parent_that_cannot_be_read_is_refused_where_it_is_named(
    tmp_path: Path, parent: str, said: str
) -> None:
    path = write(tmp_path, f"name: child\nextends: {parent}\n")
    problem = only_problem(path)
    assert said in problem.what
    assert problem.where.startswith(f"{path}:2")


def test_a_variable_stands_for_a_value_or_the_start_of_a_path(tmp_path: Path) -> None:
    text = GOOD.replace("{root: runs}", "{root: env:SCRATCH/xtr}") + "tracking: {uri: env:TRACKER}\n"
    spec = load_sweep(write(tmp_path, text), env={"SCRATCH": "/mnt/a", "TRACKER": "http://t:5000"})
    assert (spec.storage.root, spec.tracking.uri) == ("/mnt/a/xtr", "http://t:5000")


def test_a_variable_may_stand_in_a_list_but_not_inside_words(tmp_path: Path) -> None:
    text = GOOD.replace("[xnli, tatoeba]", "[xnli, env:TASK]") + 'description: "env: is a prefix"\n'
    spec = load_sweep(write(tmp_path, text), env={"TASK": "tatoeba"})
    assert spec.pairs.target == ("xnli", "tatoeba")
    assert spec.description == "env: is a prefix"


@pytest.mark.parametrize(
    ("uri", "said"), [("env:ABSENT", "variable ABSENT is not set"), ("env:NOT-A-NAME", "not a variable")]
)
def test_a_variable_that_says_nothing_is_refused(tmp_path: Path, uri: str, said: str) -> None:
    path = write(tmp_path, GOOD + f"tracking:\n  uri: {uri}\n")
    problem = only_problem(path)
    assert problem.what == said
    assert problem.where.endswith(" tracking.uri")


@pytest.mark.parametrize(
    ("override", "said", "hint"),
    [
        ("pairs.intermediate=[squad]", "unknown task", "did you mean 'squad_v1'?"),
        ("pairs.intermediate=[MNLI]", "unknown task", "did you mean 'mnli'?"),
        ("stages.target={lr: 1}", "unknown key 'lr'", "did you mean 'learning_rate'?"),
        ("stages.target={num_train_epochs: 1}", "unknown key", "did you mean 'epochs'?"),
        ("stages.target={my_batch_size: 1}", "unknown key", "did you mean 'batch_size'?"),
        ("search={n_trials: 1}", "unknown key 'n_trials'", "did you mean 'trials_per_pair'?"),
        ("search={n_seeds: 1}", "unknown key", "'seeds' belongs under search.confirm or search.design"),
        ("search.space={target.lr: 1}", "unknown dimension", "did you mean 'target.learning_rate'?"),
        ("search.space={target.epochs: {loguniform: [1, 2]}}", "unknown kind", "did you mean 'log_float'?"),
    ],
)
def test_the_words_of_other_tools_and_of_the_hurried_are_understood(
    tmp_path: Path, override: str, said: str, hint: str
) -> None:
    found = problems_of(write(tmp_path, SMALL), [override])
    assert [(each.what.startswith(said), each.hint) for each in found] == [(True, hint)]


def test_every_borrowed_word_leads_to_one_of_a_sweep_file_and_is_none_itself() -> None:
    schema = SweepSpec.model_json_schema()
    nodes = [schema, *schema["$defs"].values()]
    ours = {*KINDS, *(name for node in nodes for name in node.get("properties", ()))}
    assert set(CALLED_ELSEWHERE.values()) <= ours
    assert not ours & CALLED_ELSEWHERE.keys()


@pytest.mark.parametrize(
    ("override", "allowed", "hint"),
    [
        ("search.confirm.seeds=[-3]", "whole numbers from 0", ""),
        ("stages.target.batch_size=sixteen", "whole numbers from 1", ""),
        ("stages.target.learning_rate=2", "numbers above 0, up to 1", ""),
        ("stages.target.examples=0", "null or whole numbers from 1", ""),
        ("stages.evaluate.split=tset", "test, dev", "did you mean 'test'?"),
        ("stages.evaluate.pooling=max", "mean, cls", ""),
        ("stages.target.carry_head=maybe", "true, false", ""),
        ("model=demo", "a mapping with any of name, revision", "model: {name: demo}"),
        ("search.sampler=optuna", "a mapping with any of name, startup_trials", "sampler: {name: tpe}"),
        ("budget=3", "a mapping with any of gpu_hours, wall_hours, money", "budget: {gpu_hours: 3}"),
    ],
)
def test_what_is_allowed_is_said_from_the_type_of_the_key(
    tmp_path: Path, override: str, allowed: str, hint: str
) -> None:
    problem = only_problem(write(tmp_path, SMALL), [override])
    assert (problem.allowed, problem.hint) == (allowed, hint)


def test_a_block_in_place_of_which_a_word_stands_is_written_around_it(tmp_path: Path) -> None:
    assert only_problem(write(tmp_path, SMALL), ["search=random"]).hint == "search: {sampler: {name: random}}"


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ("[3e-4, 5e-4]", "{choice: [0.0003, 0.0005]}, or the range {log_float: [0.0003, 0.0005]}"),
        ("[1, 3]", "{choice: [1, 3]}, or the range {int: [1, 3]}"),
        ("[1, 2, 4]", "{choice: [1, 2, 4]}"),
    ],
)
def test_a_bare_list_is_told_what_it_may_have_meant(tmp_path: Path, values: str, hint: str) -> None:
    problem = only_problem(write(tmp_path, SMALL), [f"search.space={{target.epochs: {values}}}"])
    assert (problem.what, problem.hint) == ("a list is not a dimension", hint)


def test_it_is_said_when_something_could_not_be_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    with pytest.raises(InputError) as whole:
        load_sweep(path, ["search.confirm={seeds: [1]}", "search.concurrent_trials=x"])
    assert [each.what for each in whole.value.problems] == [
        "must be a whole number",
        "is search.training_seed",
    ]
    assert "more may follow" not in str(whole.value)
    with pytest.raises(InputError, match="more may follow"):
        load_sweep(path, ["search.confirm={seeds: [2, 2, -3]}"])
