"""This is where it is decided which rows of the embedding table a training stage needs.

They are those of the pieces in its training and select examples, and of the tokenizer's special ones. They follow
from the recipe alone, so every leg, rank and resumption of a stage has the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xtr.catalogue.lookup import find_task
from xtr.stages.segments import shares_beginning
from xtr.stages.stage import TrainStage

if TYPE_CHECKING:
    from xtr.families.family import Example


def trains_whole_table(stage: TrainStage) -> bool:
    """Say whether a stage needs every row.

    A masked language model scores every piece. Runs that share a beginning differ in the rows that occur, and
    would have to begin with the same.
    """
    return shares_beginning(stage) or any(find_task(part.task).family == "mlm" for part in stage.parts)


def occurring_pieces(examples: Iterable[Example], special: Iterable[int]) -> set[int]:
    """List the pieces that a stage with these examples can meet.

    Args:
        special: the tokenizer's pieces for padding, beginnings and ends, of which families draw.
    """
    pieces = set(special)
    for example in examples:
        for sequence in example.sequences:
            pieces.update(sequence.input_ids)
    return pieces
