"""Score networks by the common-mode rejection of their spikes; this is our score, and the default.

An amplifier is rated by its common-mode rejection ratio: how much its output follows the difference that it is to
amplify, over how much it follows what all inputs have in common. Here the difference is between images. What they have
in common is that neurons fire at all, and when: the level of the firing rate, and how it goes up and down with the
clock. For each LIF layer l with maps, on a batch of images and a copy of it with a little noise,

    response_l = spikes that flip between image and copy / spikes on the images
    level_l    = mean of the firing rate p_l(t) over the timesteps, p_l(t) over images and neurons
    clock_l    = variance of p_l(t) over the timesteps

    signal     = (mean_l sqrt(response_l))^2
    common     = sqrt(mean_l level_l * mean_l clock_l)
    score      = 10 log10(signal / common)   in decibels

Flips are a power: what the next layer gets of them is the length of a vector, their square root. So amplitudes are
averaged. Response is high where differences survive and grow through many spiking layers with neurons near their
threshold. Where not one spike of a layer flips, half a flip is assumed, the limit of what was observed. The common
mode is high where many neurons fire, or fire in step, whatever their input: such spikes cost without telling images
apart. With one timestep there is no clock, and the common mode is the level's square root.

How well signals pass says nothing of how much can be learnt from them. `cmrr-params` multiplies the two, the number of
learnable parameters by the ratio: 10 log10(params * signal / common).

Source: ours. Sensitivity and liveness of spikes were known to predict accuracy; docs/scores.md has the ablation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pvariance

from torch import Tensor

from spikenas.scores.baselines import params
from spikenas.scores.probe import Measured, SpikeScore
from spikenas.space.plan import Plan

NOISE = 1e-3


@dataclass(frozen=True)
class Rejection:
    """A rejection describes how one layer responds to noise, and how it fires.

    Attributes:
        flips: Number of spikes that flip between image and copy.
        looked_at: Number of neurons times images, at one timestep.
        fired: Number of spikes on the images at each timestep.
    """

    flips: float
    looked_at: int
    fired: tuple[float, ...]

    @property
    def amplitude(self) -> float:
        """Root of the flips per spike.

        At least half a flip is assumed, and all neurons count as having fired where none did.
        """
        return math.sqrt((self.flips or 0.5) / (sum(self.fired) or self.looked_at * len(self.fired)))

    @property
    def level(self) -> float:
        """Mean firing rate."""
        return fmean(self.fired) / self.looked_at

    @property
    def clock(self) -> float:
        """Variance of the firing rate over the timesteps, at least that of one spike more in one of them."""
        T = len(self.fired)
        return max(pvariance(self.fired), (T - 1) / T**2) / self.looked_at**2


def measure_rejection(spikes: Tensor) -> Rejection | None:
    """Measure how one layer responds to noise, and how it fires.

    Args:
        spikes: Spikes, 0 or 1, [T, 2B, C, H, W]: B images, then their copies with noise.

    Returns:
        The measures of the layer; None for a layer without maps, [T, 2B, N].
    """
    if spikes.dim() != 5:
        return None
    images, copies = spikes.chunk(2, dim=1)
    fired = _counted(images).sum(1)
    flips = _counted((images - copies).abs_()).sum()
    return Rejection(float(flips), images[0].numel(), tuple(fired.tolist()))


def _counted(spikes: Tensor) -> Tensor:
    """Count the spikes [T, B, C, H, W] of each image; those of one are few enough for float32, which is faster."""
    return spikes.sum((2, 3, 4)).double()


def combine_rejection(layers: Sequence[Measured]) -> float:
    """Compute the score from all layers; it is -inf where nothing fires."""
    measured: list[Rejection] = [layer.summary for layer in layers if layer.summary is not None]
    if not any(sum(layer.fired) for layer in measured):
        return -math.inf
    signal = fmean(layer.amplitude for layer in measured) ** 2
    common = fmean(layer.level for layer in measured)
    if any(len(layer.fired) > 1 for layer in measured):
        common *= fmean(layer.clock for layer in measured)
    return 10 * math.log10(signal / math.sqrt(common))


def with_params(score: float, plan: Plan) -> float:
    """Return a score in decibels, with the parameters of the plan in decibels."""
    return score + 10 * math.log10(params(plan))


CMRR = SpikeScore(
    "cmrr",
    "Common-mode rejection: spikes follow the image, not the clock",
    "this project",
    measure_rejection,
    combine_rejection,
    copies=(NOISE,),
)
CMRR_PARAMS = replace(
    CMRR,
    name="cmrr-params",
    summary="Common-mode rejection times parameters, in decibels",
    weigh=with_params,
)
