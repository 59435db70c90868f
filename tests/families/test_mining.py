"""Mining: what a slow computation by the definition finds, the traps of the official code, thresholds from dev."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.official import OfficialSource
from xtr.data.rows import MiningRow
from xtr.families import bothways
from xtr.families.bothways import closest_both_ways
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


def nearest_by_definition(x: torch.Tensor, y: torch.Tensor, k: int) -> tuple[Matrix, NDArray[np.int64]]:
    """All products, sorted: the largest first, of equal ones that of the lower index."""
    products = (x.double() @ y.double().T).float().numpy()
    best = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(products, best, axis=1), best


def assert_exact(x: torch.Tensor, y: torch.Tensor, k: int, dtype: torch.dtype | None = None) -> None:
    sides = closest_both_ways(x, y, k, dtype=dtype)
    for found, (own, others) in zip(sides, [(x, y), (y, x)], strict=True):
        products, indices = nearest_by_definition(own, others, k)
        assert found[0].numpy().tolist() == products.tolist()
        assert found[1].numpy().tolist() == indices.tolist()


TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@TYPES
@pytest.mark.parametrize("tile", [32, 96, 2048])
@pytest.mark.parametrize(
    ("n", "m", "k"), [(300, 200, 4), (96, 97, 4), (97, 96, 1), (1, 130, 4), (33, 3, 4), (70, 90, 80)]
)
def test_neighbours_of_both_sides_are_those_of_all_products(
    monkeypatch: pytest.MonkeyPatch, n: int, m: int, k: int, tile: int, dtype: torch.dtype
) -> None:
    monkeypatch.setitem(bothways.TILE, "cpu", tile)
    assert_exact(unit(n, 24, 0), unit(m, 24, 1), k, dtype)
    assert_exact(exact_units(n, 8, 2), exact_units(m, 8, 3), k, dtype)  # equal products abound


@TYPES
@pytest.mark.parametrize("n_near", [30, 250])
def test_vectors_that_bfloat16_cannot_tell_apart_are_ranked_exactly(
    monkeypatch: pytest.MonkeyPatch, n_near: int, dtype: torch.dtype
) -> None:
    """Nearest to every query are vectors that differ in the seventh digit, with few rivals or too many of them."""
    monkeypatch.setitem(bothways.TILE, "cpu", 64)
    x, y = unit(5, 32, 0), unit(400, 32, 1)
    queries = nn.functional.normalize(x.repeat(40, 1) + 1e-3 * unit(200, 32, 2), dim=-1)
    near = x[torch.arange(n_near) % 5]
    y[torch.randperm(400, generator=torch.Generator().manual_seed(3))[:n_near]] = nn.functional.normalize(
        near + 1e-6 * unit(n_near, 32, 4), dim=-1
    )
    assert len({tuple(each) for each in near.bfloat16().tolist()}) == 5
    assert_exact(queries, y, 4, dtype)


@TYPES
@pytest.mark.parametrize("spread", [1.0, 0.1, 0.003])
def test_vectors_that_point_much_the_same_way_are_ranked_exactly(spread: float, dtype: torch.dtype) -> None:
    """As an encoder's do; the last of each side points elsewhere."""
    way = unit(1, 48, 0)
    x, y = (nn.functional.normalize(way + spread * unit(n, 48, n), dim=-1) for n in (400, 500))
    x[-1], y[-1] = unit(2, 48, 9)
    assert_exact(x, y, 4, dtype)


@TYPES
def test_products_that_are_stored_with_the_largest_error_a_type_can_make_are_ranked_exactly(
    dtype: torch.dtype,
) -> None:
    """Factors have no error here: the lesser product is rounded up by 2**-8 of itself, the greater one down."""
    lesser, greater, apart = 1.1015625, 1.09375, 0.005035400390625
    y = torch.zeros(128, 2)
    y[0], y[32] = torch.tensor([lesser, -apart]), torch.tensor([greater, apart])
    y[64], y[96] = -y[0], -y[32]
    x = torch.zeros(64, 2)
    x[:, 1] = 1.0
    x[0, 0], x[1, 0] = 1.0390625, -1.0390625
    assert_exact(x, y, 1, dtype)


@TYPES
def test_of_the_same_vectors_the_first_are_nearest(dtype: torch.dtype) -> None:
    same = torch.zeros(200, 16)
    same[:, :4] = 0.5
    for products, indices in closest_both_ways(same, same[:150], 4, dtype=dtype):
        assert products.tolist() == [[1.0] * 4] * len(products)
        assert indices.tolist() == [[0, 1, 2, 3]] * len(indices)


def test_what_is_no_number_is_nobodys_neighbour() -> None:
    x, y = unit(40, 16, 0), unit(50, 16, 1)
    expected, broken = closest_both_ways(x, y[1:], 4)[0], y.clone()
    broken[0] = torch.nan
    products, indices = closest_both_ways(x, broken, 4)[0]
    assert torch.equal(products, expected[0])
    assert torch.equal(indices, expected[1] + 1)


def test_what_pytorch_was_told_about_precision_changes_nothing_and_stays() -> None:
    x, y = unit(300, 64, 0), unit(300, 64, 1)
    torch.set_float32_matmul_precision("medium")
    try:
        assert_exact(x, y, 4, torch.float32)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every tensor that an operation makes, and remembers the size of the largest."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation."""
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, torch.Tensor):
                self.numbers = max(self.numbers, each.untyped_storage().nbytes() // 4)
        return made


@TYPES
@pytest.mark.parametrize("same", [False, True])
def test_memory_does_not_grow_with_the_product_of_both_sides(
    monkeypatch: pytest.MonkeyPatch, same: bool, dtype: torch.dtype
) -> None:
    """Two tiles' candidates are held a vector, each with an index of eight bytes."""
    monkeypatch.setitem(bothways.TILE, "cpu", 128)
    n = 1500
    x, y = (torch.ones(n, 8) / 8**0.5 if same else unit(n, 8, seed) for seed in (0, 1))
    with Largest() as largest:  # type: ignore[no-untyped-call]
        closest_both_ways(x, y, 4, dtype=dtype)
    assert n * 8 <= largest.numbers <= n * 2 * 2 * (4 + bothways.CROWD) < n * n / 5


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
