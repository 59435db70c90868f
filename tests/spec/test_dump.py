"""What is written is read back as it was, and nothing that a user can write ends in a traceback."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spec.sweeps import GOOD, load_text, write
from xtr.errors import InputError
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_sweep
from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, IntRange, LogFloatRange
from xtr.spec.sweep import ModelSpec, PairsSpec, SearchSpec, SweepSpec

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def spec_with(
    space: dict[str, Dimension] | None = None,
    tags: dict[str, str] | None = None,
    result: dict[str, object] | None = None,
) -> SweepSpec:
    return SweepSpec(
        version=1,
        name="written",
        tags=tags or {},
        model=ModelSpec(name="demo"),
        pairs=PairsSpec(intermediate=("mnli",), target=("xnli",)),
        search=SearchSpec(space=space or {}),
        result=result,
    )


def test_a_resolved_spec_is_read_back_as_it_was(tmp_path: Path) -> None:
    spec = load_text(tmp_path, GOOD, ["search.seed=7"])
    assert load_text(tmp_path, to_yaml(spec)) == spec
    assert to_yaml(load_text(tmp_path, to_yaml(spec))) == to_yaml(spec)


def test_an_exported_config_carries_its_result(tmp_path: Path) -> None:
    space: dict[str, Dimension] = {"target.learning_rate": Fixed(1e-05), "target.epochs": Fixed(2)}
    result: dict[str, object] = {
        "score": 0.5,
        "languages": {"no": 0.25, "de": 1e-7},
        "seeds": [1, 2],
        "trial": None,
    }
    text = to_yaml(spec_with(space, result=result))
    assert load_text(tmp_path, text) == spec_with(space, result=result)


def test_only_what_was_said_is_written(tmp_path: Path) -> None:
    text = to_yaml(load_text(tmp_path, GOOD))
    assert "official_root" not in text
    assert [line.split(":")[0] for line in text.splitlines() if line[0] not in " -"] == [
        "version",
        "name",
        "model",
        "pairs",
        "stages",
        "search",
        "storage",
    ]


reals = st.floats(min_value=1e-9, max_value=1, exclude_max=True)
dimensions = st.one_of(
    st.builds(Fixed, reals),
    st.lists(reals, min_size=1, max_size=4, unique=True).map(lambda values: Choice(tuple(values))),
    reals.map(lambda low: FloatRange(low, 1)),
    reals.map(lambda low: LogFloatRange(low, 1.0)),
)
counts = st.integers(1, 9).map(lambda low: IntRange(low, low + 3))
words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12).filter(
    lambda text: not text.startswith("env:")
)


@SHARED_FOLDER
@given(rate=dimensions, epochs=counts)
def test_every_number_survives(tmp_path: Path, rate: Dimension, epochs: Dimension) -> None:
    spec = spec_with({"target.learning_rate": rate, "target.epochs": epochs})
    assert load_text(tmp_path, to_yaml(spec)) == spec


@SHARED_FOLDER
@given(tags=st.dictionaries(words, words, max_size=3))
def test_every_word_survives(tmp_path: Path, tags: dict[str, str]) -> None:
    spec = spec_with(tags=tags)
    assert load_text(tmp_path, to_yaml(spec)).tags == tags


@pytest.mark.parametrize(
    "word", ["1e-5", "no", "true", "null", "~", "1_000", "2024-01-01", "0x1", "a: b", "# c", ""]
)
def test_words_that_look_like_something_else_stay_words(tmp_path: Path, word: str) -> None:
    assert load_text(tmp_path, to_yaml(spec_with(tags={word: word}))).tags == {word: word}


PIECES = [
    "", " ", "\n", "\t", ":", ": ", "- ", "[", "]", "{", "}", "&a", "*a", "!x", "|", ">", "'", '"', "%", "@",
    "null", "?", "true", "-1", "0", "1e999", ".nan", "1" * 30, "[]", "{}", "[[1]]", "env:NO",
    "extends: sweep.yaml\n", "no", "é", "\u2028", "\x00", "\\", "<<: 1\n", "xnli", "mnli", "? a", "---\n",
    "0.5", '"\\0"',
]  # fmt: skip
WORDS = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "0.5",
    "99",
    "[]",
    "{}",
    "[1]",
    "{int: [1, 2]}",
    "xnli",
    "mnli",
    "no",
]


def mutated(random_source: random.Random) -> str:
    """Change a few words, or any few characters, of a good file."""
    text = GOOD
    by_word = random_source.random() < 0.6
    for _ in range(random_source.randint(1, 4)):
        start = random_source.randrange(len(text) + 1)
        end = min(len(text), start + random_source.choice([0, 0, 1, 3, 10, 40]))
        words_of_text = list(re.finditer(r"[\w.-]+", text))
        if by_word and words_of_text:
            start, end = random_source.choice(words_of_text).span()
        piece = random_source.choice(WORDS if by_word else PIECES)
        text = text[:start] + piece + text[end:]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    random_source = random.Random(seed)
    for _ in range(60):
        read_or_refused(tmp_path, mutated(random_source))


@SHARED_FOLDER
@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    read_or_refused(tmp_path, text.encode("utf-8", "replace").decode())


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("xnli")
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    "version", "name", "tags", "tags.a", "model", "model.name", "pairs", "pairs.intermediate", "pairs.target",
    "pairs.exclude", "stages", "stages.target", "stages.target.tasks", "stages.target.tasks.mnli",
    "stages.target.learning_rate", "stages.evaluate.languages", "stages.evaluate.layer", "search",
    "search.space", "search.space.target.epochs", "search.start_with", "search.early_stopping",
    "search.confirm.seeds", "search.design", "search.design.seeds", "search.trials_per_pair",
    "compute.per_worker", "data.files", "data.folders",
    "data.official_root", "data.source", "storage.root", "tracking", "result",
]  # fmt: skip


@settings(SHARED_FOLDER, max_examples=400)
@given(path=st.sampled_from(PATHS), tree=trees)
def test_any_value_anywhere_is_read_or_refused(tmp_path: Path, path: str, tree: object) -> None:
    read_or_refused(tmp_path, GOOD, [f"{path}={json.dumps(tree)}"])


@SHARED_FOLDER
@given(override=st.text(max_size=30))
def test_any_override_is_used_or_refused(tmp_path: Path, override: str) -> None:
    read_or_refused(tmp_path, GOOD, [override])


def read_or_refused(folder: Path, text: str, overrides: list[str] | None = None) -> None:
    try:
        spec = load_sweep(write(folder, text), overrides or [], {})
    except InputError as error:
        assert error.problems
        assert str(error).encode()
        assert all(problem.what and problem.where for problem in error.problems)
    else:
        assert load_text(folder, to_yaml(spec)) == spec
