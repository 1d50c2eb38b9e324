"""Compute confidence intervals of means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from scipy.stats import t as student


def half_width(values: Sequence[float], confidence: float = 0.95) -> float:
    """Return half the width of the confidence interval of a mean, by Student's t distribution.

    Args:
        values: Values whose mean it is, at least two.
        confidence: Probability that the interval covers the mean.
    """
    quantile = float(student.ppf((1 + confidence) / 2, len(values) - 1))
    return quantile * stdev(values) / math.sqrt(len(values))
