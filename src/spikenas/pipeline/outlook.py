"""How far designs come: in a second of a race, and in the final training. By that, a race weighs what it has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from spikenas.config import SEARCH_SHARE, Config
from spikenas.scores.baselines import capacity, cost, shortfall
from spikenas.space import Design
from spikenas.task import Task
from spikenas.training.pace import pace, times_faster

_STEPS = 100  # of an epoch that counts as one

# Accuracies are compared as logits, log(p / (1 - p)), so that what was measured on one data set goes for others.
_LONG, _SHORT = 0.8, 0.1  # accuracy of long trainings where `shortfall` was measured, and the least that it says
_SURE = 0.001  # an accuracy is not nearer to 0 or 1
_POINT = 1 / (100 * _LONG * (1 - _LONG))  # a point of accuracy there
_OF_SCORE = 3 * _POINT  # standard deviation of `capacity` among designs that race
_OF_GAIN, _OF_ACCURACY = 0.12, _POINT  # of what is gained, as a share of it; of a training that is made again


class Outlook(NamedTuple):
    """How often a design sees each item, an epoch of few steps counted as a part of one, and what it is worth by that.

    Attributes:
        pace: In a race, for each second or epoch of its length.
        epochs: In the final training.
        score: Its `capacity`, in points of accuracy.
    """

    pace: float
    epochs: float
    score: float

    def gain(self, length: float) -> float:
        """Return the logit that is expected to be gained from a training of a race to the final one."""
        return _reached(self.epochs) - _reached(self.pace * length)


def expected(accuracies: Sequence[float], outlooks: Sequence[Outlook], length: float, items: int) -> list[float]:
    """Return the accuracies that are expected of designs after the final training, shares.

    Each is a mean of what a training of a race came to, with what is still to be gained, and of what the score says
    beside those of the others, weighted by how sure they are: the training the less the shorter it was, and the fewer
    items its accuracy is of.

    Args:
        accuracies: Of the designs after a training of this length, shares.
        outlooks: Of the same designs.
        length: Length of the training, seconds or epochs.
        items: Number of items that the accuracies are of.
    """
    gains = [one.gain(length) for one in outlooks]
    seen = [_logit(accuracy) + gain for accuracy, gain in zip(accuracies, gains, strict=True)]
    said = [_POINT * one.score for one in outlooks]
    chances = [_chance(accuracy, items) for accuracy in accuracies]
    doubts = [_OF_ACCURACY**2 + chance + (_OF_GAIN * gain) ** 2 for chance, gain in zip(chances, gains, strict=True)]
    weights = [1 / (_OF_SCORE**2 + doubt) for doubt in doubts]
    level = math.fsum(w * (a - b) for w, a, b in zip(weights, seen, said, strict=True)) / math.fsum(weights)
    shares = [_OF_SCORE**2 / (_OF_SCORE**2 + doubt) for doubt in doubts]
    found = (share * a + (1 - share) * (b + level) for share, a, b in zip(shares, seen, said, strict=True))
    return [1 / (1 + math.exp(-logit)) for logit in found]


def _logit(share: float) -> float:
    share = min(1 - _SURE, max(_SURE, share))
    return math.log(share / (1 - share))


def _chance(share: float, items: int) -> float:
    """Return the variance of a logit by which items happened to be drawn."""
    return 1 / (share * items + 0.5) + 1 / ((1 - share) * items + 0.5)


def _reached(epochs: float) -> float:
    return _logit(max(_SHORT, _LONG - shortfall(epochs) / 100))


def training_seconds(config: Config) -> float | None:
    """Return about how long the final training is; None where it is in epochs."""
    return config.train.time if config.time is None else (1 - SEARCH_SHARE) * config.time


def reach(task: Task, design: Design) -> float:
    """Return what can be computed in the final training for each of its items; no limit where it is in epochs.

    Args:
        task: The task.
        design: What the pace of the machine is measured with.
    """
    seconds = training_seconds(task.config)
    if seconds is None:
        return math.inf
    plan = design.plan(task.config.network, task.input)
    counted = _counted(task) * times_faster(plan, task.config)
    return seconds * counted * pace(plan, task.config) / len(task.train)


def outlooks(task: Task, designs: Sequence[Design], timed: bool) -> list[Outlook]:
    """Return the outlook of each design.

    Args:
        task: The task.
        designs: Those that race, at least one.
        timed: Whether lengths are seconds rather than epochs.
    """
    config, seconds, counted = task.config, training_seconds(task.config), _counted(task)
    plans = [design.plan(config.network, task.input) for design in designs]
    alone = [counted] * len(plans)
    if timed or seconds is not None:
        alone = [counted * pace(plan, config) / (cost(plan) * len(task.train)) for plan in plans]
    if seconds is None:
        whole = [counted * config.train.epochs] * len(plans)
    else:
        faster = times_faster(plans[0], config)
        whole = [own * faster * seconds for own in alone]
    return [
        Outlook(own if timed else counted, epochs, capacity(plan, epochs * cost(plan)))
        for plan, own, epochs in zip(plans, alone, whole, strict=True)
    ]


def _counted(task: Task) -> float:
    """Return what an epoch counts: less than one where it has few steps, in which little is learnt."""
    return min(1.0, len(task.train) / (task.config.train.batch or 1) / _STEPS)
