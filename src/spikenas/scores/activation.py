"""Make scores from the spikes of an untrained network: how well they tell samples, neurons and channels apart.

docs/scores.md has each formula, where it is from and what a spiking network changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from spikenas.scores.probe import Measured, SpikeScore
from spikenas.scores.sahd import log_det


def agreement(spikes: Tensor) -> Tensor:
    """Count the neurons and timesteps in which two samples agree: N T minus the Hamming distance of their codes.

    Args:
        spikes: Spikes, 0 or 1, [T, B, ...].

    Returns:
        Counts, [B, B], float64.
    """
    code = spikes.transpose(0, 1).flatten(1).float()
    both = (code @ code.T).double()  # float32 counts exactly up to 2^24
    fired = both.diagonal()
    return code.shape[1] - (fired[:, None] + fired[None, :] - 2 * both)


def distinct_patterns(spikes: Tensor) -> int:
    """Count the distinct patterns over the batch, where every neuron has one at every timestep.

    Args:
        spikes: Spikes, 0 or 1, [T, B, ...].
    """
    code = torch.zeros(spikes[:, 0].numel(), dtype=torch.int64, device=spikes.device)
    for number, sample in enumerate(spikes.unbind(1), start=1):
        code = 2 * code + sample.flatten().long()
        if number % 32 == 0:  # 32 samples on top of a number of patterns fit 63 bits
            code = torch.unique(code, return_inverse=True)[1]
    return len(torch.unique(code))


def live_share(spikes: Tensor) -> float:
    """Return the share of neurons that fire at least once in the batch; spikes are [T, B, ...]."""
    return float(spikes.flatten(2).sum((0, 1), dtype=torch.float32).gt(0).double().mean())


def count_entropy(spikes: Tensor) -> float:
    """Return the entropy in nats of a neuron's spike count over the samples, as the mean over the neurons.

    Args:
        spikes: Numbers of spikes, [T, B, ...].
    """
    counts = spikes.flatten(2).sum(0)
    most = max(len(spikes), int(counts.max())) if counts.numel() else 0
    shares = torch.stack([(counts == count).sum(0) for count in range(most + 1)]).double() / len(counts)
    return float(torch.special.entr(shares).sum(0).mean())


def component_entropy(spikes: Tensor) -> float:
    """Return the entropy in nats of the shares of variance of the channels' principal components.

    Args:
        spikes: Spikes, 0 or 1, [T, B, C, ...]; every timestep, sample and pixel is an observation of the C channels.

    Returns:
        The entropy; 0 where nothing varies.
    """
    variances = torch.linalg.eigvalsh(_covariance(spikes)).clamp(min=0)
    total = variances.sum()
    return float(torch.special.entr(variances / total).sum()) if total > 0 else 0.0


def least_eigenvalue(spikes: Tensor) -> float:
    """Return the least eigenvalue of the channels' correlation.

    A channel that never varies correlates with none, nor with itself.

    Args:
        spikes: Spikes, 0 or 1, [T, B, C, ...]; every timestep, sample and pixel is an observation of the C channels.
    """
    covariance = _covariance(spikes)
    deviation = covariance.diagonal().clamp(min=0).sqrt()
    correlation = covariance / (deviation[:, None] * deviation[None, :])
    correlation = torch.where(torch.isfinite(correlation), correlation, 0.0)
    return float(torch.linalg.eigvalsh(correlation)[0])


def _covariance(spikes: Tensor) -> Tensor:
    """Return the covariance of the channels, [C, C], float64."""
    channels = spikes.movedim(2, 0).flatten(1).float()
    both = (channels @ channels.T).double() / channels.shape[1]  # float32 counts exactly up to 2^24
    mean = both.diagonal()  # a spike is its own square
    return both - mean[:, None] * mean[None, :]


def _naswot(layers: Sequence[Measured]) -> float:
    return log_det(torch.stack([layer.summary * layer.edges for layer in layers]).sum(0))


def _mean(layers: Sequence[Measured]) -> float:
    return fmean(layer.summary for layer in layers)


def _sum(layers: Sequence[Measured]) -> float:
    return float(sum(layer.summary for layer in layers))


def _firing_rate(spikes: Tensor) -> float:
    return float(spikes.mean(dtype=torch.float32))


NASWOT = SpikeScore("naswot", "log|det| of the agreement of spike codes", "Mellor et al. 2021", agreement, _naswot)
SWAP = SpikeScore(
    "swap", "number of distinct patterns over the batch", "SWAP, Peng et al. 2024", distinct_patterns, _sum
)
EXPRESSIVITY = SpikeScore(
    "expressivity", "entropy of principal components, sum", "AZ-NAS, Lee and Ham 2024", component_entropy, _sum
)
MECO = SpikeScore(
    "meco", "least eigenvalue of channel correlations, sum", "MeCo, Jiang et al. 2023", least_eigenvalue, _sum
)
FIRING_RATE = SpikeScore(
    "firing-rate", "spikes per neuron and timestep, mean of the layers", "baseline", _firing_rate, _mean, counts=True
)
LIVE_NEURONS = SpikeScore(
    "live-neurons", "share of neurons that fire at all, mean of the layers", "baseline", live_share, _mean
)
COUNT_ENTROPY = SpikeScore(
    "count-entropy", "entropy of spike counts, mean of the layers", "baseline", count_entropy, _mean, counts=True
)
