"""Compute the sparsity-aware Hamming distance (SAHD) of spike trains, and the scores made from it.

Two samples that an untrained network tells apart have different spikes. The Hamming distance of two rows is compared
with what two random rows of their firing rates r_i, r_j would have, P_ij = r_i (1 - r_j) + (1 - r_i) r_j:

    K_ij = N - 0.5 H_ij / (N P_ij + 1e-3)     SNASNet's code
    K_ij = N - 0.5 H_ij / (P_ij + 1e-3)       SpikeNAS-Bench's code

Source: Kim et al. 2022, arXiv 2201.10355, section 3.3, and the published code of both; the firing rates here are those
of each sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from spikenas._util.errors import ScoreError
from spikenas.scores.probe import SpikeScore

Variant = Literal["snasnet", "bench"]
Reduction = Literal["mean", "sum"]
_EPSILON = 1e-3


def sahd_kernel(spikes: Tensor, variant: Variant = "snasnet") -> Tensor:
    """Compute the kernels of one layer, one for each timestep.

    Args:
        spikes: Spikes, 0 or 1, [T, B, ...]; float or bool.
        variant: Whether the expected distance counts all N neurons (`snasnet`) or is a rate (`bench`).

    Returns:
        Kernels K, [T, B, B], float64.

    Raises:
        ScoreError: There are fewer than two samples, no neurons, or values other than 0 and 1.
    """
    if spikes.dim() < 3 or spikes.shape[1] < 2 or spikes[0, 0].numel() == 0:
        raise ScoreError(f"spikes must be [T, B, ...] with at least 2 samples and 1 neuron, got {list(spikes.shape)}")
    x = spikes.detach().movedim(2, -1).flatten(2).float()  # channels last, as the engine has them: no copy
    if not ((x == 0) | (x == 1)).all():
        raise ScoreError("spikes must be 0 or 1")
    N = x.shape[2]
    both = (x @ x.transpose(1, 2)).double()  # float32 counts exactly up to 2^24 neurons
    fired = torch.diagonal(both, dim1=1, dim2=2)
    distance = fired[:, :, None] + fired[:, None, :] - 2 * both
    rate = fired / N
    expected = rate[:, :, None] * (1 - rate[:, None, :]) + (1 - rate[:, :, None]) * rate[:, None, :]
    return N - 0.5 * distance / ((N * expected if variant == "snasnet" else expected) + _EPSILON)


def sahd_score(
    layers: Iterable[tuple[Tensor, int]], variant: Variant = "snasnet", reduction: Reduction = "mean"
) -> float:
    """Compute log|det| of the kernels' mean or sum over all layers and timesteps.

    A layer that several ops share counts once for each of them.

    Args:
        layers: Spikes that every LIF layer emitted, [T, B, ...], and the number of ops that read it.
        variant: Whether the expected distance counts all N neurons (`snasnet`) or is a rate (`bench`).
        reduction: Whether the kernels' `mean` or `sum` over layers and timesteps is taken.

    Returns:
        The score; higher is better, -inf when the kernel is singular or not finite.

    Raises:
        ScoreError: There are no spikes at all, or spikes of a wrong shape.
    """
    return _combine([(_measure(spikes, variant), edges) for spikes, edges in layers], reduction)


def _measure(spikes: Tensor, variant: Variant) -> tuple[Tensor, int]:
    return sahd_kernel(spikes, variant).sum(0), spikes.shape[0]


def _combine(layers: Sequence[tuple[tuple[Tensor, int], int]], reduction: Reduction) -> float:
    if not layers:
        raise ScoreError("a score needs at least one layer of spikes")
    total = sum((kernel * edges for (kernel, _), edges in layers[1:]), layers[0][0][0] * layers[0][1])
    count = sum(timesteps * edges for (_, timesteps), edges in layers)
    return log_det(total / count if reduction == "mean" else total)


def log_det(kernel: Tensor) -> float:
    """Compute log|det| of a square matrix; it is -inf when the matrix is singular or not finite."""
    if not torch.isfinite(kernel).all():
        return -math.inf
    value = float(torch.linalg.slogdet(kernel.double()).logabsdet)
    return value if math.isfinite(value) else -math.inf


def _sahd(name: str, summary: str, variant: Variant, reduction: Reduction) -> SpikeScore:
    return SpikeScore(
        name,
        summary,
        f"{'SNASNet, Kim et al. 2022' if variant == 'snasnet' else 'SpikeNAS-Bench'}, published code",
        measure=lambda spikes: _measure(spikes, variant),
        combine=lambda layers: _combine([(layer.summary, layer.edges) for layer in layers], reduction),
    )


SAHD = _sahd("sahd", "SNASNet's SAHD, mean over layers and timesteps", "snasnet", "mean")
SAHD_SUM = _sahd("sahd-sum", "SNASNet's SAHD, sum over layers and timesteps", "snasnet", "sum")
SAHD_BENCH = _sahd("sahd-bench", "SpikeNAS-Bench's SAHD, mean over layers and timesteps", "bench", "mean")
SAHD_BENCH_SUM = _sahd("sahd-bench-sum", "SpikeNAS-Bench's SAHD, sum over layers and timesteps", "bench", "sum")
