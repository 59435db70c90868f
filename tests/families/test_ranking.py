"""Ranking: in-batch softmax, one pool for all languages, mAP@20 over what is right in any of them."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.rows import Candidate, RankingRow
from xtr.evaluate.predict import embed, predict, run_examples
from xtr.evaluate.stream import Stream
from xtr.families.family import Example, HeadSettings, Pool
from xtr.families.ranking import Ranking
from xtr.model.encoder import Encoder
from xtr.model.heads import TaskModel, VectorHead

RANKING = Ranking()
SQUAD, LAREQA, MEWSLIX = (find_task(name) for name in ("squad_qa_retrieval", "lareqa", "mewslix"))


def entity(name: str, *keys: str) -> Candidate:
    return Candidate(name, f"text of {name}", None, keys or (name,))


def questions(demo: DemoSource, language: str = "xa") -> list[RankingRow]:
    return [row for row in demo.rows(LAREQA, "test", language) if isinstance(row, RankingRow)]


def test_a_query_is_told_from_the_candidates_of_the_other_rows() -> None:
    vectors = nn.functional.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
    queries, candidates = vectors[0::2], vectors[1::2]
    expected = 0.0
    for i in range(3):
        scores = [math.exp(float(10 * queries[i] @ candidates[j])) for j in range(3)]
        expected -= math.log(scores[i] / sum(scores))
    outputs = vectors * math.sqrt(10)
    assert float(RANKING.loss(outputs, [Example(i, ()) for i in range(3)])) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_product_of_two_vectors_is_their_cosine_times_a_scale_that_is_learnt_from_100_on() -> None:
    head = VectorHead(8)
    outputs = head(torch.randn(4, 3, 8), torch.ones(4, 3))
    assert float((outputs[0] @ outputs[0]).detach()) == pytest.approx(100, rel=1e-5)
    torch.autograd.backward(outputs[0] @ outputs[1])
    cosine = torch.nn.functional.cosine_similarity(outputs[0], outputs[1], dim=0)
    assert head.scale.grad is not None
    assert float(head.scale.grad) == pytest.approx(float(cosine.detach()), rel=1e-4)


def test_a_row_is_learnt_as_a_query_with_its_answer(
    demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = questions(demo)
    examples = RANKING.encode_training(rows, LAREQA, tokenizer, 128)
    assert [example.row for example in examples] == list(range(len(rows)))
    for row, example in zip(rows, examples, strict=True):
        (answer,) = [each for each in row.candidates if row.key in each.keys]
        query, candidate = (tokenizer.decode(sequence.input_ids) for sequence in example.sequences)
        assert row.query.replace(" ", "") in query.replace(" ", "")
        assert f"{answer.text}</s></s>{answer.context}".replace(" ", "") in candidate.replace(" ", "")


def test_queries_are_cut_at_the_task_s_length_and_candidates_at_the_stage_s(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rows = [RankingRow("q", "word " * 500, "e", (Candidate("e", "other " * 500, None, ("e",)),))]
    for task, longest in ((LAREQA, (96, 256)), (MEWSLIX, (64, 256))):
        examples = RANKING.encode(rows, task, tokenizer, 256)
        assert tuple(example.length for example in examples) == longest


def test_the_best_twenty_are_ranked_and_scored_by_all_that_are_right() -> None:
    pool = Pool(tuple(entity(f"Q{i}", "a" if i in (3, 29) else f"k{i}") for i in range(30)), torch.eye(30))
    rows = [RankingRow("q1", "?", "a", ()), RankingRow("q2", "?", "absent", ())]
    query = torch.zeros(1, 30)
    query[0, [7, 3, 29, 11]] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    ranked = RANKING.decode_against([query, query], rows, pool)
    assert [len(ids) for ids in ranked] == [20, 20]
    assert ranked[0][:4] == ("Q7", "Q3", "Q29", "Q11")
    scored = RANKING.against(rows, pool.candidates)
    assert [[each.id for each in row.candidates] for row in scored] == [["Q3", "Q29"], []]
    expected = (1 / 2 + 2 / 3) / 2
    assert RANKING.score(scored, ranked, LAREQA, "en") == {"map_at_20": pytest.approx(expected / 2)}
    outcomes = RANKING.outcomes(scored, ranked, LAREQA, "en")
    assert [each["map_at_20"] for each in outcomes] == [pytest.approx(expected), 0.0]
    assert json.loads(RANKING.prediction_file(scored, ranked))["q1"][:2] == ["Q7", "Q3"]
    assert json.loads(RANKING.label_file(scored)) == {"q1": ["Q29", "Q3"], "q2": ["absent"]}


def test_a_pool_of_a_language_s_own_sentences_ranks_as_the_rows_do(
    demo: DemoSource, encoder: Encoder
) -> None:
    rows = questions(demo)
    model = TaskModel(encoder.model, RANKING.head(encoder, LAREQA, HeadSettings()))
    sizes = {"max_length": 64, "batch_size": 4}
    own = predict(model, encoder.tokenizer, LAREQA, rows, **sizes)
    candidates = RANKING.pool_candidates(rows)
    assert len(candidates) == len({each.id for each in candidates}) == 2 * len(rows)
    pool = embed(Stream(model, encoder.tokenizer, 4), LAREQA, candidates, max_length=64)
    queries = RANKING.encode(RANKING.without_candidates(rows), LAREQA, encoder.tokenizer, 64)
    vectors = run_examples(model, RANKING, encoder.tokenizer, queries, batch_size=4)
    against = RANKING.decode_against(vectors, rows, pool)
    assert RANKING.score(RANKING.against(rows, pool.candidates), against, LAREQA, "xa") == pytest.approx(
        RANKING.score(rows, own, LAREQA, "xa")
    )
    assert [len(each) for each in against] == [min(20, len(candidates))] * len(rows)


def test_what_is_right_is_right_in_every_language(demo: DemoSource) -> None:
    pools = {language: questions(demo, language) for language in ("en", "xa", "xd")}
    candidates = RANKING.pool_candidates([row for rows in pools.values() for row in rows])
    for row in RANKING.against(pools["xa"], candidates):
        assert [each.id.split("_")[0] for each in row.candidates] == ["en", "xa", "xd"]
