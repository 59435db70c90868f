"""YAML's traps do not bite, and what cannot be read is said with line and column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, load_text, only_problem, problems_of, write
from xtr.spec.document import read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("5E6", 5e6),
        (".5", 0.5),
        ("-2", -2),
        ("10_000", 10000),
        ("0x10", "0x10"),
        ("1_0", "1_0"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('"1"', "1"),
        (".nan", ".nan"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    document = read_document(f"key: {text}", "a.yaml", {})
    assert document.values == {"key": value}
    assert not document.findings
    assert isinstance(document.values, dict)
    assert type(document.values["key"]) is type(value)


def test_escapes_of_json_are_characters_even_in_halves() -> None:
    document = read_document('{"\\ud83d\\ude00": "\\ud83d\\ude00"}', "a.yaml", {})
    assert document.values == {"\U0001f600": "\U0001f600"}


@pytest.mark.parametrize("key", ['"\\ud83d"', '"a\\0"'])
def test_a_key_that_cannot_be_printed_is_refused(tmp_path: Path, key: str) -> None:
    assert "control character" in only_problem(write(tmp_path, GOOD + f"tags: {{{key}: x}}\n")).what


def test_keys_are_always_text() -> None:
    assert read_document("{no: 1, 1: 2, null: 3}", "a.yaml", {}).values == {"no": 1, "1": 2, "null": 3}


def test_every_value_knows_its_line() -> None:
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "a.yaml", {})
    assert document.places[("a", "b")] == "a.yaml:2"
    assert document.places[("a", "c", 0)] == "a.yaml:4"
    assert document.where(("a", "c", 1, "d")) == "a.yaml:5 a.c[1].d"
    assert document.where(("a", "absent")) == "a.yaml:1 a.absent"


def test_norwegian_is_a_language(tmp_path: Path) -> None:
    problem = only_problem(write(tmp_path, GOOD.replace("[en, de]", "[en, no]")))
    assert problem.received == "no"
    assert problem.what == "unknown language"


def test_a_learning_rate_without_a_dot_is_a_number(tmp_path: Path) -> None:
    assert load_text(tmp_path, GOOD).stages.target.learning_rate == 1e-5


def test_a_duplicate_key_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "name: again\n")
    problem = only_problem(path)
    assert problem.where == f"{path}:{GOOD.count(chr(10)) + 1} name"
    assert problem.what == f"duplicate key 'name', first at {path}:2"


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("version: 1\nname: [a\nmodel: b\n", 3, 6, "expected ',' or ']'"),
        ("version: 1\n\tname: a\n", 2, 1, "character '\\t'"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed here"),
        ("a: &x 1\nb: *x\n", 1, 4, "anchors and aliases are not supported"),
        ("a: !!python/object:os.system x\n", 1, 4, "tags are not supported"),
        ("a: " + "[" * 200 + "]" * 200, 1, 23, "nested more than 20 deep"),
        ("a: 1\n---\nb: 2\n", 2, 1, "but found another document"),
    ],
)
def test_a_syntax_error_has_line_and_column(
    tmp_path: Path, text: str, line: int, column: int, said: str
) -> None:
    path = write(tmp_path, text)
    problem = only_problem(path)
    assert problem.where == f"{path}:{line}:{column}"
    assert said in problem.what


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n- b\n", "a sweep file is a mapping"),
        (b"just words", "a sweep file is a mapping"),
        (b"name: \xff\xfe", "the file is not UTF-8 text"),
        (b"name: a\x00b", "not valid YAML"),
        (b'name: "\\UFFFFFFFF"', "not valid YAML"),
        (b"%YAML 1" + b"1" * 5000 + b".1\n---\na: 1\n", "not valid YAML"),
    ],
)
def test_what_is_no_sweep_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(content)
    assert said in only_problem(path).what


@pytest.mark.parametrize("name", ['"a\\0b"', '"\\ud800"', "1" * 5000])
def test_values_that_no_field_can_have_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD.replace("name: small", f"name: {name}"))
    assert only_problem(path).where == f"{path}:2 name"


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    assert load_text(tmp_path, "\ufeff" + GOOD).name == "small"


def test_a_missing_file_names_those_nearby(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "size-curve.yaml")
    problem = only_problem(tmp_path / "size-curv.yaml")
    assert problem.what == "no such file"
    assert problem.hint == f"did you mean {str(tmp_path / 'size-curve.yaml')!r}?"
    assert problem.allowed == ""


def test_a_missing_file_without_a_like_counts_those_that_are_not_named(tmp_path: Path) -> None:
    for number in range(15):
        write(tmp_path, GOOD, f"curve-{number:02}.yaml")
    allowed = only_problem(tmp_path / "x").allowed
    assert allowed.startswith(str(tmp_path / "curve-00.yaml"))
    assert re.search(r"and \d+ more$", allowed)


@pytest.mark.parametrize("name", ["", "x" * 5000, "nul\0", "absent/sweep.yaml"])
def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    assert problems_of(tmp_path / name)
