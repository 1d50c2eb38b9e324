"""Common-mode rejection of spikes: our score, and the default.

An amplifier is judged by its common-mode rejection ratio: how much its output follows the difference that it is to
amplify, over how much it follows what all inputs have in common. Here the difference is between images, and what they
have in common is the clock and the wiring: at timestep t, channel c fires at some rate whatever the image. For each LIF
layer l with maps, on a batch of images and a copy of it with a little noise,

    response_l = spikes that flip between image and copy / spikes on the images
    common_l   = variance over t and c of the firing rate p_l(t, c), a mean over images and positions

    score = 10 log10( mean_l response_l / mean_l common_l )   in decibels

Response is high where differences survive and grow through many spiking layers, each with many neurons near their
threshold; a layer without spikes has none. Where not one spike of the network flips, half a flip is assumed, the limit
of what was looked at. The common mode is high where neurons fire in step, or at high rates,
whatever they see: such spikes cost without telling images apart.

Source: ours. Sensitivity and liveness of spikes were known to predict accuracy; docs/scores.md has the ablation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from torch import Tensor

from spikenas.score.probe import Measured, SpikeScore

NOISE = 1e-3


def measure_rejection(spikes: Tensor) -> tuple[float, float, float] | None:
    """What one layer does.

    Args:
        spikes: 0 or 1, [T, 2B, C, H, W]: B images, then their copies with noise.
    Returns:
        Number of flips, number of spikes on the images and variance of the rates; None for a layer without maps,
        [T, 2B, N].
    """
    if spikes.dim() != 5:
        return None
    images, copies = spikes.chunk(2, dim=1)
    fired = images.sum((1, 3, 4)).double()
    flips = float((images != copies).sum())
    rates = fired / (images[0, :, 0].numel())
    return flips, float(fired.sum()), float(rates.var(correction=0))


def combine_rejection(layers: Sequence[Measured]) -> float:
    """The score from all layers; -inf where nothing fires."""
    measured: list[tuple[float, float, float]] = [layer.summary for layer in layers if layer.summary is not None]
    spikes = sum(fired for _, fired, _ in measured)
    if not spikes:
        return -math.inf
    response = fmean(flips / fired if fired else 0.0 for flips, fired, _ in measured) or 0.5 / spikes
    common = fmean(common for _, _, common in measured)
    return 10 * math.log10(response / common) if common else -math.inf


SCORES = (
    SpikeScore(
        "cmrr",
        "Common-mode rejection: spikes follow the image, not the clock",
        "this project",
        measure_rejection,
        combine_rejection,
        copies=(NOISE,),
    ),
)
