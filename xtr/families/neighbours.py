"""This is where nearest neighbours are searched, exactly, with FAISS.

nearest(queries, candidates)       -> the index of each query's candidate at the least distance
closest(queries, candidates, 4)    -> (inner products, indices) of each query's best four, best first
"""

from __future__ import annotations

import faiss
import torch
from torch import Tensor


def nearest(queries: Tensor, candidates: Tensor) -> list[int]:
    """Return for each query (N, H) the index of the candidate (M, H) at the least squared L2 distance."""
    index = faiss.IndexFlatL2(candidates.shape[1])
    index.add(candidates.cpu().numpy())
    _, neighbours = index.search(queries.cpu().numpy(), 1)
    return [int(i) for i in neighbours[:, 0]]


def closest(queries: Tensor, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return inner products and indices (N, k) of each query's best candidates, at most all there are."""
    index = faiss.IndexFlatIP(candidates.shape[1])
    index.add(candidates.cpu().numpy())
    products, neighbours = index.search(queries.cpu().numpy(), min(k, len(candidates)))
    return torch.from_numpy(products), torch.from_numpy(neighbours)
