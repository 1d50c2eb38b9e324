"""What a score is: a measure of spikes, a function of a network with random weights, or a function of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spikenas._util.seeding import seed_of
from spikenas.snn.network import Network
from spikenas.space.plan import LayerSpec, Plan


class Measured(NamedTuple):
    """What a score measured on one LIF layer.

    Attributes:
        layer: The layer in the candidate's plan, with its stage and shape.
        edges: Number of ops that read it; ops that would have equal neurons share them.
        summary: What `SpikeScore.measure` made of its spikes; candidates that have the layer in common share it, so
            it must not be changed.
    """

    layer: LayerSpec
    edges: int
    summary: Any


@dataclass(frozen=True)
class SpikeScore:
    """A score made from the spikes of each LIF layer, so that a layer which candidates share is measured once.

    Attributes:
        name: As on the command line.
        summary: One line for people.
        source: Paper or code it is from, in words.
        copies: Noise levels in standard deviations of the normalised input: the batch is run as
            [images, images + level * noise, ...], joined along B.
        measure: Spikes of one layer, 0 or 1, [T, (1 + len(copies)) * B, ...], to a small summary: a tensor, a number
            or a tuple. T is 1 less where the layer only feeds back. It sees nothing else, so that a summary does not
            depend on the candidate. Maps lie channels last in memory: `spikes.movedim(2, -1).flatten(2)` is free,
            `spikes.flatten(2)` copies.
        combine: What was measured on all LIF layers, in the plan's order, to the score: higher is better, -inf
            when it cannot be computed.
    """

    name: str
    summary: str
    source: str
    measure: Callable[[Tensor], Any]
    combine: Callable[[Sequence[Measured]], float]
    copies: tuple[float, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A network with fresh random weights and a batch to try it on.

    A score may use its gradients and hooks but leaves none of them behind.

    Attributes:
        network: In eval mode (dropout off), but BatchNorm uses the batch's own statistics and keeps its running ones.
        images: Normalised, [B, C, H, W], or [T, B, C, H, W] of event frames, on the network's device.
        labels: Classes of the images, [B], int64, on the same device.
        seed: Of the run.
        repeat: Which of the fidelity's initialisations this is.
    """

    network: Network
    images: Tensor
    labels: Tensor
    seed: int
    repeat: int

    @property
    def plan(self) -> Plan:
        """What the network was built from."""
        return self.network.plan

    def generator(self, key: str) -> torch.Generator:
        """Random numbers (on the CPU) that depend on the seed, the repeat and the key alone."""
        return torch.Generator().manual_seed(seed_of(self.seed, self.repeat, key))


@dataclass(frozen=True)
class NetworkScore:
    """A score that needs gradients or the whole network.

    Attributes:
        name: As on the command line.
        summary: One line for people.
        source: Paper or code it is from, in words.
        compute: Higher is better; NaN, an infinity or a decomposition that fails counts as -inf.
    """

    name: str
    summary: str
    source: str
    compute: Callable[[Probe], float]


@dataclass(frozen=True)
class PlanScore:
    """A score that needs no network: it depends on no weights and no images.

    Attributes:
        name: As on the command line.
        summary: One line for people.
        source: Where it is from.
        compute: Higher is better.
    """

    name: str
    summary: str
    source: str
    compute: Callable[[Plan], float]
