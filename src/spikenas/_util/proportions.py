"""Compute confidence intervals of shares, and of differences between them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An interval of a share, or of a difference of shares."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.1%} to {self.high:.1%}"


def wilson(share: float, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval of a share.

    Args:
        share: The share, 0 to 1.
        count: Number of items that it is a share of, at least one.
        confidence: Probability that the interval covers the true share.
    Source: Wilson 1927, Journal of the American Statistical Association 22, 209.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = ((middle + sign * half) / (1 + z * z / count) for sign in (-1, 1))
    return Interval(min(share, max(0.0, low)), max(share, min(1.0, high)))


def difference(
    first: float, first_count: int, second: float, second_count: int, confidence: float = CONFIDENCE
) -> Interval:
    """Return Newcombe's interval of the difference of two shares of independent items, `first` less `second`.

    Args:
        first: A share, 0 to 1.
        first_count: Number of items that it is a share of.
        second: The share that is taken from it.
        second_count: Number of items of that one.
        confidence: Probability that the interval covers the true difference.
    Source: Newcombe 1998, Statistics in Medicine 17, 873, method 10.
    """
    a, b = wilson(first, first_count, confidence), wilson(second, second_count, confidence)
    return Interval(
        first - second - math.hypot(first - a.low, b.high - second),
        first - second + math.hypot(a.high - first, second - b.low),
    )
