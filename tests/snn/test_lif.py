from __future__ import annotations

import json
import math
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import spikenas.snn.kernels as kernels
from spikenas.errors import ConfigError
from spikenas.snn.lif import LIF, _TorchLIF, lif, lif_step

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lif.json").read_text())
DEFAULTS = (4 / 3, 1.0, 0.0, 2.0)
NEURONS = [DEFAULTS, (2.0, 0.5, -0.3, 3.0), (1.0, 1.0, 0.0, 2.0)]
# Fewer and more columns than a block, a group of blocks and a task have, and remainders of each.
SHAPES = [(1,), (3, 5), (2, 4, 7, 9), (260,), (16_400,), (4, 8, 32, 33)]


@pytest.fixture(autouse=True)
def _restore_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def currents(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * 1.2 + 0.4).to(dtype)


def stepwise(x: Tensor, timesteps: int, tau: float, v_threshold: float, v_reset: float, alpha: float) -> Tensor:
    v = torch.full_like(x[0], v_reset)
    spikes = []
    for t in range(timesteps):
        s, v = lif_step(x[min(t, len(x) - 1)], v, tau, v_threshold, v_reset, alpha)
        spikes.append(s)
    return torch.stack(spikes)


def in_torch(x: Tensor, timesteps: int, *neuron: float) -> Tensor:
    return _TorchLIF.apply(x, timesteps, *neuron)


def spikes_and_gradient(function, x: Tensor, weights: Tensor, *neuron: float) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    spikes = function(x, len(weights), *neuron)
    (gradient,) = torch.autograd.grad(spikes, x, weights)
    return spikes.detach(), gradient


@pytest.mark.parametrize("function", [lif, in_torch, stepwise])
@pytest.mark.parametrize("case", GOLDEN, ids=str(range(len(GOLDEN))).split)
def test_golden(function, case):
    x, weights = (torch.tensor(case[key], dtype=torch.float64) for key in ("x", "loss_weights"))
    spikes, gradient = spikes_and_gradient(
        function, x, weights, case["tau"], case["v_threshold"], case["v_reset"], 2.0
    )
    assert torch.equal(spikes, torch.tensor(case["spikes"], dtype=torch.float64))
    torch.testing.assert_close(
        gradient, torch.tensor(case["grad_x"], dtype=torch.float64), rtol=1e-5, atol=1e-7
    )
