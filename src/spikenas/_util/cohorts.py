"""Estimate what the training cohort did to accuracies: an additive effect of each block of rows trained together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_OUTLIER = 6.0  # robust standard deviations from the fit; a failed training is tens of them away
_TOLERANCE = 0.02  # two points: rows no further from the fit than this are never outliers


@dataclass(frozen=True)
class Cohorts:
    """This class holds the effects of cohorts.

    Attributes:
        effects: Effect of each cohort, to be subtracted; the mean over the rows of cohorts that can be compared is 0.
        estimated: Number of effects that are free, which a standard deviation after the adjustment must count.
    """

    effects: dict[int, float]
    estimated: int


def estimate(values: Sequence[float], networks: Sequence[Hashable], cohorts: Sequence[int]) -> Cohorts:
    """Fit value = network + cohort by least squares.

    Only networks that several cohorts trained say anything about cohorts. Cohorts joined by such networks, directly or
    through others, can be compared; the mean effect over the rows of each such set is made 0, so a cohort joined to
    none has 0. Values further than six robust standard deviations and two points from a first fit are left out of the
    second.

    Args:
        values: Value of each row, as a fraction.
        networks: Network of each row.
        cohorts: Cohort of each row.
    """
    if not values:
        return Cohorts({}, 0)
    y = np.asarray(values, dtype=np.float64)
    index: dict[Hashable, int] = {}
    n = np.array([index.setdefault(network, len(index)) for network in networks])
    names, b = np.unique(np.asarray(cohorts), return_inverse=True)
    effects, _ = _fit(y, n, b, len(names))
    residual = _within(y - effects[b], n)
    repeated = np.bincount(n)[n] > 1
    scale = 1.4826 * float(np.median(np.abs(residual[repeated]))) if repeated.any() else 0.0
    kept = np.abs(residual) <= max(_OUTLIER * scale, _TOLERANCE)
    effects, estimated = _fit(y[kept], n[kept], b[kept], len(names))
    return Cohorts({int(name): float(effect) for name, effect in zip(names, effects, strict=True)}, estimated)


def _fit(
    y: NDArray[np.float64], n: NDArray[np.intp], b: NDArray[np.intp], cohorts: int
) -> tuple[NDArray[np.float64], int]:
    """Return the effects [cohorts], and how many are free.

    The networks' means are eliminated, which leaves one equation a cohort. The matrix of these equations is the
    Laplacian of the graph whose nodes are cohorts, joined by the networks they share.
    """
    counts = np.zeros((int(n.max()) + 1, cohorts))
    np.add.at(counts, (n, b), 1.0)
    rows = counts.sum(axis=1, keepdims=True)
    matrix = np.diag(counts.sum(axis=0)) - (counts / np.maximum(rows, 1)).T @ counts
    effects = np.linalg.lstsq(matrix, np.bincount(b, _within(y, n), cohorts), rcond=1e-10)[0]
    sets = _joined(counts)
    for number in range(sets.max() + 1):
        members, weights = sets == number, counts.sum(axis=0)
        total = float(weights[members].sum())
        effects[members] -= float((effects * weights)[members].sum()) / total if total else effects[members]
    return effects, cohorts - int(sets.max()) - 1


def _within(y: NDArray[np.float64], n: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the values less their network's mean."""
    means: NDArray[np.float64] = np.bincount(n, y) / np.maximum(np.bincount(n), 1)
    return y - means[n]


def _joined(counts: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return, for each cohort, the number of the set of comparable cohorts that it is in."""
    shared = (counts.T @ counts) > 0
    sets = np.full(len(shared), -1, dtype=np.intp)
    for start in range(len(shared)):
        if sets[start] < 0:
            reached = np.zeros(len(shared), dtype=bool)
            reached[start] = True
            while (more := shared[reached].any(axis=0) | reached).sum() > reached.sum():
                reached = more
            sets[reached] = sets.max() + 1
    return sets
