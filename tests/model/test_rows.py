"""The rows that occur stand for the whole embedding table, and the whole table comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.rows import OccurringRows, keep_rows, restore_rows

PIECES = frozenset({0, 1, 2, 7, 30, 31})
IDS = torch.tensor([[0, 7, 31, 2], [0, 30, 2, 1]])  # the last one padded
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.fixture
def kept(encoder: Encoder) -> Encoder:
    assert keep_rows(encoder.model, PIECES)
    return encoder


def table_of(encoder: Encoder) -> Tensor:
    weight = encoder.model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def hidden(encoder: Encoder, ids: Tensor = IDS) -> Tensor:
    encoder.model.eval()
    states: Tensor = encoder.model(input_ids=ids, attention_mask=MASK).last_hidden_state
    return states


def test_an_encoder_reads_the_same_from_the_rows_that_occur(encoder_folder: Path, kept: Encoder) -> None:
    assert torch.equal(hidden(kept), hidden(load_encoder(str(encoder_folder))))
    assert len(table_of(kept)) == len(PIECES)


def test_another_architecture_does_too(bert_folder: Path) -> None:
    whole, kept = load_encoder(str(bert_folder)), load_encoder(str(bert_folder))
    ids = torch.tensor([[101, 2023, 2003, 102], [101, 7592, 102, 0]])
    assert keep_rows(kept.model, set(ids.flatten().tolist()))
    assert torch.equal(hidden(kept, ids), hidden(whole, ids))


@pytest.mark.parametrize("piece", [3, 29, 32, 10**6, -1])
def test_a_piece_without_a_row_is_refused(kept: Encoder, piece: int) -> None:
    last = kept.model.config.vocab_size - 1
    assert last not in PIECES
    with pytest.raises(IndexError):
        kept.model(input_ids=torch.tensor([[0, last if piece == -1 else piece, 2]]))


def test_padding_has_no_gradient(encoder_folder: Path, kept: Encoder) -> None:
    whole = load_encoder(str(encoder_folder))
    gradients = []
    for encoder in (whole, kept):
        torch.autograd.backward(hidden(encoder).sum())
        gradient = encoder.model.get_input_embeddings().weight.grad
        assert isinstance(gradient, Tensor)
        gradients.append(gradient)
    assert torch.equal(gradients[0][sorted(PIECES)], gradients[1])
    assert not gradients[1][1].any(), "piece 1 pads"


def test_trained_rows_are_put_back_and_the_others_decay(
    encoder_folder: Path, kept: Encoder, tmp_path: Path
) -> None:
    before = table_of(load_encoder(str(encoder_folder)))
    kept.model.get_input_embeddings().weight.data += 1
    restore_rows(kept.model, decay=0.5)
    save_encoder(kept, tmp_path)
    after = table_of(load_encoder(str(tmp_path)))
    rows = sorted(PIECES)
    others = [row for row in range(len(before)) if row not in PIECES]
    assert torch.equal(after[rows], before[rows] + 1)
    assert torch.equal(after[others], before[others] * 0.5)


def test_rows_that_were_frozen_later_do_not_decay(encoder_folder: Path, kept: Encoder) -> None:
    kept.model.requires_grad_(False)
    restore_rows(kept.model, decay=0.5)
    assert torch.equal(table_of(kept), table_of(load_encoder(str(encoder_folder))))


def test_what_was_never_taken_away_need_not_be_restored(encoder: Encoder) -> None:
    before = table_of(encoder).clone()
    restore_rows(encoder.model, decay=0.5)
    assert torch.equal(table_of(encoder), before)


def test_a_table_of_which_most_rows_occur_stays_whole(encoder: Encoder) -> None:
    vocabulary = encoder.model.config.vocab_size
    assert not keep_rows(encoder.model, range(vocabulary * 9 // 10))
    assert len(table_of(encoder)) == vocabulary


def test_a_small_part_of_an_encoder_stays_whole(encoder: Encoder) -> None:
    encoder.model.body = nn.Linear(2000, 1000)
    assert not keep_rows(encoder.model, PIECES)


def test_a_frozen_table_stays_whole(encoder: Encoder) -> None:
    encoder.model.get_input_embeddings().weight.requires_grad_(False)
    assert not keep_rows(encoder.model, PIECES)


def test_a_table_that_is_read_elsewhere_stays_whole(encoder: Encoder) -> None:
    table = encoder.model.get_input_embeddings()
    encoder.model.output = nn.Linear(table.embedding_dim, table.num_embeddings)
    encoder.model.output.weight = table.weight
    assert not keep_rows(encoder.model, PIECES)


def test_a_table_that_does_more_than_look_up_stays_whole(encoder: Encoder) -> None:
    class Scaled(nn.Embedding):
        """As in some architectures."""

    table = encoder.model.get_input_embeddings()
    encoder.model.set_input_embeddings(Scaled(table.num_embeddings, table.embedding_dim))
    assert not keep_rows(encoder.model, PIECES)


def test_values_of_rows_are_put_where_the_rows_stand(kept: Encoder) -> None:
    rows = kept.model.get_input_embeddings()
    assert isinstance(rows, OccurringRows)
    spread = rows.in_whole_table(torch.arange(1.0, len(PIECES) + 1))
    assert spread.shape == (kept.model.config.vocab_size,)
    assert spread[sorted(PIECES)].tolist() == [1, 2, 3, 4, 5, 6]
    assert spread.count_nonzero() == len(PIECES)
