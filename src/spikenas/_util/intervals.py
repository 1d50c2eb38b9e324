"""Confidence intervals of means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from scipy.stats import t as student


def half_width(values: Sequence[float], confidence: float = 0.95) -> float:
    """Half of the interval of their mean by Student's t distribution; of at least two values."""
    quantile = float(student.ppf((1 + confidence) / 2, len(values) - 1))
    return quantile * stdev(values) / math.sqrt(len(values))
