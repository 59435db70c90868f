"""A sweep and its demo: one graph, two worlds, and nothing that mixes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, write
from xtr.analysis.planning.plan import plan_sweep
from xtr.data.open import open_source
from xtr.errors import InputError
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_sweep
from xtr.spec.space import Choice, Fixed
from xtr.stages.hardware import hardware_here
from xtr.stages.path import DEMO_MODELS, Paths
from xtr.stages.stage import PretrainStage
from xtr.stages.store import StageStore

QUESTIONS = sorted((Path(__file__).resolve().parents[2] / "sweeps").glob("q[1-5]-*.yaml"))
EXCLUDED = "  exclude:\n    - {intermediate: mnli, target: xnli, because: same training data}\n"
FULL = GOOD.replace("{name: demo}", "{name: xlm-roberta-large}").replace(EXCLUDED, "")
ELSEWHERE = """data: {source: official, official_root: env:NOBODY_SAID_WHERE}
compute: {workers: 4, per_worker: {GPU: 1}}
tracking: {uri: "sqlite:///mine.db", experiment: papers}
"""
DEMO = """demo:
  pairs: {intermediate: [squad_v1]}
  search: {space: {intermediate.fraction: {choice: [0.5, 1.0]}, target.epochs: 3}}
"""


def test_a_demo_has_the_worlds_model_data_and_sizes_and_all_else_of_the_file(tmp_path: Path) -> None:
    spec = load_sweep(write(tmp_path, FULL + ELSEWHERE + DEMO), demo=True, env={})
    assert (spec.name, spec.model.name, spec.data.source) == ("small-demo", "demo", "demo")
    assert (spec.compute.workers, spec.compute.per_worker.GPU) == (1, 0)
    assert spec.stages.target.learning_rate == 5e-4
    assert spec.stages.target.tasks.keys() == {"tydiqa", "udpos"}
    assert (spec.tracking.uri, spec.tracking.experiment) == ("sqlite:///mine.db", None)
    assert spec.pairs.intermediate == ("squad_v1",)
    assert spec.pairs.target == ("xnli", "tatoeba")
    assert spec.search.space["intermediate.fraction"] == Choice((0.5, 1.0))
    assert spec.search.space["target.epochs"] == Fixed(3)
    assert "intermediate.epochs" in spec.search.space
    assert load_sweep(write(tmp_path, to_yaml(spec), "again.yaml"), env={}) == spec


def test_without_being_asked_for_a_demo_changes_nothing(tmp_path: Path) -> None:
    full = load_sweep(write(tmp_path, FULL), env={})
    assert load_sweep(write(tmp_path, FULL + DEMO, "with.yaml"), env={}) == full


def test_what_the_command_line_says_lies_over_the_demo(tmp_path: Path) -> None:
    spec = load_sweep(write(tmp_path, FULL + DEMO), ["stages.target.epochs=7", "name=mine"], {}, demo=True)
    assert (spec.stages.target.epochs, spec.name) == (7, "mine")


def test_a_demo_lies_over_that_of_the_file_that_it_extends(tmp_path: Path) -> None:
    write(tmp_path, FULL + DEMO, "base.yaml")
    child = "extends: base.yaml\nname: child\ndemo: {search: {space: {intermediate.fraction: 0.25}}}\n"
    spec = load_sweep(write(tmp_path, child, "child.yaml"), env={}, demo=True)
    assert spec.search.space["intermediate.fraction"] == Fixed(0.25)
    assert spec.search.space["target.epochs"] == Fixed(3)
    assert (spec.name, spec.pairs.intermediate) == ("child-demo", ("squad_v1",))


def test_what_is_wrong_in_a_demo_is_told_where_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path, FULL + DEMO.replace("[squad_v1]", "[squad]"))
    with pytest.raises(InputError, match=rf"{file}:\d+ pairs.intermediate\[0\]") as caught:
        load_sweep(file, env={}, demo=True)
    line = int(caught.value.problems[0].where.split(":")[1].split()[0])
    assert "[squad]" in file.read_text().splitlines()[line - 1]


def test_a_demo_leaves_out_the_contrasts_that_it_makes_null(tmp_path: Path) -> None:
    kept = "{claim: it helps, difference: {of: mnli}, expect: {above: 0}}"
    contrasts = f"contrasts: {{kept: {kept}, gone: {kept}}}\n"
    demo = DEMO + "  contrasts: {kept: {difference: {of: squad_v1}, expect: {within: 2}}, gone: null}\n"
    spec = load_sweep(write(tmp_path, FULL + contrasts + demo), env={}, demo=True)
    (contrast,) = spec.contrasts.values()
    assert contrast.arms == ("squad_v1", "none")
    assert str(contrast.expect) == "within 2"


@pytest.mark.parametrize("said", ["", "demo: small\n"])
def test_a_sweep_that_says_no_demo_is_refused_as_one(tmp_path: Path, said: str) -> None:
    with pytest.raises(InputError, match="this sweep has no demo"):
        load_sweep(write(tmp_path, FULL + said), env={}, demo=True)


def test_the_five_questions_are_there() -> None:
    assert [path.stem for path in QUESTIONS] == [
        "q1-size",
        "q2-typology",
        "q3-model-scale",
        "q4-sequence",
        "q5-scaling-law",
    ]


@pytest.mark.parametrize("demo", [False, True], ids=["full", "demo"])
@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_is_a_design_that_can_be_planned(path: Path, demo: bool, tmp_path: Path) -> None:
    env = {} if demo else {"XTR_DATA": str(tmp_path)}
    spec = load_sweep(path, [f"storage.root={tmp_path}"], env, demo=demo)
    source = open_source(spec.data, spec.storage.workplace(), resolve=False)
    plan = plan_sweep(spec, source, StageStore(spec.storage.workplace()), [])
    assert spec.search.design is not None
    assert plan.owed == plan.trials > plan.pairs * len(spec.search.design.seeds) / 2
    assert plan.scoring["evaluate"].asked >= plan.trials
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    for word in ("Question", "Look", "Try", "Run", "Read"):
        assert f"# {word} " in head
    if demo:
        assert spec.name == f"{path.stem}-demo"
        assert len(spec.search.design.seeds) == 1
        assert plan.wall[0].run_hours < 5 / 60
    else:
        assert len(spec.search.design.seeds) >= 3


@pytest.mark.skipif(bool(hardware_here("cuda")), reason="this machine's GPU takes the place of the A100")
@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_s_page_says_the_price(path: Path, tmp_path: Path) -> None:
    page = (path.parents[1] / "docs/questions" / f"{path.stem}.md").read_text(encoding="utf-8")
    told = re.search(r"about\s+(\d+)\s+hours\s+of\s+one\s+A100", page)
    assert told is not None
    spec = load_sweep(path, [f"storage.root={tmp_path}"], {"XTR_DATA": str(tmp_path)})
    source = open_source(spec.data, spec.storage.workplace(), resolve=False)
    plan = plan_sweep(spec, source, StageStore(spec.storage.workplace()), [])
    assert float(told[1]) == pytest.approx(plan.run.gpu_hours + plan.evaluate.gpu_hours, rel=0.2)


def test_model_scale_compares_encoders_of_two_sizes(tmp_path: Path) -> None:
    (path,) = (each for each in QUESTIONS if each.stem == "q3-model-scale")
    spec = load_sweep(path, [f"storage.root={tmp_path}"], {"XTR_DATA": str(tmp_path)}, demo=True)
    starts = Paths(spec, open_source(spec.data, spec.storage.workplace(), resolve=False)).starts
    assert [each.name for each in starts if isinstance(each, PretrainStage)] == ["demo-small", "demo"]
    assert {each.name for each in starts} == set(DEMO_MODELS)
    assert len({each.key for each in starts}) == 2
