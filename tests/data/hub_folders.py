"""Data sets in the hub's layout, written small: a card that names configurations, and parquet files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

Row = Callable[[str, str, int], dict[str, object]]
NLI = ("entailment", "neutral", "contradiction")


def write_xnli(folder: Path, languages: tuple[str, ...] = ("de", "en"), n_rows: int = 6) -> Path:
    """`facebook/xnli`: a configuration a language, labels as class numbers."""
    from datasets import ClassLabel, Features, Value

    features = Features(
        {"premise": Value("string"), "hypothesis": Value("string"), "label": ClassLabel(names=list(NLI))}
    )
    splits = {"train": n_rows, "validation": n_rows, "test": n_rows}
    return _write(folder, dict.fromkeys(languages, splits), features, _nli)


def write_mnli(folder: Path, n_rows: int = 6) -> Path:
    """`nyu-mll/glue`'s mnli; the last training row has no consensus."""
    from datasets import ClassLabel, Features, Value

    features = Features(
        {
            "premise": Value("string"),
            "hypothesis": Value("string"),
            "label": ClassLabel(names=list(NLI)),
            "idx": Value("int32"),
        }
    )

    def row(config: str, split: str, i: int) -> dict[str, object]:
        label = -1 if split == "train" and i == n_rows - 1 else i % 3
        return {**_nli(config, split, i), "label": label, "idx": i}

    return _write(folder, {"mnli": {"train": n_rows, "validation_matched": n_rows}}, features, row)


def write_tydiqa(folder: Path) -> Path:
    """`google-research-datasets/tydiqa`'s secondary task: all languages in one, told apart by the id."""
    from datasets import Features, Sequence, Value

    answers = Sequence({"text": Value("string"), "answer_start": Value("int32")})
    features = Features(
        {
            "id": Value("string"),
            "title": Value("string"),
            "context": Value("string"),
            "question": Value("string"),
            "answers": answers,
        }
    )

    def row(_config: str, split: str, i: int) -> dict[str, object]:
        language = "english" if i % 2 else "swahili"
        return {
            "id": f"{language}-{split}-{i}",
            "title": "t",
            "context": f"{language.title()} number {i}.",
            "question": f"Which one is {i}?",
            "answers": {"text": [f"number {i}"], "answer_start": [len(language) + 1]},
        }

    return _write(folder, {"secondary_task": {"train": 20, "validation": 8}}, features, row)


def _nli(config: str, split: str, i: int) -> dict[str, object]:
    return {"premise": f"{config} {split} {i}.", "hypothesis": f"So {i}.", "label": i % 3}


def _write(folder: Path, configs: Mapping[str, Mapping[str, int]], features: object, row: Row) -> Path:
    from datasets import Dataset

    card = ["---", "configs:"]
    for config, splits in configs.items():
        card += [f"- config_name: {config}", "  data_files:"]
        for split, n_rows in splits.items():
            rows = Dataset.from_list([row(config, split, i) for i in range(n_rows)], features=features)
            path = folder / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(str(path))
            card += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder
