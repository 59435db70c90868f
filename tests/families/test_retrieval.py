"""Retrieval: exact neighbours, XTREME's layers, and a smaller corpus that still holds every translation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from tests.families.perfect import demo_rows
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.rows import RetrievalRow
from xtr.errors import InputError
from xtr.families.family import HeadSettings
from xtr.families.neighbours import nearest
from xtr.families.retrieval import Retrieval
from xtr.model.encoder import Encoder

TATOEBA = find_task("tatoeba")


def corpus(demo: DemoSource) -> list[RetrievalRow]:
    return [row for row in demo_rows(demo, "tatoeba") if isinstance(row, RetrievalRow)]


@pytest.mark.parametrize(("n_queries", "n_candidates"), [(7, 13), (200, 300)])
def test_the_nearest_is_the_one_that_brute_force_finds(n_queries: int, n_candidates: int) -> None:
    random = torch.Generator().manual_seed(0)
    queries, candidates = (
        nn.functional.normalize(torch.randn(n, 24, generator=random), dim=-1)
        for n in (n_queries, n_candidates)
    )
    distances = (queries.double().unsqueeze(1) - candidates.double().unsqueeze(0)).square().sum(-1)
    assert nearest(queries, candidates) == distances.argmin(-1).tolist()


def test_the_length_of_a_vector_does_not_matter(demo: DemoSource, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = corpus(demo)
    examples = Retrieval().encode(rows, TATOEBA, tokenizer, 32)
    random = torch.Generator().manual_seed(1)
    vectors = [torch.randn(1, 8, generator=random) for _ in examples]
    longer = [(i + 1) * vector for i, vector in enumerate(vectors)]
    expected = Retrieval().decode(vectors, examples, rows, TATOEBA)
    assert Retrieval().decode(longer, examples, rows, TATOEBA) == expected


@given(st.data())
def test_a_capped_corpus_holds_the_translation_of_each_query(demo: DemoSource, data: st.DataObject) -> None:
    rows = corpus(demo)
    kept = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1)))
    capped = Retrieval().cap(rows, kept)
    assert [row.query for row in capped] == [rows[i].query for i in kept]
    assert sorted(row.gold or 0 for row in capped) == list(range(len(kept)))
    for i, row in zip(kept, capped, strict=True):
        assert capped[row.gold or 0].candidate == rows[rows[i].gold or 0].candidate


def test_a_corpus_without_gold_is_capped_at_its_beginning(demo: DemoSource) -> None:
    rows = [replace(row, gold=None) for row in corpus(demo)]
    assert Retrieval().cap(rows, [3, 5, 8]) == rows[:3]


@pytest.mark.parametrize(("n_layers", "pooled"), [(2, 1), (12, 8), (24, 14)])
def test_the_pooled_layer_depends_on_the_depth(
    n_layers: int, pooled: int, tokenizer: PreTrainedTokenizerFast
) -> None:
    config = XLMRobertaConfig(
        vocab_size=9, hidden_size=4, num_hidden_layers=n_layers, num_attention_heads=1, intermediate_size=4
    )
    encoder = Encoder(XLMRobertaModel(config), tokenizer)
    assert Retrieval().head(encoder, TATOEBA, HeadSettings()).layer == pooled
    asked = Retrieval().head(encoder, TATOEBA, HeadSettings(layer=2, pooling="cls"))
    assert (asked.layer, asked.pooling) == (2, "cls")
    with pytest.raises(InputError, match=rf"no such layer[^$]*0 to {n_layers}"):
        Retrieval().head(encoder, TATOEBA, HeadSettings(layer=n_layers + 1))
    assert not list(asked.parameters())


def test_retrieval_is_never_trained() -> None:
    with pytest.raises(NotImplementedError):
        Retrieval().loss(torch.zeros(1, 2), [])
