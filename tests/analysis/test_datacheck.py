"""What a look at the data finds: counts, labels, lengths, duplicates, and rows that are trained on and scored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.stages.sample import a_sweep
from xtr.analysis.datacheck import check_data_of, check_text
from xtr.data.open import open_source
from xtr.data.rows import Row
from xtr.errors import InputError
from xtr.spec.sweep import DataSpec, EvaluateSettings


@pytest.fixture
def root(world_folder: Path, tmp_path: Path) -> Path:
    """The demo world's English files, as if a user had put them there."""
    folder = tmp_path / "official"
    shutil.copytree(world_folder, folder)
    for side in ("dan", "eng"):
        source = folder / "tatoeba" / f"tatoeba.xe-eng.{'xe' if side == 'dan' else 'eng'}"
        shutil.copy(source, folder / "tatoeba" / f"tatoeba.dan-eng.{side}")
    scored = (folder / "xnli" / "dev-en.tsv").read_text(encoding="utf-8")
    (folder / "xnli" / "test-en.tsv").write_text(f"{scored}one\tmore\tneutral\n", encoding="utf-8")
    return folder


def look(root: Path, skip_bad: int = 0) -> dict[str, Any]:
    data = DataSpec(source="official", official_root=str(root), skip_bad=skip_bad)
    spec = a_sweep(root / "runs", data=data, evaluate=EvaluateSettings(languages="available"))

    def count(rows: Sequence[Row]) -> list[int]:
        return [33] * (len(rows) // 2) + [5] * (len(rows) - len(rows) // 2)

    return check_data_of(spec, open_source(data, root / "runs"), count)


def split(document: dict[str, Any], task: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in document["splits"] if (each["task"], each["split"]) == (task, name))
    return dict(found)


def test_it_counts_against_the_catalogue_and_tells_lengths(root: Path) -> None:
    document = look(root)
    train = split(document, "mnli", "train")
    assert train["expected"] == 392_702
    assert sum(train["labels"].values()) == pytest.approx(1, abs=0.01)
    assert train["max_length"] == 32
    assert train["tokens"]["longest"] == 33
    assert train["tokens"]["over_fraction"] == pytest.approx(0.5, abs=0.02)
    assert json.loads(json.dumps(document))["schema_version"] == 1
    assert "the full set 392702" in check_text(document)


def test_rows_that_are_selected_on_and_scored_are_told(root: Path) -> None:
    overlaps = [(each["seen"]["task"], each["scored"]["task"], each["by"]) for each in look(root)["overlaps"]]
    assert ("mnli", "xnli", "text") in overlaps


def test_missing_languages_are_told(root: Path) -> None:
    (xnli,) = (each for each in look(root)["missing"] if each["task"] == "xnli")
    assert "sw" in xnli["languages"]
    assert "en" not in xnli["languages"]


def test_malformed_rows_are_refused_or_left_out_and_told(root: Path) -> None:
    with (root / "xnli" / "train-en.tsv").open("a", encoding="utf-8") as file:
        file.write("no label here\tat all\tmaybe\n")
    with pytest.raises(InputError, match="maybe"):
        look(root)
    document = look(root, skip_bad=1)
    assert [(each["task"], each["split"], each["rows"]) for each in document["left_out"]] == [
        ("mnli", "train", 1)
    ]
    assert "left out: 1 malformed rows" in check_text(document)
    assert split(document, "mnli", "train")["identity"].endswith("well-formed")
