"""The JSON Schema accepts what xtr accepts, however it is written, and refuses what is wrong in grammar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.spec.sweeps import GOOD, load_text, write
from xtr.spec.document import read_document
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_sweep
from xtr.spec.schema import sweep_schema
from xtr.spec.space import LIMITS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [*sorted((ROOT / "sweeps").glob("*.yaml")), ROOT / "docs/examples/aspects-sweep.yaml"]


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    schema = sweep_schema()
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def said(validator: Draft7Validator, text: str) -> list[str]:
    """What the schema has against a file, read as xtr reads YAML, before `env:NAME` is looked up."""
    names = ("PLACE", "XTR_DATA", "XTR_MINILM", "DATA", "SOURCE")
    document = read_document(text, "sweep.yaml", {name: f"env:{name}" for name in names})
    assert not document.findings
    values: Any = json.loads(json.dumps(document.values))
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(values)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_files_that_come_with_xtr_are_valid(path: Path, validator: Draft7Validator) -> None:
    assert said(validator, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("storage: {root: runs}", 'storage: {root: "env:PLACE/runs", options: {endpoint_url: http://x}}'),
        ("storage: {root: runs}", 'data: {source: "env:SOURCE"}'),
        ("storage: {root: runs}", "prices: prices.yaml"),
        ("storage: {root: runs}", "prices: {gpu_hour: 2.5}"),
        ("storage: {root: runs}", "catalogue: [own.yaml]"),
        ("languages: [en, de]", "languages: available"),
        ("early_stopping: {keep: 0.5}", "early_stopping: null"),
        ("early_stopping: {keep: 0.5}", "early_stopping: {rung_epochs: [1, 2], keep: 0.5}"),
        ("intermediate.fraction: {choice: [0.1, 1.0]}", "intermediate.mnli.fraction: 0.5"),
        ("start_with:", "start_with:\n    - published\n    - winners"),
        ("learning_rate: 1e-5", "learning_rate: 1e-5\n    lora: {rank: 8, layers: [0, 1]}"),
    ],
)
def test_every_notation_is_accepted(
    tmp_path: Path, validator: Draft7Validator, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is a file that xtr reads, too."""
    assert old in GOOD
    text = GOOD.replace(old, new)
    write(tmp_path, "gpu_hour: 2", "prices.yaml")
    write(tmp_path, "tasks: []", "own.yaml")
    monkeypatch.setenv("PLACE", "/place")
    monkeypatch.setenv("SOURCE", "demo")
    load_sweep(write(tmp_path, text))
    assert said(validator, text) == []


def test_a_file_that_extends_another_need_not_say_what_that_one_says(validator: Draft7Validator) -> None:
    assert said(validator, "extends: demo.yaml\nname: mine\npairs: {target: [xnli]}") == []
    without = said(validator, "version: 1\nname: mine\npairs: {target: [xnli]}")
    assert sorted(each.rpartition(": ")[2] for each in without) == [
        "'intermediate' is a required property",
        "'model' is a required property",
        "'search' is a required property",
    ]


def test_what_xtr_writes_is_accepted(tmp_path: Path, validator: Draft7Validator) -> None:
    assert said(validator, to_yaml(load_text(tmp_path, GOOD))) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: small", "name: small\nsead: 3", "'sead' was unexpected"),
        ("learning_rate: 1e-5", "learning_rates: 1e-5", "'learning_rates' was unexpected"),
        ("learning_rate: 1e-5", "learning_rate: fast", "'fast' is not of type 'number'"),
        ("learning_rate: 1e-5", "learning_rate: 2", "2 is greater than the maximum of 1"),
        ("version: 1", "version: 2", "1 was expected"),
        ("{int: [1, 3]}", "{int: [1, 3, 5]}", "is not valid under any"),
        ("{int: [1, 3]}", "{int: [1, 2.5]}", "is not valid under any"),
        ("{int: [1, 3]}", "{between: [1, 3]}", "is not valid under any"),
        ("{choice: [0.1, 1.0]}", "{choice: []}", "is not valid under any"),
        ("intermediate.epochs:", "intermediate.epoch:", "'intermediate.epoch' does not match"),
        ("target.epochs:", "target.mnli.epochs:", "'target.mnli.epochs' does not match"),
        ("[en, de]", "everything", "is not valid under any"),
        ("storage: {root: runs}", "data: {source: internet}", "is not valid under any"),
    ],
)
def test_wrong_keys_and_values_are_refused_as_xtr_refuses_them(
    tmp_path: Path, validator: Draft7Validator, old: str, new: str, expected: str
) -> None:
    from tests.spec.sweeps import problems_of

    assert old in GOOD
    text = GOOD.replace(old, new)
    assert problems_of(write(tmp_path, text))
    problems = said(validator, text)
    assert any(expected in each for each in problems), problems


def test_an_editor_is_told_what_each_key_and_dimension_takes() -> None:
    schema = sweep_schema()
    definitions = schema["$defs"]
    keys = [each for node in definitions.values() for each in node.get("properties", {}).values()]
    assert all("description" in each or "$ref" in each or "anyOf" in each for each in keys)
    space = definitions["SearchSpec"]["properties"]["space"]["properties"]
    assert {name: each["description"] for name, each in space.items()} == {
        name: str(limits) for name, limits in LIMITS.items()
    }


def test_the_demo_section_says_what_differs_in_the_same_words(validator: Draft7Validator) -> None:
    assert (
        said(validator, GOOD + "demo: {search: {space: {target.epochs: 1}}, contrasts: {mine: null}}\n") == []
    )
    assert "'serach' was unexpected" in said(validator, GOOD + "demo: {serach: {}}\n")[0]
