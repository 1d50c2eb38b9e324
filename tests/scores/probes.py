"""Small networks of every kind, and probes of them."""

import torch

from spikenas.config import NetworkConfig
from spikenas.scores.probe import Probe
from spikenas.snn.network import Network, use_batch_statistics
from spikenas.space import Genotype, InputSpec, Plan, make_plan

IMAGES = InputSpec(3, 16, 12, 5)
EVENTS = InputSpec(2, 16, 12, 5, static=False)
COMPACT = NetworkConfig(channels=4, neuron="lif", timesteps=4)
SNASNET = NetworkConfig(kind="snasnet", channels=4, timesteps=4, hidden=24, votes=3)
EVERY_OP = (
    "0-1:conv3x3 0-2:conv1x1 1-3:conv5x5 2-3:skip 0-3:skip / 0-1:dwconv3x3 1-2:avgpool3x3 2-3:conv7x7@0.5 0-3:skip"
)
FEEDBACK = (
    "0-1:conv3x3 1-2:conv1x1 2-3:conv5x5 3-0:dwconv3x3 / 0-1:conv3x3 2-1:avgpool3x3 1-3:conv1x1 0-2:conv5x5 2-3:skip"
)


def plan_of(genotype: str, config: NetworkConfig = COMPACT, spec: InputSpec = IMAGES) -> Plan:
    text = Genotype.parse(genotype)
    return make_plan(text, config.but({"cells": len(text.cells)}), spec)


CASES = {
    f"{head}-{cells}-{data}": plan_of(genotype, config, spec)
    for head, config in (("compact", COMPACT), ("snasnet", SNASNET))
    for cells, genotype in (("every-op", EVERY_OP), ("feedback", FEEDBACK), ("skips", "0-3:skip / 0-3:skip"))
    for data, spec in (("images", IMAGES), ("events", EVENTS))
}


def batch(plan: Plan, samples: int = 8) -> torch.Tensor:
    spec = plan.input
    leading = () if spec.static else (plan.network.timesteps,)
    shape = (*leading, samples, spec.channels, spec.height, spec.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def probe_of(plan: Plan, samples: int = 8, seed: int = 1, images: torch.Tensor | None = None) -> Probe:
    network = Network(plan, seed)
    use_batch_statistics(network)
    images = batch(plan, samples) if images is None else images
    return Probe(network, images, torch.arange(images.shape[-4]) % plan.input.classes, seed, 0)
