"""`--set` takes precedence over the file and over what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, load_text, only_problem, problems_of, write
from xtr.spec.space import Choice


def test_overrides_take_precedence(tmp_path: Path) -> None:
    spec = load_text(
        tmp_path,
        GOOD,
        [
            "search.seed=7",
            "search.space.target.epochs={choice: [1, 2]}",
            "search.early_stopping.keep=0.25",
            "stages.target.tasks.mnli.epochs=1",
            "stages.target.learning_rate=2e-5",
            "tags.owner=me",
            "compute.per_worker.GPU=1",
            "pairs.exclude=[]",
            "model.revision=",
            "data.files.udpos.train=here.tsv",
        ],
    )
    assert spec.search.seed == 7
    assert spec.search.space["target.epochs"] == Choice((1, 2))
    assert spec.search.early_stopping is not None
    assert spec.search.early_stopping.keep == 0.25
    assert spec.stages.target.tasks["mnli"].epochs == 1
    assert spec.stages.target.tasks["mnli"].max_length == 96
    assert spec.stages.target.learning_rate == 2e-5
    assert (spec.tags, spec.compute.per_worker.GPU, spec.model.revision) == ({"owner": "me"}, 1, None)
    assert len(spec.pairs.pairs()) == 6
    assert spec.data.files == {"udpos": {"train": "here.tsv"}}


@pytest.mark.parametrize(
    ("override", "what", "hint"),
    [
        ("search.sed=1", "unknown path 'search.sed'", "did you mean 'search.seed'?"),
        ("epochs=1", "unknown path 'epochs'", "stages.intermediate.epochs or stages.target.epochs"),
        ("search.seed.x=1", "unknown path 'search.seed.x'", ""),
        ("=1", "unknown path ''", ""),
        ("tags.=1", "unknown path 'tags.'", ""),
        ("search.seed", "no value", "--set search.seed=7"),
        ("search.seed=[1", "not valid YAML: expected ',' or ']', but got '<stream end>'", ""),
        ("search.seed=env:ABSENT", "variable ABSENT is not set", "export ABSENT=..."),
        ("search.space.target.epoch=1", "unknown dimension 'target.epoch'", "did you mean 'target.epochs'?"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, what: str, hint: str) -> None:
    problem = only_problem(write(tmp_path, GOOD), [override])
    assert problem.what == what
    assert problem.where.startswith("--set")
    if hint:
        assert problem.hint == hint


def test_an_override_mends_what_the_file_has_wrong(tmp_path: Path) -> None:
    text = GOOD.replace("{root: runs}", "{root: env:ABSENT}").replace("keep: 0.5", "keep: 5")
    spec = load_text(tmp_path, text, ["storage.root=here", "search.early_stopping={keep: 1}"])
    assert spec.storage.root == "here"


def test_a_wrong_list_item_does_not_hide_the_others(tmp_path: Path) -> None:
    problems = problems_of(
        write(tmp_path, GOOD.replace("[xnli, tatoeba]", "[1, xnli, tatoebaa, env:ABSENT]"))
    )
    assert [each.received for each in problems] == ["env:ABSENT", "1", "tatoebaa"]
