"""Define what a score is: a measure of spikes, a function of a network with random weights, or a function of a plan."""

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
    """A measurement holds what a score measured on one layer of neurons.

    Attributes:
        layer: Layer in the candidate's plan, with its stage and shape.
        edges: Number of ops that read the layer; ops that would have equal neurons share them.
        summary: What `SpikeScore.measure` made of the layer's spikes; candidates that have the layer in common share
            it, so it must not be changed.
    """

    layer: LayerSpec
    edges: int
    summary: Any


@dataclass(frozen=True)
class SpikeScore:
    """A spike score is made from the spikes of each layer of neurons; one that candidates share is measured once.

    Attributes:
        name: Name on the command line.
        summary: One line that describes the score.
        source: Paper or code that the score is from, in words.
        copies: Noise levels in standard deviations of the normalised input: the batch is run as
            [images, images + level * noise, ...], joined along B.
        measure: Function from the spikes of one layer, [T, (1 + len(copies)) * B, ...], to a small summary: a tensor, a
            number or a tuple. They are 0 or 1, whether a neuron fired: sent at least one spike, or as a ReLU is above
            0. T is 1 less where the layer only feeds back. The function is given nothing else, so that a summary does
            not depend on the candidate. Maps lie channels last in memory: `spikes.movedim(2, -1).flatten(2)` is free,
            `spikes.flatten(2)` copies.
        combine: Function from what was measured on all layers of neurons, in the plan's order, to the score; higher is
            better, -inf when it cannot be computed.
        weigh: Function from what `combine` returned, on average over the initialisations, and a plan to the score; None
            where the former is it. The plan is that of the network to be built, or where its width is open the one
            that was measured.
        counts: Whether `measure` is given numbers of spikes, 0 to D; of ReLUs, which send none, 0 or 1 as before.
    """

    name: str
    summary: str
    source: str
    measure: Callable[[Tensor], Any]
    combine: Callable[[Sequence[Measured]], float]
    copies: tuple[float, ...] = ()
    counts: bool = False
    weigh: Callable[[float, Plan], float] | None = None


@dataclass(frozen=True)
class Probe:
    """A probe is a network with fresh random weights and a batch to try it on.

    A score may use its gradients and hooks but leaves none of them behind.

    Attributes:
        network: Network in eval mode (dropout off), but BatchNorm uses the batch's own statistics and keeps its running
            ones.
        images: Normalised images, [B, C, H, W], or event frames, [T, B, C, H, W], on the network's device.
        labels: Classes of the images, [B], int64, on the same device.
        seed: Seed of the run.
        repeat: Number of this initialisation among those of the fidelity.
    """

    network: Network
    images: Tensor
    labels: Tensor
    seed: int
    repeat: int

    @property
    def plan(self) -> Plan:
        """Plan that the network was built from."""
        return self.network.plan

    def generator(self, key: str) -> torch.Generator:
        """Make a generator (on the CPU) of random numbers that depend on the seed, the repeat and the key alone."""
        return torch.Generator().manual_seed(seed_of(self.seed, self.repeat, key))


@dataclass(frozen=True)
class NetworkScore:
    """A network score needs gradients or the whole network.

    Attributes:
        name: Name on the command line.
        summary: One line that describes the score.
        source: Paper or code that the score is from, in words.
        compute: Function from a probe to the score; higher is better, and NaN, an infinity or a decomposition that
            fails counts as -inf.
    """

    name: str
    summary: str
    source: str
    compute: Callable[[Probe], float]


@dataclass(frozen=True)
class PlanScore:
    """A plan score needs no network: it depends on no weights and no images.

    Attributes:
        name: Name on the command line.
        summary: One line that describes the score.
        source: Paper or code that the score is from, in words.
        compute: Function from a plan to the score; higher is better.
        within: The same, given what can be computed in the training (see `capacity`); None where that is no matter.
    """

    name: str
    summary: str
    source: str
    compute: Callable[[Plan], float]
    within: Callable[[Plan, float], float] | None = None
