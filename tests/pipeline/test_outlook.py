from __future__ import annotations

import pytest

from spikenas import Task
from spikenas.pipeline.outlook import Outlook, outlooks, reach
from spikenas.scores.baselines import cost, shortfall
from spikenas.space import Design

SLOW, FAST = Design.parse("1x8x8 / 24 0-3:conv3x3"), Design.parse("1x8x8 stride=2 / 4 0-3:skip")


def test_a_race_in_epochs_expects_the_same_gain_of_all() -> None:
    task = Task("digits", settings={"race.epochs": 1, "train.epochs": 12})
    found = outlooks(task, [SLOW, FAST], timed=False)
    counted = 1295 / 128 / 100  # digits have ten steps an epoch
    assert found == [Outlook(pytest.approx(counted), pytest.approx(12 * counted))] * 2
    assert found[0].gain(3) == pytest.approx((shortfall(3 * counted) - shortfall(12 * counted)) / 100)
    assert found[0].gain(12) == 0


def test_within_a_time_what_is_slow_has_more_to_gain() -> None:
    task = Task("digits", settings={"time": 8, "threads": 1})
    slow, fast = outlooks(task, [SLOW, FAST], timed=True)
    assert slow.pace < fast.pace
    assert slow.epochs / slow.pace == pytest.approx(fast.epochs / fast.pace)
    assert slow.epochs / slow.pace == pytest.approx(0.75 * 8)
    assert slow.gain(0.1) > fast.gain(0.1) >= 0
    assert reach(task, SLOW) > cost(SLOW.plan(task.config.network, task.input))
