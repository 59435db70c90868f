"""Mining: what a slow computation by the definition finds, the traps of the official code, thresholds from dev."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.official import OfficialSource
from xtr.data.rows import MiningRow
from xtr.families.family import Example
from xtr.families.mining import Mining, mine

BUCC = find_task("bucc2018")
MINING = Mining()

Matrix = NDArray[np.float64]


def unit(n: int, width: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return nn.functional.normalize(torch.randn(n, width, generator=random), dim=-1)


def exact_units(n: int, width: int, seed: int) -> torch.Tensor:
    """Vectors of length 1 whose dot products have no rounding: four halves, plus or minus, so ties abound."""
    random = np.random.default_rng(seed)
    vectors = np.zeros((n, width), dtype=np.float32)
    for vector in vectors:
        vector[random.choice(width, 4, replace=False)] = random.choice((-0.5, 0.5), 4)
    return torch.from_numpy(vectors)


def margins(x: Matrix, y: Matrix, k: int) -> Matrix:
    """The score of every pair, by the definition."""
    cosines = x @ y.T
    near_x = np.sort(cosines, axis=1)[:, ::-1][:, :k].mean(axis=1)
    near_y = np.sort(cosines, axis=0)[::-1][:k].mean(axis=0)
    scores: Matrix = cosines / ((near_x[:, None] + near_y[None, :]) / 2)
    return scores


def brute_force(x: Matrix, y: Matrix, k: int = 4) -> list[tuple[float, int, int]]:
    """Mine one to one with loops: each side's best among its k nearest, merged, best first."""
    cosines, scores = x @ y.T, margins(x, y, k)
    proposals = []
    for i in range(len(x)):
        near = np.argsort(-cosines[i], kind="stable")[:k]
        j = max(near, key=lambda each, i=i: scores[i, each])  # type: ignore[misc]
        proposals.append((scores[i, j], i, int(j)))
    for j in range(len(y)):
        near = np.argsort(-cosines[:, j], kind="stable")[:k]
        i = max(near, key=lambda each, j=j: scores[each, j])  # type: ignore[misc]
        proposals.append((scores[i, j], int(i), j))
    free_x, free_y = set(range(len(x))), set(range(len(y)))
    pairs = []
    for score, i, j in sorted(proposals, key=lambda proposal: -proposal[0]):
        if score > 0 and i in free_x and j in free_y:
            free_x.remove(i)
            free_y.remove(j)
            pairs.append((float(score), i, j))
    return pairs


@pytest.mark.parametrize(("n", "m", "width"), [(40, 60, 8), (300, 200, 24), (3, 5, 4), (1, 1, 4)])
def test_mining_finds_what_the_definition_finds(n: int, m: int, width: int) -> None:
    x, y = unit(n, width, 0), unit(m, width, 1)
    found, expected = mine(x, y), brute_force(x.double().numpy(), y.double().numpy())
    assert [pair[1:] for pair in found] == [pair[1:] for pair in expected]
    assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in expected], rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_where_scores_are_equal_each_pair_has_its_own_score_and_nobody_is_given_twice(seed: int) -> None:
    x, y = exact_units(60, 8, seed), exact_units(90, 8, seed + 100)
    x[7], y[11] = x[3], y[5]  # the same sentence in other words
    scores = margins(x.double().numpy(), y.double().numpy(), 4)
    found = mine(x, y)
    assert len({i for _, i, _ in found}) == len({j for *_, j in found}) == len(found) > 20
    assert [score for score, *_ in found] == pytest.approx([scores[i, j] for _, i, j in found], rel=1e-5)
    assert [score for score, *_ in found] == sorted((score for score, *_ in found), reverse=True)
    assert mine(x, y) == found


def corpus(foreign: list[str], english: list[str], gold: dict[int, int]) -> list[MiningRow]:
    return [
        *(
            MiningRow(f"xx-{i}", text, True, (f"en-{gold[i]}",) if i in gold else ())
            for i, text in enumerate(foreign)
        ),
        *(MiningRow(f"en-{i}", text, False, ()) for i, text in enumerate(english)),
    ]


def decode(rows: list[MiningRow], vectors: torch.Tensor) -> list[tuple[str, float] | None]:
    examples = [Example(i, ()) for i in range(len(rows))]
    return MINING.decode(list(vectors.unsqueeze(1)), examples, rows, BUCC)


def test_sentences_that_occur_twice_are_given_to_nobody() -> None:
    rows = corpus(["a", "b", "b ", "c"], ["A", "B", "C", "C"], {0: 0, 1: 1})
    width = torch.eye(4)
    mined = decode(rows, torch.cat([width[[0, 1, 1, 2]], width[[0, 1, 2, 2]]]))
    assert [pair and pair[0] for pair in mined] == ["en-0", None, None, None, *[None] * 4]


def test_the_threshold_of_one_split_cuts_another_and_is_met_by_equal_scores() -> None:
    rows = corpus(["a", "b", "c"], ["A", "B", "C"], {0: 0, 1: 1})
    dev = [("en-0", 1.3), ("en-1", 1.2), ("en-2", 1.0), None, None, None]
    threshold = MINING.fit_threshold(rows, dev)
    assert threshold == pytest.approx(1.1)
    test = [("en-0", threshold), ("en-1", threshold - 1e-6), ("en-2", 2.0), None, None, None]
    kept = MINING.keep(test, threshold)
    assert [pair and pair[0] for pair in kept[:3]] == ["en-0", None, "en-2"]
    assert MINING.score(rows, kept, BUCC, "xx") == {"f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert MINING.prediction_file(rows, kept) == "xx-0\ten-0\nxx-2\ten-2\n"


def test_a_capped_corpus_has_whole_gold_pairs_and_distractors(demo: DemoSource) -> None:
    rows = [row for row in demo.rows(BUCC, "select", "xa") if isinstance(row, MiningRow)]
    capped = MINING.cap(rows, [1, 4, 5, 8, 9, 12])
    assert len(capped) == 6
    ids = {row.id for row in capped}
    pairs = [(row.id, each) for row in capped for each in row.translations or ()]
    assert pairs
    assert all(each in ids for pair in pairs for each in pair)
    assert len(ids - {each for pair in pairs for each in pair}) > 0
    assert [row.id for row in rows if row.id in ids] == [row.id for row in capped]


def test_mining_is_never_trained() -> None:
    with pytest.raises(NotImplementedError):
        MINING.loss(torch.zeros(1, 2), [])


@needs_shared_data("xtreme/bucc2018")
def test_bucc_chinese_dev_is_mined_as_the_definition_says() -> None:
    """At the real size, with vectors that know the gold but for much noise."""
    source = OfficialSource(SHARED_DATA / "xtreme")
    rows = [row for row in source.rows(BUCC, "dev", "zh") if isinstance(row, MiningRow)]
    assert Counter(row.foreign for row in rows) == {True: 8624, False: 13589}
    vectors, place = unit(len(rows), 64, 0), {row.id: i for i, row in enumerate(rows)}
    for row in rows:
        for english in row.translations or ():
            vectors[place[english]] += 0.8 * vectors[place[row.id]]
    mined = decode(rows, vectors)
    kept = MINING.keep(mined, MINING.fit_threshold(rows, mined))
    assert 0.5 < MINING.score(rows, kept, BUCC, "zh")["f1"] < 1
    times = Counter((row.foreign, row.text.strip()) for row in rows)
    once = {row.id for row in rows if times[row.foreign, row.text.strip()] == 1}
    assert len(once) < len(rows)
    assert {each for row, pair in zip(rows, mined, strict=True) if pair for each in (row.id, pair[0])} <= once

    last = {(row.foreign, row.text): i for i, row in enumerate(rows)}
    unique = nn.functional.normalize(vectors, dim=-1).double().numpy()
    x, y = (unique[[i for (foreign, _), i in last.items() if foreign == side]] for side in (True, False))
    for row, pair in [(row, pair) for row, pair in zip(rows, mined, strict=True) if pair][:50]:
        one, other = unique[place[row.id]], unique[place[pair[0]]]
        near = [np.sort(side @ vector)[-4:].mean() for side, vector in ((y, one), (x, other))]
        assert pair[1] == pytest.approx(float(one @ other) / (sum(near) / 2), rel=1e-4)
