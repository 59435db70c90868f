"""`xtr init` writes a file that is valid, commented, and of the user's choice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.spec.sweeps import write
from xtr.errors import InputError
from xtr.spec.document import read_document
from xtr.spec.load import load_sweep
from xtr.spec.schema import sweep_schema
from xtr.spec.starter import Starter, write_starter


@pytest.mark.parametrize(
    "starter",
    [
        Starter(Path("first.yaml")),
        Starter(Path("first.yaml"), target=("tydiqa@xc",), intermediate=("squad_v1>mlm", "csqa@en,xa")),
        Starter(Path("first.yaml"), model="xlm-roberta-base"),
        Starter(Path("first.yaml"), model="FacebookAI/xlm-roberta-large", target=("xnli",), official="."),
    ],
    ids=["demo", "demo with pairs", "hub", "official"],
)
def test_a_first_file_is_valid_for_xtr_and_for_editors(
    starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_starter(starter)
    spec = load_sweep(starter.file)
    assert (spec.name, spec.model.name) == ("first", starter.model)
    if starter.target:
        assert spec.pairs.target == starter.target
    if starter.intermediate:
        assert spec.pairs.intermediate == starter.intermediate
    text = starter.file.read_text(encoding="utf-8")
    values = json.loads(json.dumps(read_document(text, "first.yaml", {}).values))
    assert [error.message for error in Draft7Validator(sweep_schema()).iter_errors(values)] == []
    assert max(map(len, text.splitlines())) <= 120


def test_the_data_fit_the_encoder() -> None:
    for model, source in (("demo", "demo"), ("xlm-roberta-base", "hub")):
        assert f"data: {{source: {source}}}" in Starter(Path("a.yaml"), model=model).text()
    with pytest.raises(InputError, match="demo world alone"):
        write_starter(Starter(Path("a.yaml"), official="data"))


def test_a_name_is_made_of_the_files_name(tmp_path: Path) -> None:
    write_starter(Starter(tmp_path / "My Sweep, 2nd.yaml"))
    assert load_sweep(tmp_path / "My Sweep, 2nd.yaml").name == "my-sweep-2nd"


def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "mine")
    with pytest.raises(InputError, match="left as it is"):
        write_starter(Starter(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("said", "option", "hint"),
    [
        ({"target": ("xnly",)}, "--target", "'xnli'"),
        ({"intermediate": ("squad",)}, "--intermediate", "squad"),
        ({"model": ""}, "--model", "hub id"),
        ({"model": "xlm-roberta-base", "official": "nowhere"}, "--data", "no such folder"),
    ],
)
def test_a_wrong_choice_is_told_by_its_option_and_nothing_is_written(
    said: dict[str, object], option: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(InputError) as caught:
        write_starter(Starter(path, **said))  # type: ignore[arg-type]
    assert [each.where for each in caught.value.problems] == [option]
    assert hint in str(caught.value)
    assert not path.exists()
