"""Measure how fast this machine trains, so that designs can be weighed by how far they come in a time."""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F

from spikenas._util.threads import threads
from spikenas.config import Config
from spikenas.scores.baselines import cost
from spikenas.snn.network import Network
from spikenas.space.plan import Plan
from spikenas.training.replicas import Replicas

_BESIDE = 0.5  # of the pace of one replica is what another one beside it adds, as measured for two
_STEPS = 3  # that are timed, after one that is not


def pace(plan: Plan, config: Config) -> float:
    """Return what is computed in a second of training, in units of `cost`, by a few steps on noise.

    On a CPU it is that of one thread, which is that of a replica.

    Args:
        plan: The network that is trained.
        config: Device and batch.
    """
    device, batch = torch.device(config.device), config.train.batch or 32
    spec, generator = plan.input, torch.Generator().manual_seed(0)
    shape = (batch, spec.channels, spec.height, spec.width)
    items = torch.randn(*(() if spec.static else (plan.network.timesteps,)), *shape, generator=generator).to(device)
    labels = torch.randint(spec.classes, (batch,), generator=generator).to(device)
    seconds: list[float] = []
    with threads(1):
        network = Network(plan, config.seed).to(device).to(memory_format=torch.channels_last)
        for _ in range(_STEPS + 1):
            start = time.perf_counter()
            loss = F.cross_entropy(network(items), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            loss.item()
            seconds.append(time.perf_counter() - start)
    return batch * cost(plan) / statistics.median(seconds[1:])


def times_faster(plan: Plan, config: Config) -> float:
    """Return how many times as fast a training is with the threads that it has as with one of them."""
    with threads(config.threads):
        batch = config.train.batch or 32
        replicas = Replicas.of(Network(plan, config.seed), batch, torch.device(config.device)).networks
    return 1 + _BESIDE * (len(replicas) - 1)
