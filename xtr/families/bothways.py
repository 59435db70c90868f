"""This is where two corpora look for each other's nearest neighbours: one pass of tiles serves both directions.

    closest_both_ways(x, y, 4)  ->  (products, indices) (N, 4) of y's best for each of x, best first
                                    (products, indices) (M, 4) of x's best for each of y, best first

A tile is the product of some vectors of x with some of y. It is computed once, in bfloat16 where the device is
made for that, looked at by row and by column, and forgotten. It only says which pairs may count: every product
in it is known up to a bound, and what may be among the best k by that bound is a candidate. Candidates are then
multiplied in float64. So the answer does not depend on the type or the size of the tiles.

Two things keep that fast. Of each group of 32 products the largest is taken first, and only groups that reach
what k other groups surely have are read. And the mean is taken off both sides, as vectors of an encoder point
much the same way: the bound grows with their length, what tells them apart does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 32
"""Products of a row, or of a column, of which the largest is found first."""
TILE = {"cpu": 2048, "cuda": 8192}
"""Vectors a side of a tile. Three tiles are held: 40 MiB on a CPU, 640 MiB on a GPU."""
CROWD = 64
"""Candidates beside the best k that a vector may have; with more it is compared with all in float64."""
TOO_MANY = 0.25
"""Share of the first vectors that may be crowded in bfloat16; beyond it float32 is faster."""
PAIRS = 1 << 22
"""Bytes of one factor when candidates are multiplied: what stays in a cache."""

ROUNDING = {torch.bfloat16: 2.0**-8, torch.float32: 2.0**-24}
"""How much of a number is lost at most when it is rounded to the nearest of a type."""

Near = tuple[Tensor, Tensor]
"""Inner products and indices (N, k) of each vector's best, best first."""


@contextmanager
def _summed_in_float32() -> Iterator[None]:
    """Keep factors as they are and sums in float32 meanwhile, whatever PyTorch was told to save on."""
    cuda = torch.backends.cuda.matmul
    precision, reduced = torch.get_float32_matmul_precision(), cuda.allow_bf16_reduced_precision_reduction
    torch.set_float32_matmul_precision("highest")
    cuda.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        cuda.allow_bf16_reduced_precision_reduction = reduced


@torch.no_grad()
@_summed_in_float32()
def closest_both_ways(x: Tensor, y: Tensor, k: int, *, dtype: torch.dtype | None = None) -> tuple[Near, Near]:
    """Search the k largest inner products of each of x (N, H) among y (M, H), and of each of y among x.

    Products are sums in float64, rounded to float32. Of equal ones the lower index comes first. Where a side has
    fewer than k vectors, all of them come; a product that is no number comes last. Beside the inputs' size, memory
    grows with N + M, never with N x M. The type in which tiles begin (float32 or bfloat16, otherwise what the
    device multiplies fastest) decides how long it takes, not what is found.
    """
    size = min(TILE[x.device.type], max(len(x), len(y)))
    size = -(-size // GROUP) * GROUP
    tiles = _Tiles(x, y, dtype or fastest_type(x.device), size)
    columns = _Search(y, x, k, tiles.column_errors)
    found = []
    for top in range(0, len(x), size):
        rows = _Search(x[top : top + size], y, k, tiles.row_errors[top : top + size])
        for left, tile in tiles.strip(top):
            rows.look(tile, tile.from_rows(), 0, left)
            columns.look(tile, tile.from_columns(), left, top)
        columns.prune()
        rows.prune()
        if top == 0 and tiles.dtype == torch.bfloat16 and rows.crowded.sum() > len(rows.crowded) * TOO_MANY:
            return closest_both_ways(x, y, k, dtype=torch.float32)
        found.append(rows.best())
    products, indices = zip(*found, strict=True)
    return (torch.cat(products), torch.cat(indices)), columns.best()


def fastest_type(device: torch.device) -> torch.dtype:
    """Say in which type a device multiplies fastest: bfloat16 needs instructions of its own, else it is slower."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


class _Side:
    """Vectors around their mean in the tiles' type, and how far that is from what they are."""

    def __init__(self, vectors: Tensor, mean: Tensor, other_mean: Tensor, dtype: torch.dtype) -> None:
        self.factors = torch.empty(vectors.shape, dtype=dtype, device=vectors.device)
        made = []
        for start in range(0, len(vectors), TILE[vectors.device.type]):
            some = slice(start, start + TILE[vectors.device.type])
            around = vectors[some] - mean
            self.factors[some] = around.to(dtype)
            rounded = around - self.factors[some].float()
            term = (around.double() @ other_mean.double()).float()
            made.append((around.norm(dim=1), rounded.norm(dim=1), term))
        self.spreads, self.rounded, self.term = (torch.cat(each) for each in zip(*made, strict=True))


@dataclass(frozen=True)
class _Groups:
    """A tile's products in groups, as one side sees them."""

    largest: Tensor
    """Of each vector's groups (vectors, groups)."""
    read: Callable[[Tensor, Tensor], Tensor]
    """Gives the products (hits, GROUP) of vectors in groups."""
    index: Callable[[Tensor, Tensor], Tensor]
    """Gives the index in the tile of what has a place in a group."""


@dataclass(frozen=True)
class _Tile:
    """Products that rank as they should along rows, and such that do along columns."""

    by_row: Tensor
    by_column: Tensor
    largest: Tensor
    """Of the products before a term was added, by absolute value."""
    largest_term: Tensor
    rounding: float
    """By how much of itself a product was rounded when it was stored."""

    def from_rows(self) -> _Groups:
        """Make groups of neighbours in a row: what is read together lies together."""
        lines = self.by_row.view(-1, GROUP)
        n_groups = len(self.by_row) // GROUP
        return _Groups(
            self.by_row.view(-1, n_groups, GROUP).amax(2),
            lambda row, group: lines.index_select(0, row * n_groups + group),
            lambda group, place: group * GROUP + place,
        )

    def from_columns(self) -> _Groups:
        """Make groups of every so many in a column: maxima are then taken along whole rows."""
        lines = self.by_column.view(GROUP, -1)
        size = len(self.by_column)
        return _Groups(
            self.by_column.view(GROUP, -1, size).amax(0).T,
            lambda column, group: lines.index_select(1, group * size + column).T,
            lambda group, place: place * (size // GROUP) + group,
        )

    def rounded(self, products: Tensor) -> Tensor:
        """Bound what storing them, and adding a term to what was stored, has taken from products or added."""
        stored = torch.minimum(products.abs() + 1.01 * self.largest_term, self.largest)
        return 1.01 * self.rounding * stored + 2 * ROUNDING[torch.float32] * (
            self.largest + self.largest_term
        )


class _Tiles:
    """The products of two sides around their means, tile by tile, and how far they may be wrong.

    With a and b the means, (x - a)(y - b) + a(y - b) is xy but for a term that is the same along a row, and
    (x - a)(y - b) + (x - a)b is xy but for one that is the same along a column. So both rank as xy does.
    """

    def __init__(self, x: Tensor, y: Tensor, dtype: torch.dtype, size: int) -> None:
        self.size = size
        self.dtype = dtype
        a, b = x.mean(0), y.mean(0)
        self.rows, self.columns = _Side(x, a, b, dtype), _Side(y, b, a, dtype)
        means = torch.maximum(a.norm(), b.norm())
        self.row_errors = _errors(self.rows, self.columns, means, x.shape[1])
        self.column_errors = _errors(self.columns, self.rows, means, x.shape[1])
        self.largest_term = torch.cat([self.rows.term, self.columns.term]).abs().max()
        self._products = torch.empty(size, size, dtype=dtype, device=x.device)
        self._by_row, self._by_column = (torch.empty(size, size, device=x.device) for _ in range(2))

    def strip(self, top: int) -> Iterator[tuple[int, _Tile]]:
        """Yield the tiles from a row on, each with its first column.

        Where a tile has no vectors its products are minus infinity. The next tile overwrites the last.
        """
        rows = slice(top, top + self.size)
        left = self.rows.factors[rows]
        for start in range(0, len(self.columns.factors), self.size):
            columns = slice(start, start + self.size)
            right = self.columns.factors[columns]
            within = slice(len(left)), slice(len(right))
            if len(left) < self.size or len(right) < self.size:
                self._by_row.fill_(-torch.inf)
                self._by_column.fill_(-torch.inf)
            products = torch.mm(left, right.T, out=self._products[within])
            by_row = self._by_row[within].copy_(products)
            torch.add(by_row, self.rows.term[rows].unsqueeze(1), out=self._by_column[within])
            by_row += self.columns.term[columns]
            low, high = torch.aminmax(products)
            largest = torch.maximum(-low, high).float()
            rounding = ROUNDING[self.dtype]
            yield start, _Tile(self._by_row, self._by_column, largest, self.largest_term, rounding)


def _errors(own: _Side, other: _Side, means: Tensor, width: int) -> Tensor:
    """Bound how far a vector's products in a tile may be wrong before they are stored.

    The factors' rounding (Cauchy-Schwarz), a float32 sum in any order (Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 3.1), that of means and terms, and the final product's rounding to float32.
    """
    single = 2 * ROUNDING[torch.float32]
    factors = own.rounded * other.spreads.max() + (own.spreads + own.rounded) * other.rounded.max()
    total = (width + 8) * single * own.spreads * other.spreads.max()
    terms = single * 4 * means * torch.maximum(own.spreads.max(), other.spreads.max())
    product = single * (own.spreads + means) * (other.spreads.max() + means)
    return 1.01 * (factors + total + terms + product)


@dataclass
class _Candidates:
    """Pairs that may count: whose they are, with which of the others, and what their product is at most."""

    own: Tensor
    other: Tensor
    most: Tensor

    def where(self, keep: Tensor) -> _Candidates:
        """Keep some."""
        return _Candidates(self.own[keep], self.other[keep], self.most[keep])


class _Search:
    """The k best of the others for each vector of one side, while tiles go by."""

    def __init__(self, vectors: Tensor, others: Tensor, k: int, errors: Tensor) -> None:
        self.vectors, self.others, self.errors = vectors, others, errors
        self.k = min(k, len(others))
        self.limit = self.k + CROWD
        device = vectors.device
        self.least = torch.full((len(vectors), self.k), -torch.inf, device=device)
        """What the best k are at least, as k groups hold a product of that size."""
        self.crowded = torch.zeros(len(vectors), dtype=torch.bool, device=device)
        self.candidates: list[_Candidates] = []

    def look(self, tile: _Tile, groups: _Groups, start: int, other_start: int) -> None:
        """Take from a tile, of vectors from the start on and others from theirs, what may be among the best."""
        largest = groups.largest[: len(self.vectors) - start]
        mine = slice(start, start + len(largest))
        error = self.errors[mine].unsqueeze(1)
        off = error + tile.rounded(largest)
        self.least[mine] = torch.cat([self.least[mine], largest - off], dim=1).topk(self.k, dim=1).values
        floor = self._floor(mine).unsqueeze(1)
        hits = largest + off >= floor
        self.crowded[mine] |= hits.sum(1) > self.limit
        row, group = (hits & ~self.crowded[mine].unsqueeze(1)).nonzero(as_tuple=True)
        most = groups.read(row, group)
        most = most + error[row] + tile.rounded(most)
        hit, place = (most >= floor[row]).nonzero(as_tuple=True)
        own, other = row[hit] + start, groups.index(group[hit], place) + other_start
        self.candidates.append(self._uncrowded(_Candidates(own, other, most[hit, place])))

    def prune(self) -> None:
        """Forget candidates that others have outdone since."""
        own, other, most = (
            torch.cat([getattr(each, name) for each in self.candidates]) for name in ("own", "other", "most")
        )
        reached = most >= self._floor(slice(None))[own]
        self.candidates = [self._uncrowded(_Candidates(own, other, most).where(reached))]

    def best(self) -> Near:
        """Multiply the candidates that are left and return the best; the crowded are compared with all."""
        (candidates,) = self.candidates
        own = candidates.own
        counts = own.bincount(minlength=len(self.vectors))
        keys = _keys(_products(self.vectors, self.others, own, candidates.other), candidates.other)
        order = keys.argsort(descending=True)
        order = order[own[order].argsort(stable=True)]
        first = (counts.cumsum(0) - counts).unsqueeze(1) + torch.arange(self.k, device=own.device)
        known = counts >= self.k
        best = torch.empty(first.shape, dtype=torch.int64, device=own.device)
        best[known] = keys[order[first[known]]]
        unknown = torch.split((~known).nonzero().squeeze(1), TILE[own.device.type])
        for some in filter(len, unknown):  # what is split has one part at least, be it empty
            best[some] = _compared_with_all(self.vectors[some], self.others, self.k)
        return _unpacked(best)

    def _floor(self, mine: slice) -> Tensor:
        """What a product must reach; a little more than what a tile has where it has no vectors."""
        return self.least[mine, -1].clamp(min=torch.finfo(torch.float32).min)

    def _uncrowded(self, candidates: _Candidates) -> _Candidates:
        """Give up on vectors with too many candidates."""
        self.crowded |= candidates.own.bincount(minlength=len(self.vectors)) > self.limit
        return candidates.where(~self.crowded[candidates.own])


def _products(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Multiply pairs of vectors in float64; what comes out does not depend on which pairs come together."""
    at_once = max(1, PAIRS // (8 * x.shape[1]))
    parts = [
        x.index_select(0, some).double().mul_(y.index_select(0, others)).sum(1).float()
        for some, others in zip(torch.split(i, at_once), torch.split(j, at_once), strict=True)
    ]
    return torch.cat(parts) if parts else x.new_empty(0)


def _compared_with_all(vectors: Tensor, others: Tensor, k: int) -> Tensor:
    """Find the keys (N, k) of the best by multiplying with every one of the others in float64."""
    doubles = vectors.double()
    best = torch.empty(len(vectors), 0, dtype=torch.int64, device=vectors.device)
    for start in range(0, len(others), TILE[others.device.type]):
        part = others[start : start + TILE[others.device.type]].double()
        indices = torch.arange(start, start + len(part), device=vectors.device)
        keys = torch.cat([best, _keys((doubles @ part.T).float(), indices)], dim=1)
        best = keys.topk(min(k, keys.shape[1]), dim=1).values
    return best


def _keys(products: Tensor, indices: Tensor) -> Tensor:
    """Make one integer of a product and an index: larger for a larger product, then for a lower index."""
    numbers = torch.where(
        products.isnan(), -torch.inf, products + 0.0
    )  # adding zero makes minus zero plus zero
    bits = numbers.view(torch.int32)
    ranked = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    return (ranked << 32) | (0xFFFFFFFF - indices)


def _unpacked(keys: Tensor) -> Near:
    """Take product and index out of a key again."""
    ranked = (keys >> 32).int()
    bits = torch.where(ranked < 0, ranked ^ 0x7FFFFFFF, ranked)
    return bits.view(torch.float32), 0xFFFFFFFF - (keys & 0xFFFFFFFF)
