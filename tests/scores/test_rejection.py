from __future__ import annotations

import math
from statistics import pvariance

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.memory import footprint
from spikenas.scores import SCORES
from spikenas.scores.engine import Scorer
from spikenas.scores.probe import Measured
from spikenas.scores.rejection import Rejection, combine_rejection, measure_rejection
from spikenas.space import Genotype
from spikenas.space.building import make_plan
from spikenas.space.plan import InputSpec, LayerSpec

LAYER = LayerSpec("cell1.op1.lif", "neuron", (), (1,), (1,), "cell1", static=False)


def combined(*summaries: Rejection | None) -> float:
    return combine_rejection([Measured(LAYER, 1, summary) for summary in summaries])


def score(text: str, name: str = "cmrr", **changes: object) -> float:
    settings = {"kind": "compact", "cells": 1, "channels": 8, "neuron": "lif", "timesteps": 4, "stem_stride": 1}
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    network = NetworkConfig.model_validate(settings | changes)
    scorer = Scorer(name, network, InputSpec(3, 16, 16, 10), images, FidelityConfig(channels=16, batch=8, repeats=2))
    return scorer(Genotype.parse(text)).score


def params(text: str, channels: int) -> int:
    network = NetworkConfig(kind="compact", cells=1, channels=channels, neuron="lif", timesteps=4, stem_stride=1)
    return footprint(make_plan(Genotype.parse(text), network, InputSpec(3, 16, 16, 10))).params


def test_a_layer_by_hand() -> None:
    images = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]])  # [T, B, C]
    copies = images.clone()
    copies[0, 0, 0] = 0.0
    copies[1, 1, 1] = 1.0
    layer = measure_rejection(torch.cat([images, copies], dim=1)[..., None, None])
    assert layer == Rejection(flips=2, looked_at=4, fired=(3, 1))
    assert layer.amplitude == pytest.approx(math.sqrt(2 / 4))
    assert layer.level == pytest.approx(0.5)
    assert layer.clock == pytest.approx(0.25**2)  # rates 0.75 and 0.25


def test_a_network_by_hand() -> None:
    one, other = Rejection(2, 4, (3, 1)), Rejection(9, 10, (2, 2, 0))
    signal = ((math.sqrt(2 / 4) + math.sqrt(9 / 4)) / 2) ** 2
    level = (0.5 + 4 / 30) / 2
    clock = (0.0625 + pvariance((0.2, 0.2, 0.0))) / 2
    assert combined(one, None, other) == pytest.approx(10 * math.log10(signal / math.sqrt(level * clock)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_against_a_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(3, 8, 2, 4, 5, generator=generator) < 0.3).float()
    found = measure_rejection(spikes)
    assert found is not None
    pairs = zip(spikes[:, :4].flatten().tolist(), spikes[:, 4:].flatten().tolist(), strict=True)
    assert found.flips == sum(a != b for a, b in pairs)
    rates = [float(spikes[t, :4].mean()) for t in range(3)]
    assert found.level == pytest.approx(sum(rates) / 3)
    assert found.clock == pytest.approx(max(pvariance(rates), 2 / 9 / 160**2), rel=1e-4)


def test_the_order_of_images_and_positions_does_not_matter() -> None:
    spikes = (torch.rand(3, 8, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    order = torch.tensor([2, 0, 3, 1])
    moved = torch.cat([spikes[:, :4][:, order], spikes[:, 4:][:, order]], dim=1).flip(-1).transpose(-1, -2)
    assert measure_rejection(moved) == measure_rejection(spikes)


def test_the_limits_of_what_was_looked_at() -> None:
    assert Rejection(0, 10, (5, 5)).amplitude == math.sqrt(0.5 / 10)  # half a flip
    assert Rejection(0, 10, (0, 0)).amplitude == math.sqrt(0.5 / 20)  # a dead layer is not a sensitive one
    assert Rejection(1, 10, (5, 5)).clock == pytest.approx(Rejection(1, 10, (5, 6)).clock)  # one spike more
    assert combined() == combined(None) == combined(Rejection(0, 10, (0, 0))) == -math.inf
    assert measure_rejection(torch.ones(2, 4, 7)) is None


def test_one_timestep_has_no_clock() -> None:
    assert combined(Rejection(2, 10, (4,))) == pytest.approx(10 * math.log10(0.5 / math.sqrt(0.4)))
    assert math.isfinite(score("0-1:conv3x3 1-3:conv3x3", timesteps=1))


def test_what_it_prefers() -> None:
    """Response, few spikes, no common clock: by construction."""
    base = combined(Rejection(4, 100, (12, 8)))
    assert combined(Rejection(5, 100, (12, 8))) > base
    assert combined(Rejection(4, 100, (11, 9))) > base
    assert combined(Rejection(2, 100, (6, 4))) > base


def test_depth_and_spatial_kernels() -> None:
    chain = score("0-1:conv3x3 1-2:conv3x3 2-3:conv3x3")
    assert chain > score("0-3:conv3x3") > score("0-3:skip")
    assert chain > score("0-1:conv1x1 1-2:conv1x1 2-3:conv1x1")
    assert chain > score("0-1:avgpool3x3 1-2:avgpool3x3 2-3:avgpool3x3")
    assert score("0-1:conv3x3@9 1-2:conv3x3@9 2-3:conv3x3@9", v_threshold=9.0) == -math.inf


def test_params_in_decibels_are_added() -> None:
    for cell in ("0-1:conv3x3 1-3:conv3x3", "0-3:conv1x1", "0-1:avgpool3x3 1-3:dwconv3x3"):
        both = score(cell, name="cmrr-params", channels=24) - score(cell, channels=24)
        assert 10 ** (both / 10) == pytest.approx(params(cell, 24))
        both = score(cell, name="cmrr-params", channels="auto") - score(cell, channels="auto")
        assert 10 ** (both / 10) == pytest.approx(params(cell, 16))
    assert score("0-1:conv3x3@9 1-3:conv3x3@9", name="cmrr-params", v_threshold=9.0) == -math.inf


def test_it_is_listed_with_one_noisy_copy() -> None:
    assert SCORES["cmrr"].copies == (1e-3,)  # type: ignore[union-attr]
