"""How far designs come: in a second of a race, and in the final training. By that, a race weighs what it has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from spikenas.config import SEARCH_SHARE, Config
from spikenas.scores.baselines import cost, shortfall
from spikenas.space import Design
from spikenas.task import Task
from spikenas.training.pace import pace, times_faster

_STEPS = 100  # of an epoch that counts as one


class Outlook(NamedTuple):
    """How often a design sees each item, an epoch of few steps counted as a part of one.

    Attributes:
        pace: In a race, for each second or epoch of its length.
        epochs: In the final training.
    """

    pace: float
    epochs: float

    def gain(self, length: float) -> float:
        """Return the accuracy that is expected to be gained from a training of a race to the final one, a share."""
        return (shortfall(self.pace * length) - shortfall(self.epochs)) / 100


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
    if not timed and seconds is None:
        return [Outlook(counted, counted * config.train.epochs)] * len(designs)
    plans = [design.plan(config.network, task.input) for design in designs]
    alone = [counted * pace(plan, config) / (cost(plan) * len(task.train)) for plan in plans]
    if seconds is None:
        return [Outlook(own, counted * config.train.epochs) for own in alone]
    faster = times_faster(plans[0], config)
    return [Outlook(own if timed else counted, own * faster * seconds) for own in alone]


def _counted(task: Task) -> float:
    """Return what an epoch counts: less than one where it has few steps, in which little is learnt."""
    return min(1.0, len(task.train) / (task.config.train.batch or 1) / _STEPS)
