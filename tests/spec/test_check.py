"""What the catalogue or another part of the sweep contradicts is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, load_text, only_problem, problems_of, write
from xtr.catalogue.lookup import names
from xtr.errors import InputError
from xtr.spec.check import check_sweep
from xtr.spec.load import load_sweep
from xtr.spec.space import FIELDS, STAGES, Choice, Fixed, FloatRange, LogFloatRange, complaint
from xtr.spec.sweep import ModelSpec, PairsSpec, SearchSpec, SweepSpec, TrainSettings


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("[xnli, tatoeba]", "[xnli, tatoebas]", "pairs.target[1]", "unknown task"),
        ("[xnli, tatoeba]", "[xnli, xnli]", "pairs.target[1]", "is listed twice"),
        ("[xnli, tatoeba]", "[xnli, squad_v1]", "pairs.target[1]", "squad_v1 cannot be a target"),
        ("mnli>squad_v1]", "tatoeba]", "pairs.intermediate[1]", "tatoeba cannot be an intermediate task"),
        ("mnli>squad_v1]", "mnli > squad]", "pairs.intermediate[1]", "unknown task"),
        ("mnli>squad_v1]", "mnli]", "pairs.intermediate[1]", "is listed twice"),
        ("te: mnli,", "te: none,", "pairs.exclude[0].intermediate", "cannot be excluded"),
        ("target: xnli,", "target: udpos,", "pairs.exclude[0].target", "is not among pairs.target"),
        ("{mnli: {max", "{xnli: {max", "stages.target.tasks.xnli", "is not trained in this stage"),
        ("{mnli: {max", "{mnlo: {max", "stages.target.tasks.mnlo", "unknown task"),
        ("{mnli: {max_length: 96", "{mnli: {max_length: 129", "stages.target.tasks.mnli.max_length", "as long"),
        ("[en, de]", "[en, de], layer: 3", "stages.evaluate.layer", "demo has no such layer"),
        ("[en, de]", "[en, german]", "stages.evaluate.languages[1]", "unknown language"),
        ("target.epochs: 2", "target.epoch: 2", "search.space.target.epoch", "unknown dimension"),
        ("target.epochs: 2", "target.epochs: 2.0", "search.space.target.epochs", "cannot take this"),
        ("epochs: 2", "epochs: {float: [1, 2]}", "search.space.target.epochs", "whole numbers"),
        ("[0.1, 1.0]", "[0.1, 1.5]", "search.space.intermediate.fraction", "cannot take this"),
        ("target.epochs: 2", "intermediate.examples: 9", "search.space.intermediate.examples", "exclude"),
        ("epochs: 1, t", "epoch: 1, t", "search.start_with[0].intermediate.epoch", "is not a dimension"),
        ("epochs: 1, t", "epochs: 4, t", "search.start_with[0].intermediate.epochs", "lies outside"),
        ("start_with:\n", "start_with:\n    - winner\n", "search.start_with[0]", "not a word for first trials"),
        ("start_with:\n", "start_with:\n    - winners\n    - winners\n", "search.start_with[1]", "twice"),
        ("epochs: 1, t", "epochs: all, t", "search.start_with[0]", "must be a number"),
        ("{keep: 0.5}", "{keep: 1.5}", "search.early_stopping.keep", "a share must be at most 1.0"),
        ("{keep: 0.5}", "{rung_epochs: [2, 1]}", "search.early_stopping.rung_epochs", "not epochs to"),
        ("{keep: 0.5}", "{rung_epochs: [1, 2], keep: 2}", "search.early_stopping", "as many at every rung"),
        ("{keep: 0.5}", "{keep: 0.5}\n  share: target", "search.share", "must be 'intermediate'"),
        ("seeds: [2, 3]", "seeds: [2, 1]", "search.confirm.seeds[1]", "is search.training_seed"),
        ("seeds: [2, 3]", "seeds: [2, 2]", "search.confirm.seeds[1]", "is listed twice"),
        ("  early_stopping: {keep: 0.5}\n", "  early_stopping: {keep: 0.5}\n  select_on: oracle\n",
         "search.select_on", "would stop early by another score"),
        ("  early_stopping: {keep: 0.5}\n", "  select_on: xnli\n", "search.select_on", "must be 'source'"),
        ("{root: runs}", "{}\ndata: {source: official}", "data.official_root", "needs official_root"),
        ("{root: runs}", "{}\ndata: {folders: {xnly: a}}", "data.folders.xnly", "unknown task"),
        ("{root: runs}", "{}\ndata: {files: {xnli: {tests: a}}}", "data.files.xnli.tests", "unknown split"),
        ("{root: runs}", "{root: s4://b/runs}", "storage.root", "unknown kind of storage"),
        (
            "{root: runs}",
            "{root: s3://b/runs, options: {secret: abc}}",
            "storage.options",
            "secret would be kept with the sweep for everybody to read",
        ),
        ("{root: runs}", "{}\ndata: {source: hug}", "data.source", "must be 'official', 'hub'"),
        ("{root: runs}", "{}\ndata: {hub_folders: {a/b: c}}", "data.hub_folders.a/b", "unknown data set"),
        ("{root: runs}", "{}\ndata: {hub_folders: {facebook/xnli: c}}", "data.hub_folders.facebook/xnli", "no"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, path: str, said: str
) -> None:
    assert GOOD.count(old) == 1
    file = write(tmp_path, GOOD.replace(old, new))
    problem = only_problem(file)
    assert said in problem.what
    assert problem.where.startswith(f"{file}:")
    assert problem.where.endswith(f" {path}")


def test_only_trainings_of_the_sweep_s_own_known_encoder_are_held_against_it(tmp_path: Path) -> None:
    long = GOOD.replace("max_length: 96", "max_length: 600")
    assert load_text(tmp_path, long.replace("name: demo", "name: someone/demo"))
    assert load_text(tmp_path, long.replace("{mnli: {max", "{squad_v1: {max"))  # not among what is trained
    problem = only_problem(write(tmp_path, long.replace("name: demo", "name: FacebookAI/xlm-roberta-base")))
    assert problem.allowed == "at most 512 tokens"
    chain = GOOD.replace("[mnli, mnli>squad_v1]", "[mnli, checkpoint:roberta>squad_v1]")
    further = chain.replace("{mnli: {max_length: 96}}", "{}") + "  # a checkpoint has a length of its own\n"
    assert load_text(tmp_path, further, ["stages.intermediate.tasks.squad_v1.max_length=600"])


def test_more_first_trials_than_trials_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("  start_with:\n", "  trials_per_pair: 1\n  start_with:\n    - {target.epochs: 2}\n")
    assert only_problem(write(tmp_path, text)).what == "more first trials than trials"


@pytest.mark.parametrize("root", ["/no/such/folder", "x" * 5000])
def test_a_data_folder_that_is_not_there_is_refused(tmp_path: Path, root: str) -> None:
    text = GOOD + f"data: {{source: official, official_root: {root}}}\n"
    assert only_problem(write(tmp_path, text)).what == "no such folder"


def test_official_data_have_a_folder_and_the_catalogues_languages(tmp_path: Path) -> None:
    text = GOOD + f"data: {{source: official, official_root: {tmp_path}}}\n"
    assert load_text(tmp_path, text).data.official_root == str(tmp_path)
    assert only_problem(write(tmp_path, text.replace("[en, de]", "[en, xa]"))).received == "xa"


def test_the_demo_world_has_its_own_languages(tmp_path: Path) -> None:
    spec = load_text(tmp_path, GOOD.replace("[en, de]", "[en, xa, xd]"))
    assert spec.stages.evaluate.languages == ("en", "xa", "xd")


def test_a_language_by_its_name_gets_its_code(tmp_path: Path) -> None:
    problem = only_problem(write(tmp_path, GOOD.replace("[en, de]", "[en, Swahili]")))
    assert problem.hint == "did you mean 'sw'?"


def test_an_intermediate_may_be_what_the_target_trains_on(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("  exclude:")] + GOOD[GOOD.index("stages:") :]
    assert ("mnli", "xnli") in [
        (each.intermediate, each.target) for each in load_text(tmp_path, text).pairs.pairs()
    ]


def test_every_task_can_play_its_roles() -> None:
    spec = SweepSpec(
        version=1,
        name="all",
        model=ModelSpec(name="demo"),
        pairs=PairsSpec(intermediate=names("intermediate"), target=names("target")),
        search=SearchSpec(),
    )
    check_sweep(spec)


def test_a_spec_built_in_python_is_checked_too() -> None:
    spec = SweepSpec(
        version=1,
        name="wrong",
        model=ModelSpec(name="demo"),
        pairs=PairsSpec(intermediate=("mnly",), target=("xnli",)),
        search=SearchSpec(space={"target.epochs": Choice((0, 1))}),
    )
    with pytest.raises(InputError) as caught:
        check_sweep(spec)
    assert [each.where for each in caught.value.problems] == [
        "pairs.intermediate[0]",
        "search.space.target.epochs",
    ]


@pytest.mark.parametrize("field", list(FIELDS))
@pytest.mark.parametrize("value", [-1, 0, 0.0, 1e-5, 0.5, 1, 1.0, 1.5, 2, 100])
def test_a_dimension_takes_what_its_setting_takes(field: str, value: float) -> None:
    try:
        TrainSettings().resolved_for("mnli", {field: value})
        fits = True
    except ValueError:
        fits = False
    for stage in STAGES:
        assert (complaint(f"{stage}.{field}", Fixed(value)) is None) == fits


def test_a_warm_up_in_shares_is_not_searched_under_wsd(tmp_path: Path) -> None:
    text = GOOD.replace("target.epochs: 2", "target.warmup_fraction: 0.2")
    assert load_text(tmp_path, text)
    text = text.replace("  target:\n", "  target:\n    schedule: wsd\n    warmup_steps: 9\n")
    problem = only_problem(write(tmp_path, text))
    assert problem.where.endswith(" search.space.target.warmup_fraction")
    assert problem.hint == "stages.target.warmup_steps"


def test_both_ends_of_a_range_must_fit() -> None:
    assert complaint("target.fraction", FloatRange(0.5, 1.0)) is None
    assert complaint("target.fraction", FloatRange(0.0, 1.0)) is not None
    assert complaint("target.learning_rate", LogFloatRange(1e-6, 2.0)) is not None


def test_several_contradictions_come_together(tmp_path: Path) -> None:
    text = (
        GOOD.replace("[en, de]", "[no]")
        .replace("[xnli, tatoeba]", "[xnli, tatoeba, x]")
        .replace("[2, 3]", "[1]")
    )
    assert len(problems_of(write(tmp_path, text))) == 3


def test_an_oracle_needs_dev_sets_that_are_not_the_test_sets(tmp_path: Path) -> None:
    oracle = GOOD.replace("  early_stopping: {keep: 0.5}\n", "  select_on: oracle\n")
    assert load_sweep(write(tmp_path, oracle)).search.select_on == "oracle"
    more = oracle.replace("target: [xnli, tatoeba]", "target: [xnli, tydiqa, xquad, pawsx, xcopa]")
    problem = only_problem(write(tmp_path, more))
    assert "test sets: tydiqa, xquad" in problem.what
    assert "xnli" in (problem.allowed or "")
    own_dev = "{root: runs}\ndata: {files: {tydiqa: {dev: d}, xquad: {dev: d}}}"
    assert load_sweep(write(tmp_path, more.replace("{root: runs}", own_dev)))
    ranked = oracle.replace("target: [xnli, tatoeba]", "target: [xnli, mewslix]")
    assert load_sweep(write(tmp_path, ranked)), "its files have a dev split"
    on_hub = problems_of(write(tmp_path, ranked.replace("{root: runs}", "{root: runs}\ndata: {source: hub}")))
    assert any("test sets: mewslix" in each.what for each in on_hub), "on the hub test would double as dev"
