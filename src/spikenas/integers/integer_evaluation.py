"""Makes 8-bit input, and runs integer networks on labelled items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from spikenas._util.class_figures import Figures
from spikenas._util.errors import RunError
from spikenas.data import DataSet, Split
from spikenas.integers.tensors import run_batch
from spikenas.snn.synops import fan_out
from spikenas.training.tally import Mistake, Tally

if TYPE_CHECKING:
    from spikenas.integers.integers import IntegerNetwork

_SAMPLE = 256  # items that the scale of an input is taken from


def input_scale(dataset: DataSet) -> float:
    """Return what one step of an 8-bit input stands for, in the data's scale.

    For images it is 1/255, for event frames one event.
    Frames with more than 255 events, or with fractions, are scaled to the largest of a sample of the training frames;
    larger ones are cut off.

    Raises:
        RunError: The frames have negative values.
    """
    items = len(dataset.train)
    frames = dataset.train.fetch(np.linspace(0, items - 1, min(_SAMPLE, items)).astype(np.int64))
    if frames.dtype == np.uint8:
        return 1 / 255
    if frames.min() < 0:
        raise RunError("the event frames have negative values; an 8-bit input has none: give polarities as channels")
    largest = float(frames.max())
    counts = largest <= 255 and bool((frames == np.rint(frames)).all())
    return 1.0 if counts or largest == 0 else largest / 255


def as_bytes(items: NDArray[np.generic], scale: float) -> NDArray[np.uint8]:
    """Return items as an integer network takes them: [frames, N, C, H, W] of [N, C, H, W] or [N, T, C, H, W]."""
    whole = items if items.dtype == np.uint8 else np.clip(np.rint(items.astype(np.float64) / scale), 0, 255)
    frames = whole.astype(np.uint8)
    return frames[None] if frames.ndim == 4 else np.moveaxis(frames, 1, 0)


def synops_of(network: IntegerNetwork, frames: NDArray[np.uint8]) -> float | None:
    """Count the additions that spikes cause, for one inference on average, each spike of a neuron counted.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, B, C, H, W].
    Returns:
        Additions; None where neurons send activations, not spikes.
    """
    if not network.plan.network.is_spiking:
        return None
    fired: dict[str, torch.Tensor] = {}
    run_batch(network, torch.from_numpy(frames), fired=fired)
    plan, additions = network.plan, 0.0
    for name, bits in fired.items():
        counts = sum(count * 2**bit for bit, count in enumerate(bits[:-1]))
        additions += float((counts * fan_out(plan, plan.by_name[name])).sum())
    return additions / int(frames.shape[1])


def bit_shares_of(network: IntegerNetwork, frames: NDArray[np.uint8]) -> dict[str, tuple[float, ...]]:
    """Return by layer of neurons how often each bit of the number of spikes that a neuron sends is set.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, B, C, H, W].
    """
    fired: dict[str, torch.Tensor] = {}
    run_batch(network, torch.from_numpy(frames), fired=fired)
    calls = int(frames.shape[1]) * network.plan.network.timesteps
    return {name: tuple(float(bit.mean()) / calls for bit in bits[:-1]) for name, bits in fired.items()}


@dataclass(frozen=True, repr=False)
class IntegerEvaluation:
    """Holds what an integer network does on labelled items.

    Attributes:
        figures: Accuracy with its interval, balanced accuracy, recall and precision by class.
        confusion: Numbers of items, [true class][predicted class].
        mistakes: The worst mistakes, at most `spikenas.training.tally.MISTAKES`, the worst first.
        predictions: Class of each item.
        clipped: The share, by layer of neurons, of updates at which a membrane is too short.
    """

    figures: Figures
    confusion: list[list[int]]
    mistakes: list[Mistake]
    predictions: NDArray[np.int64]
    clipped: dict[str, float]

    @property
    def accuracy(self) -> float:
        """Share of the items that is classified correctly."""
        return self.figures.accuracy

    def __repr__(self) -> str:
        return f"IntegerEvaluation: {self.figures}"


def evaluate_integers(
    network: IntegerNetwork,
    split: Split,
    device: str = "cpu",
    batch: int = 128,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> IntegerEvaluation:
    """Run every item of a split through an integer network.

    Args:
        network: The integers.
        split: Items and labels.
        device: The device to compute on.
        batch: Number of items at a time.
        progress: A function that is called with the numbers of items done and of all items.
    Raises:
        RunError: The split has no items, or labels that the network has no output for.
    """
    tally, found = Tally(split, network.classes), []
    clipped: dict[str, tuple[int, int]] = {}
    for first in range(0, len(split), batch):
        items = split.fetch(range(first, min(first + batch, len(split))))
        frames = torch.from_numpy(as_bytes(items, network.input_scale)).to(device)
        scores = run_batch(network, frames, clipped).cpu().double() * network.score_scale
        tally.add(scores, first)
        found.append(scores.argmax(1).numpy())
        progress(min(first + batch, len(split)), len(split))
    predictions = np.concatenate(found).astype(np.int64)
    shares = {name: short / updates for name, (short, updates) in clipped.items() if short}
    return IntegerEvaluation(tally.figures, tally.confusion, tally.mistakes, predictions, shares)
