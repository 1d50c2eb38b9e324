from __future__ import annotations

import pytest

from spikenas import Task
from spikenas.pipeline.outlook import Outlook, expected, outlooks, reach
from spikenas.scores.baselines import capacity, cost
from spikenas.space import Design

MANY = 100_000
SLOW, FAST = Design.parse("1x8x8 / 24 0-3:conv3x3"), Design.parse("1x8x8 stride=2 / 4 0-3:skip")


def test_a_race_in_epochs_expects_the_same_gain_of_all() -> None:
    task = Task("digits", settings={"race.epochs": 1, "train.epochs": 12})
    found = outlooks(task, [SLOW, FAST], timed=False)
    counted = 1295 / 128 / 100  # digits have ten steps an epoch
    for design, outlook in zip((SLOW, FAST), found, strict=True):
        plan = design.plan(task.config.network, task.input)
        score = capacity(plan, 12 * counted * cost(plan))
        assert outlook == pytest.approx(Outlook(counted, 12 * counted, score))
    assert found[0].gain(3) == found[1].gain(3) > found[0].gain(6) > 0
    assert found[0].gain(12) == 0


def test_within_a_time_what_is_slow_has_more_to_gain() -> None:
    task = Task("digits", settings={"time": 8, "threads": 1})
    slow, fast = outlooks(task, [SLOW, FAST], timed=True)
    assert slow.pace < fast.pace
    assert slow.epochs / slow.pace == pytest.approx(fast.epochs / fast.pace)
    assert slow.epochs / slow.pace == pytest.approx(0.75 * 8)
    assert slow.gain(0.1) > fast.gain(0.1) >= 0
    assert reach(task, SLOW) > cost(SLOW.plan(task.config.network, task.input))


def test_a_gain_is_that_of_an_accuracy_of_80_percent_and_less_near_100() -> None:
    alone = [Outlook(1.0, 27.0, 0.0)]  # falls short by 0.9 log2(27 / 9)^2 = 2.26 points after nine epochs
    assert expected([0.7774], alone, 9.0, MANY) == pytest.approx([0.8], abs=1e-4)
    assert 0.96 < expected([0.96], alone, 9.0, MANY)[0] < 0.97
    assert expected([0.9], alone, 27.0, MANY) == pytest.approx([0.9])
    assert 0.9 < expected([1.0], alone, 0.0, MANY)[0] < 1
    assert 0 < expected([0.0], alone, 0.0, MANY)[0] < 0.5


def test_the_score_counts_where_little_was_trained_and_trainings_where_much_was() -> None:
    good, poor = Outlook(1.0, 27.0, 5.0), Outlook(1.0, 27.0, -5.0)
    little = expected([0.30, 0.32], [good, poor], 0.3, MANY)
    assert little[0] > little[1]
    much = expected([0.74, 0.80], [good, poor], 20.0, MANY)
    assert much[0] < much[1]
    assert much == pytest.approx([0.75, 0.80], abs=0.015)


def test_the_score_counts_where_few_items_say_how_accurate_a_design_is() -> None:
    good, poor = Outlook(1.0, 27.0, 3.0), Outlook(1.0, 27.0, -3.0)
    for accuracies, few in (([0.036, 0.040], 1000), ([0.95, 0.96], 65), ([1.0, 1.0], 65)):
        by_few, by_many = (expected(accuracies, [good, poor], 20.0, items) for items in (few, 10 * MANY))
        assert by_few[0] > by_few[1]
        assert by_many[0] < by_many[1] or accuracies == [1.0, 1.0]


def test_what_all_scores_have_in_common_is_no_matter() -> None:
    far = [Outlook(0.1, 20.0, 3.0), Outlook(0.3, 30.0, 1.0), Outlook(0.2, 10.0, 0.0)]
    shifted = [one._replace(score=one.score + 40) for one in far]
    accuracies = [0.4, 0.5, 0.45]
    assert expected(accuracies, far, 10.0, MANY) == pytest.approx(expected(accuracies, shifted, 10.0, MANY))
