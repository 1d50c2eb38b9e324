"""The evaluation of a trained network measures accuracy, spikes and operations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikenas._util.class_figures import Figures
from spikenas.data import Split
from spikenas.data.transforms import normalise
from spikenas.snn.network import SpikeTrain
from spikenas.snn.synops import fan_out, multiplications_of
from spikenas.training.tally import Mistake, Tally

if TYPE_CHECKING:
    from spikenas.training.checkpoint import Model


@dataclass(frozen=True, repr=False)
class Evaluation:
    """An evaluation says what a trained network does on labelled images.

    Attributes:
        figures: Accuracy with its interval, balanced accuracy, recall and precision by class.
        firing_rates: Spikes per neuron per timestep, by layer of neurons; empty for ReLUs, which send none.
        active_shares: Share of the neurons that send a spike at a timestep, by layer; empty where they send one at
            most, so that it is the firing rate, and for ReLUs.
        synops: Number of additions that spikes cause in convolutions and linear layers, per inference, each of the
            spikes that a neuron sends counted; None for ReLUs.
        synops_by_layer: The same number by the layer of neurons whose spikes cause the additions.
        macs: Number of multiplications by values that are no spikes (stem, behind depthwise and pooling; of a network
            of ReLUs all), per inference.
        confusion: Numbers of images, [true class][predicted class].
        mistakes: The worst mistakes, at most `spikenas.training.tally.MISTAKES`, the worst first.
        seconds: Wall time of the forward passes.
    """

    figures: Figures
    firing_rates: dict[str, float]
    active_shares: dict[str, float]
    synops: float | None
    synops_by_layer: dict[str, float]
    macs: float
    confusion: list[list[int]]
    mistakes: list[Mistake]
    seconds: float

    @property
    def accuracy(self) -> float:
        """Share of the images that are classified correctly."""
        return self.figures.accuracy

    @property
    def images(self) -> int:
        """Number of images."""
        return self.figures.items

    def __repr__(self) -> str:
        operations = f"{self.macs:,.0f} macs" if self.synops is None else f"{self.synops:,.0f} synops"
        return f"Evaluation: {self.figures}, {operations} an inference"


@torch.no_grad()
def evaluate(
    model: Model,
    split: Split,
    device: str = "cpu",
    batch: int = 128,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Run every image of a split through a network.

    Args:
        model: The network and its statistics.
        split: Images and labels.
        device: Device that computes.
        batch: Number of images at a time.
        progress: Called with the number of images done and that of all images.
    Returns:
        Accuracy, spikes, operations and mistakes.
    Raises:
        RunError: The split has no images, or labels that the network has no output for.
    """
    network, plan = model.network.to(device).eval(), model.network.plan
    spiking = plan.network.is_spiking
    tally = Tally(split, model.classes)
    sent: dict[str, Tensor] = {}
    active: dict[str, float] = {}
    timesteps: dict[str, int] = {}
    start = time.perf_counter()
    for first in range(0, len(split), batch):
        indices = range(first, min(first + batch, len(split)))
        images = torch.from_numpy(split.fetch(indices)).to(device)
        x = normalise(images, model.statistics.mean, model.statistics.std)
        record: list[SpikeTrain] = []
        tally.add(network(x if plan.input.static else x.transpose(0, 1), record if spiking else None), first)
        for train in record:
            timesteps[train.name] = len(train.spikes)
            counts = train.spikes.sum((0, 1), dtype=torch.float64).cpu()
            sent[train.name] = sent.get(train.name, torch.zeros_like(counts)) + counts
            if plan.levels > 1:
                share = float((train.spikes > 0).double().mean()) * len(indices) / len(split)
                active[train.name] = active.get(train.name, 0.0) + share
        progress(indices.stop, len(split))
    images_done = len(split)
    synops = {
        name: float((counts * fan_out(plan, plan.by_name[name])).sum()) / images_done for name, counts in sent.items()
    }
    return Evaluation(
        figures=tally.figures,
        firing_rates={name: float(counts.mean()) / images_done / timesteps[name] for name, counts in sent.items()},
        active_shares=active,
        synops=sum(synops.values()) if spiking else None,
        synops_by_layer=synops,
        macs=float(sum(multiplications_of(plan, layer) for layer in plan.layers)),
        confusion=tally.confusion,
        mistakes=tally.mistakes,
        seconds=time.perf_counter() - start,
    )
