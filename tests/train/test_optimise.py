"""AdamW as jiant runs it: the schedule's values, clipping, and what decays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xtr.train.optimise import CLIP_NORM, make_optimizer, update
from xtr.train.rates import branch_point, linear_schedule, wsd_schedule


def rates(n_steps: int, warmup_fraction: float) -> list[float]:
    return [
        linear_schedule(step, n_steps=n_steps, warmup_fraction=warmup_fraction, peak=1.0)
        for step in range(n_steps)
    ]


def test_the_learning_rate_rises_over_the_warm_up_and_falls_to_almost_nothing() -> None:
    assert rates(10, 0.2) == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


@pytest.mark.parametrize(
    ("n_steps", "warmup_fraction", "expected"),
    [
        (4, 0.0, [1, 0.75, 0.5, 0.25]),
        (4, 1.0, [0.25, 0.5, 0.75, 1]),
        (1, 0.0, [1]),
        (1, 0.1, [1]),
        (3, 0.1, [1, 1, 0.5]),
    ],
)
def test_the_schedule_holds_at_its_ends(n_steps: int, warmup_fraction: float, expected: list[float]) -> None:
    assert rates(n_steps, warmup_fraction) == pytest.approx(expected)


def wsd_rates(n_steps: int, warmup_steps: int = 0, decay_fraction: float = 0.2) -> list[float]:
    return [
        wsd_schedule(
            step, n_steps=n_steps, warmup_steps=warmup_steps, decay_fraction=decay_fraction, peak=2.0
        )
        for step in range(n_steps)
    ]


def test_wsd_rises_stays_and_falls_as_one_minus_the_root() -> None:
    down = [2 * (1 - (i / 4) ** 0.5) for i in range(4)]
    assert wsd_rates(20, 4) == pytest.approx([0.5, 1.0, 1.5, *[2.0] * 13, *down])


def test_wsd_does_not_know_how_long_the_run_is_before_its_branch_point() -> None:
    longer, shorter = wsd_rates(100, 30), wsd_rates(50, 30)
    assert longer[:40] == shorter[:40]
    assert wsd_rates(20, 30)[:16] == longer[:16], "also where that lies inside the warm-up"
    assert wsd_rates(10, 30)[8:] == pytest.approx([longer[8], longer[9] * (1 - 0.5**0.5)])


@pytest.mark.parametrize(
    ("n_steps", "decay_fraction", "expected"),
    [(10, 0.1, 9), (10, 0.9, 1), (30, 0.1, 27), (7, 0.1, 6), (1, 0.1, 0), (5, 1.0, 0), (1000, 0.3, 700)],
)
def test_the_branch_point_is_exact(n_steps: int, decay_fraction: float, expected: int) -> None:
    assert branch_point(n_steps, decay_fraction) == expected


def test_biases_and_layer_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Embedding(4, 2))
    decaying, spared = make_optimizer(model, weight_decay=0.1).param_groups
    assert decaying["weight_decay"] == 0.1
    assert spared["weight_decay"] == 0.0
    assert [tuple(p.shape) for p in decaying["params"]] == [(2, 3), (4, 2)]
    assert [tuple(p.shape) for p in spared["params"]] == [(2,), (2,), (2,)]


def test_frozen_weights_are_left_out() -> None:
    model = nn.Linear(3, 2).requires_grad_(requires_grad=False)
    assert [group["params"] for group in make_optimizer(model, weight_decay=0.1).param_groups] == [[], []]


def test_an_update_clips_uses_the_asked_rate_and_forgets_the_gradients() -> None:
    model = nn.Linear(2, 1, bias=False)
    optimizer = make_optimizer(model, weight_decay=0.0)
    before = model.weight.detach().clone()
    model.weight.grad = torch.tensor([[300.0, 400.0]])
    update(model, optimizer, learning_rate=0.01)
    moment = optimizer.state[model.weight]["exp_avg"] / (1 - 0.9)
    assert moment.norm().item() == pytest.approx(CLIP_NORM, rel=1e-4)
    assert (before - model.weight.detach()).abs().max().item() == pytest.approx(0.01, rel=1e-3)
    assert model.weight.grad is None
