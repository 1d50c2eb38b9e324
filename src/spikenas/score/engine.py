"""The engine that scores genotypes: builds each at the fidelity asked, runs a batch through it, hands its spikes to a
score.

Every result depends on the genotype's canonical form, the settings and the data alone: weights come from seeds of their
own, networks keep no state, and one thread does the arithmetic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.score.sahd import Score, find_score
from spikenas.snn.network import Network, SpikeTrain
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.plan import InputSpec, make_plan


@dataclass(frozen=True)
class ScoreResult:
    """A score and what it cost.

    Attributes:
        score: Higher is better; -inf when it cannot be computed.
        seconds: Wall time of this call; near 0 when an equal network was scored before.
    """

    score: float
    seconds: float


class Scorer:
    """Scores genotypes on one batch of images; equal canonical forms are computed once.

    Args:
        name: Key of `SCORES`.
        network: Settings of the network that will be built.
        input: What that network sees.
        images: Normalised batch, [B, C, H, W] or [T, B, C, H, W], at the fidelity's image size.
        fidelity: What a candidate is scored at.
        seed: Of the weights.
        device: Where to compute.
        threads: Of the arithmetic on a CPU. With 1 a score is the same on every machine; with more, the order of a
            sum may depend on their number.
    Raises:
        ScoreError: an unknown score.
    """

    def __init__(
        self,
        name: str,
        network: NetworkConfig,
        input: InputSpec,
        images: Tensor,
        fidelity: FidelityConfig,
        seed: int = 0,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.score: Score = find_score(name)
        self.network = at_fidelity(network, fidelity)
        self.images = images.to(device)
        height, width = images.shape[-2:]
        self.input = InputSpec(input.channels, height, width, input.classes, input.static)
        self.repeats = fidelity.repeats
        self.seed = seed
        self.device = device
        self.threads = threads
        self._known: dict[tuple[CellGraph, ...], float] = {}

    def __call__(self, genotype: Genotype) -> ScoreResult:
        """Score one genotype; a cell without a path from input to output scores -inf."""
        start = time.perf_counter()
        key = genotype.canonical
        if key not in self._known:
            self._known[key] = self._compute(genotype) if genotype.connected else -math.inf
        return ScoreResult(self._known[key], time.perf_counter() - start)

    def _compute(self, genotype: Genotype) -> float:
        plan = make_plan(genotype, self.network.model_copy(update={"cells": len(genotype.cells)}), self.input)
        scores = []
        for repeat in range(self.repeats):
            network = Network(plan, self.seed, repeat).to(self.device)
            with _threads(self.threads):
                scores.append(self.score.compute(batch_spikes(network, self.images)))
        mean = math.fsum(scores) / len(scores) if all(map(math.isfinite, scores)) else -math.inf
        return mean if math.isfinite(mean) else -math.inf


def at_fidelity(network: NetworkConfig, fidelity: FidelityConfig) -> NetworkConfig:
    """The network's settings with the fidelity's in their place."""
    changes: dict[str, int] = {}
    if fidelity.channels != "network":
        changes["channels"] = fidelity.channels
    if fidelity.timesteps is not None:
        changes["timesteps"] = fidelity.timesteps
    return network.model_copy(update=changes)


def batch_spikes(network: Network, images: Tensor) -> list[SpikeTrain]:
    """The spikes of every LIF layer, with the batch's own BatchNorm statistics and dropout off.

    The network is left in eval mode, its running statistics as they were.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.track_running_stats = False
    record: list[SpikeTrain] = []
    try:
        with torch.no_grad():
            network(images, record)
    finally:
        for norm in norms:
            norm.eval()
            norm.track_running_stats = True
    return record


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
