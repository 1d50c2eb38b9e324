from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.score import SCORES, Measured, Scorer
from spikenas.score.rejection import combine_rejection, measure_rejection
from spikenas.space import Genotype
from spikenas.space.plan import InputSpec, LayerSpec

LAYER = LayerSpec("cell1.op1.lif", "lif", (), (1,), (1,), "cell1", static=False)


def measured(*summaries: tuple[float, float, float] | None) -> list[Measured]:
    return [Measured(LAYER, 1, summary) for summary in summaries]


def score(text: str, **changes: object) -> float:
    settings = {"kind": "compact", "cells": 1, "channels": 8, "timesteps": 4, "stem_stride": 1}
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    network = NetworkConfig.model_validate(settings | changes)
    scorer = Scorer("cmrr", network, InputSpec(3, 16, 16, 10), images, FidelityConfig(channels=16, batch=8, repeats=2))
    return scorer(Genotype.parse(text)).score


def test_by_hand() -> None:
    images = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]])  # [T, B, C]: rates 1, .5 and .5, 0
    copies = images.clone()
    copies[0, 0, 0] = 0.0
    copies[1, 1, 1] = 1.0
    spikes = torch.cat([images, copies], dim=1)[..., None, None]
    assert measure_rejection(spikes) == pytest.approx((2, 4, 0.125))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_against_a_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(3, 8, 2, 4, 5, generator=generator) < 0.3).float()
    found, fired, common = measure_rejection(spikes)  # type: ignore[misc]
    flips = sum(float(a != b) for a, b in zip(spikes[:, :4].flatten(), spikes[:, 4:].flatten(), strict=True))
    rates = [float(spikes[t, :4, c].sum()) / 80 for t in range(3) for c in range(2)]
    mean = sum(rates) / 6
    assert (found, fired) == (flips, float(spikes[:, :4].sum()))
    assert common == pytest.approx(sum((rate - mean) ** 2 for rate in rates) / 6)


def test_the_order_of_images_and_positions_does_not_matter() -> None:
    spikes = (torch.rand(3, 8, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    order = torch.tensor([2, 0, 3, 1])
    moved = torch.cat([spikes[:, :4][:, order], spikes[:, 4:][:, order]], dim=1).flip(-1).transpose(-1, -2)
    assert measure_rejection(moved) == pytest.approx(measure_rejection(spikes))


def test_decibels_and_what_cannot_be_computed() -> None:
    assert combine_rejection(measured((2, 10, 0.01), None, (0, 0, 0.03))) == pytest.approx(10 * math.log10(0.1 / 0.02))
    assert combine_rejection(measured((0, 10, 0.01), (0, 40, 0.01))) == pytest.approx(0.0)  # half a flip in 50
    for layers in (measured(), measured(None), measured((0, 0, 0.1)), measured((1, 4, 0.0))):
        assert combine_rejection(layers) == -math.inf
    assert measure_rejection(torch.ones(2, 4, 7)) is None
    assert measure_rejection(torch.zeros(2, 4, 1, 2, 2)) == (0, 0, 0)


def test_what_it_prefers() -> None:
    """Depth, spatial kernels, spikes at all: properties that hold by construction, not fits."""
    chain = score("0-1:conv3x3 1-2:conv3x3 2-3:conv3x3")
    assert chain > score("0-3:conv3x3") > score("0-3:skip")
    assert chain > score("0-1:conv1x1 1-2:conv1x1 2-3:conv1x1")
    assert chain > score("0-1:avgpool3x3 1-2:avgpool3x3 2-3:avgpool3x3")
    assert score("0-1:conv3x3@9 1-2:conv3x3@9 2-3:conv3x3@9", v_threshold=9.0) == -math.inf


def test_it_is_listed_with_one_noisy_copy() -> None:
    assert SCORES["cmrr"].copies == (1e-3,)  # type: ignore[union-attr]
