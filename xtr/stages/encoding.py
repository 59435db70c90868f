"""This is where rows are turned into examples once: workers read what `xtr data prepare` has encoded.

    data/encoded/<key>/examples.safetensors     the examples of a whole split, manifest last
    data/encoded/<key>/lengths.json             tokens and examples of each row

The key covers the data's identity, the encoder that a path begins with (its tokenizer goes along with every
stage), the longest input and the family's way of encoding. What has not been prepared is encoded where it is
needed, and of a bucket kept there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
import transformers

from xtr.catalogue.task import Task
from xtr.data.rows import Row
from xtr.families.encoded import EncodedSplit, write_examples
from xtr.families.family import Example
from xtr.families.registry import family_of
from xtr.fingerprint import JSON, digest
from xtr.stages.lengths import LENGTHS, encoded_folder
from xtr.stages.stage import Pretrained, PretrainStage, Start, TrainStage
from xtr.stages.store import StageStore
from xtr.storage import exclusive, open_sealed, partial_folder, seal_folder


@dataclass(frozen=True, slots=True)
class Encoding:
    """A split as one tokenizer reads it at one length.

    Attributes:
        data: the split's identity, from its source.
        start: key of the encoder that the path begins with.
    """

    task: Task
    data: str
    start: str
    max_length: int

    @property
    def key(self) -> str:
        """The name under which it is kept."""
        return digest(
            {
                "task": self.task.name,
                "labels": list(self.task.labels),
                "family": [self.task.family, family_of(self.task).encode_version],
                "data": self.data,
                "start": self.start,
                "max_length": self.max_length,
                "libraries": [transformers.__version__, tokenizers.__version__],
            }
        )[:32]

    def folder(self, root: Path) -> Path:
        """Where it lies below a storage root."""
        return encoded_folder(root) / self.key


def start_of(parent: Pretrained | PretrainStage | TrainStage) -> Start:
    """Find the encoder that a chain of stages begins with."""
    while isinstance(parent, TrainStage):
        parent = parent.parent
    return parent


def keep_encoded(
    root: Path, encoding: Encoding, rows: Sequence[Row], tokenizer: transformers.PreTrainedTokenizerFast
) -> bool:
    """Encode a whole split, unless it has been; return whether this call did.

    Families whose examples depend on other rows than their own are left to be encoded where they are needed.
    """
    family, folder = family_of(encoding.task), encoding.folder(root)
    if not family.encodes_rows_apart or open_sealed(folder) is not None:
        return False
    examples = family.encode(rows, encoding.task, tokenizer, encoding.max_length)
    with partial_folder(folder) as partial:
        write_examples(examples, len(rows), partial)
        write_lengths(examples, len(rows), partial)
        about: dict[str, JSON] = {
            "task": encoding.task.name,
            "data": encoding.data,
            "start": encoding.start,
        }
        about |= {"max_length": encoding.max_length, "rows": len(rows), "examples": len(examples)}
        seal_folder(partial, folder, about)
    return True


def keep_on_machine(
    store: StageStore,
    encoding: Encoding,
    rows: Sequence[Row],
    n_asked: int,
    tokenizer: transformers.PreTrainedTokenizerFast,
) -> None:
    """Encode a split of which most is asked once for all processes of this machine, where the store is a bucket.

    `xtr data prepare` has not been on a machine that came with the work.
    """
    if store.place.bucket is not None and 2 * n_asked >= len(rows):
        with exclusive(store.root / "encoding" / encoding.key):
            keep_encoded(store.root, encoding, rows, tokenizer)


def write_lengths(examples: Sequence[Example], n_rows: int, folder: Path) -> None:
    """Note the tokens and the examples of each row, for plans."""
    tokens, counts = [0] * n_rows, [0] * n_rows
    for example in examples:
        tokens[example.row] += example.n_tokens
        counts[example.row] += 1
    (folder / LENGTHS).write_text(json.dumps({"tokens": tokens, "examples": counts}))


def open_encoded(root: Path, encoding: Encoding) -> EncodedSplit | None:
    """Open a split that has been encoded; None where nobody has."""
    folder = encoding.folder(root)
    if not family_of(encoding.task).encodes_rows_apart or open_sealed(folder) is None:
        return None
    return EncodedSplit(folder)


def examples_of(
    root: Path,
    encoding: Encoding,
    rows: Sequence[Row],
    chosen: Sequence[int],
    tokenizer: transformers.PreTrainedTokenizerFast,
    *,
    to_train: bool = False,
) -> list[Example]:
    """Give the examples of rows, which are the `chosen` ones of their split, kept or encoded here."""
    split = open_encoded(root, encoding)
    if split is not None:
        return split.of_rows(chosen)
    family = family_of(encoding.task)
    encode = family.encode_training if to_train else family.encode
    return encode(rows, encoding.task, tokenizer, encoding.max_length)
