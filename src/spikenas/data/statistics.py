"""Compute the mean and standard deviation of the channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spikenas.data.dataset import DataSet

_STATISTICS_SEED = 2
_CHUNK = 64


class Statistics(NamedTuple):
    """Statistics describe each channel: of images in units of the full scale, 0 to 1; of event frames as they are.

    Attributes:
        mean: Mean of each channel, [C].
        std: Standard deviation of each channel, [C].
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def channel_statistics(dataset: DataSet, seed: int, samples: int = 2000) -> Statistics:
    """Compute mean and standard deviation of each channel over training items.

    Args:
        dataset: Data set whose training split is read, nothing else.
        seed: Seed of the choice of items.
        samples: Most items that are read.

    Returns:
        Statistics of each channel, [C]; a standard deviation is 1 where the channel is constant.

    Raises:
        DataError: An item cannot be decoded.
    """
    rng = np.random.default_rng((seed, _STATISTICS_SEED))
    total = len(dataset.train)
    chosen = np.sort(rng.choice(total, size=min(samples, total), replace=False))
    channels = dataset.shape[0]
    count, sums, squares = 0, np.zeros(channels), np.zeros(channels)
    for start in range(0, len(chosen), _CHUNK):
        batch = dataset.train.fetch(chosen[start : start + _CHUNK])
        values = np.moveaxis(batch, -3, 0).reshape(channels, -1).astype(np.float64)
        if dataset.static:
            values /= 255
        count += values.shape[1]
        sums += values.sum(axis=1)
        squares += (values**2).sum(axis=1)
    mean, power = sums / count, squares / count
    variance = power - mean**2
    constant = variance <= 1e-12 * power  # rounding leaves about 1e-16
    std = np.where(constant, 1.0, np.sqrt(np.where(constant, 1.0, variance)))
    return Statistics(tuple(mean.tolist()), tuple(std.tolist()))
