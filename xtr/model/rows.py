"""This is where an encoder is given a table of the embedding rows that occur, in place of the whole one.

    keep_rows(encoder, pieces)                  before training: say 30,000 of XLM-R's 250,002 rows
    restore_rows(encoder, decay=0.9987)         afterwards: the whole table again

A row that occurs nowhere has no gradient, so AdamW's moments of it stay nought, and weight decay alone moves it:
by the product over all steps of (1 - learning rate x weight decay). So it need not be trained. Ids are mapped
inside the table; whoever calls the encoder gives the tokenizer's own.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

WORTH = 0.1
"""Share of an encoder's weights that must be left out; where it is less, the whole table is trained."""


class OccurringRows(nn.Module):
    """Some rows of an embedding table, found by their ids in the whole one.

    The whole table is kept aside, where neither optimiser nor device nor state know of it.

    Args:
        table: whose rows they are; it is changed when the rows are put back.
        ids: (N,), ascending.
    """

    ids: Tensor
    place: Tensor

    def __init__(self, table: nn.Embedding, ids: Tensor) -> None:
        super().__init__()
        self._aside = [table]  # in a list, so that it does not become a part of this module
        nowhere = len(ids)  # behind the last row, where every device refuses to read
        place = torch.full((table.num_embeddings,), nowhere)
        place[ids] = torch.arange(len(ids))
        self.weight = nn.Parameter(table.weight.detach()[ids])
        self.register_buffer("ids", ids)  # goes along with a state, and says whose rows it holds
        self.register_buffer("place", place, persistent=False)
        self.padding_idx = None if table.padding_idx is None else int(place[table.padding_idx])

    @property
    def table(self) -> nn.Embedding:
        """The whole table, as it was."""
        return self._aside[0]

    def forward(self, input_ids: Tensor) -> Tensor:
        """Look rows up. (N, T) -> (N, T, H).

        Raises:
            IndexError: an id has no row here; on a GPU the device stops the process.
        """
        return functional.embedding(self.place[input_ids], self.weight, self.padding_idx)

    def in_whole_table(self, values: Tensor) -> Tensor:
        """Put a value a row where the row stands in the whole table, noughts elsewhere. (N,) -> (vocabulary,)."""
        return values.new_zeros(len(self.place)).index_copy_(0, self.ids, values)

    @torch.no_grad()
    def put_back(self, decay: float) -> nn.Embedding:
        """Give the whole table: these rows as they are now, the others times `decay` if the table was trained."""
        table = self.table
        if self.weight.requires_grad:
            table.weight.mul_(decay)
        table.weight[self.ids.to(table.weight.device)] = self.weight.to(table.weight.device)
        return table


def keep_rows(encoder: PreTrainedModel, pieces: Collection[int]) -> bool:
    """Replace an encoder's input embeddings by the rows of these pieces, where that pays.

    A table that is frozen, is read elsewhere in the encoder too, or does more than look rows up stays whole.

    Returns:
        Whether it was done.
    """
    table = _plain_table(encoder)
    if table is None:
        return False
    padding = set() if table.padding_idx is None else {table.padding_idx}
    ids = torch.tensor(sorted({piece for piece in pieces if piece < table.num_embeddings} | padding))
    left_out = (table.num_embeddings - len(ids)) * table.embedding_dim
    if left_out < WORTH * sum(parameter.numel() for parameter in encoder.parameters()):
        return False
    encoder.set_input_embeddings(OccurringRows(table, ids))
    return True


def restore_rows(encoder: PreTrainedModel, *, decay: float) -> None:
    """Give an encoder its whole table back, if it has been replaced.

    Args:
        decay: what weight decay has left of a weight that never had a gradient.
    """
    rows = encoder.get_input_embeddings()
    if isinstance(rows, OccurringRows):
        encoder.set_input_embeddings(rows.put_back(decay))


def _plain_table(encoder: PreTrainedModel) -> nn.Embedding | None:
    try:
        table = encoder.get_input_embeddings()
    except NotImplementedError:  # it reads characters or bytes by hashes, not by a table
        return None
    # A subclass may scale what it looks up.
    plain = type(table) is nn.Embedding and table.max_norm is None and not table.scale_grad_by_freq
    if not plain or not table.weight.requires_grad:
        return None
    readers = sum(each is table.weight for _, each in encoder.named_parameters(remove_duplicate=False))
    return table if readers == 1 else None
