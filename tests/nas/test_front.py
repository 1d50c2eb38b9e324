from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikenas.nas import Trial, front
from spikenas.nas.front import Objective

OBJECTIVES: tuple[Objective, ...] = ("params", "flash_bytes", "ram_bytes", "synops")
FIGURES = st.integers(0, 5)


@st.composite
def trials(draw: st.DrawFn) -> list[Trial]:
    found = []
    for position in range(draw(st.integers(0, 12))):
        score = draw(st.sampled_from([None, -math.inf, 0.0, 1.0, 2.0, 3.0]))
        sizes = [draw(FIGURES) for _ in range(3)]
        synops = draw(st.none() | FIGURES.map(float))
        found.append(Trial(position, "step", str(position), "scored", score, *sizes, 0.0, synops))
    return found


@given(trials(), st.sampled_from(OBJECTIVES))
def test_the_front_is_what_nothing_beats(all_trials: list[Trial], objective: Objective) -> None:
    def point(trial: Trial) -> tuple[float, float]:
        return trial.score or 0.0, getattr(trial, objective)

    def beats(one: Trial, other: Trial) -> bool:
        (score, cost), (other_score, other_cost) = point(one), point(other)
        return score >= other_score and cost <= other_cost and point(one) != point(other)

    eligible = [trial for trial in all_trials if trial.value is not None and getattr(trial, objective) is not None]
    first: dict[tuple[float, float], Trial] = {}
    for trial in eligible:
        if not any(beats(other, trial) for other in eligible):
            first.setdefault(point(trial), trial)
    found = front(all_trials, objective)
    assert found == sorted(first.values(), key=lambda trial: point(trial)[1])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_front_of_nothing(objective: Objective) -> None:
    assert front([], objective) == []
