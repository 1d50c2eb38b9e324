from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError
from spikenas.nas.halving import (
    Rung,
    asynchronous_race,
    check_rungs,
    duration_of,
    halved,
    halved_within,
    length_of,
    race,
)

RUNGS = (Rung(8, 1), Rung(4, 3), Rung(1, 9))


def test_the_better_ones_are_trained_on() -> None:
    asked: list[tuple[list[int], int]] = []

    def train(candidates: Sequence[int], length: int) -> list[float]:
        asked.append((list(candidates), length))
        return [-float(candidate) for candidate in candidates]

    found = race(range(20), RUNGS, train)
    assert asked == [(list(range(8)), 1), ([0, 1, 2, 3], 3), ([0], 9)]
    assert [entry.candidate for entry in found] == list(range(8))
    assert [entry.length for entry in found] == [9, 3, 3, 3, 1, 1, 1, 1]
    assert length_of(RUNGS) == sum(entry.length for entry in found) == 8 + 4 * 2 + 1 * 6


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=12), st.integers(1, 12))
def test_one_rung_takes_the_best_and_the_first_of_equal_ones(values: list[float], entrants: int) -> None:
    found = race(range(len(values)), [Rung(entrants, 5)], lambda candidates, _: [values[one] for one in candidates])
    worth = [-math.inf if math.isnan(value) else value for value in values[:entrants]]
    assert found[0].candidate == worth.index(max(worth))
    assert sorted(entry.candidate for entry in found) == list(range(min(entrants, len(values))))


def test_a_few_candidates_run_through_all_rungs() -> None:
    found = race("ab", RUNGS, lambda candidates, length: [{"a": -1.0, "b": length - 2.0}[one] for one in candidates])
    assert [(entry.candidate, entry.length) for entry in found] == [("b", 9), ("a", 3)]


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ([], "at least one rung"),
        ([Rung(0, 3)], "at least one candidate"),
        ([Rung(4, 3), Rung(4, 5)], "4 candidates trained for 5 follow 4"),
        ([Rung(4, 3), Rung(2, 3)], "fewer, trained longer"),
    ],
)
def test_rungs_that_are_none(rungs: list[Rung], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_rungs(rungs)


def test_each_rung_of_halves_takes_as_long_as_any_other() -> None:
    assert halved(9, 2.0) == (Rung(8, 2.0), Rung(4, 6.0), Rung(2, 14.0))
    assert length_of(halved(9, 2.0)) == 3 * 8 * 2
    assert halved(1, 5.0) == halved(2, 5.0) == (Rung(2, 5.0),)


@given(st.floats(0.1, 1e6), st.floats(0, 100), st.integers(0, 300), st.integers(1, 40))
def test_as_many_race_as_there_is_time_for(total: float, least: float, most: int, workers: int) -> None:
    rungs = halved_within(total, least, most, workers)
    check_rungs(rungs)
    assert duration_of(rungs, workers) == pytest.approx(total)
    assert rungs[0].entrants <= max(2, most)
    assert len(rungs) == 1 or rungs[0].length >= least
    more = halved(2 * rungs[0].entrants, 1.0)
    assert more[0].entrants > most or total / duration_of(more, workers) < least


def test_a_rung_of_fewer_entrants_than_workers_takes_as_long_as_one_of_them() -> None:
    assert duration_of(halved(16, 1.0), 16) == 1 + 2 + 4 + 8
    assert duration_of(halved(16, 1.0), 5) == 4 + 2 * 2 + 4 + 8
    assert duration_of(halved(16, 1.0), 1) == 4 * 16


def test_without_waiting_the_better_half_of_what_is_known_goes_on() -> None:
    asked: list[tuple[int, float]] = []

    def train(candidate: int, length: float) -> float:
        asked.append((candidate, length))
        return [3.0, 5.0, 4.0, 9.0, math.nan][candidate]

    found = asynchronous_race(range(5), [10, 20, 40], train, total=80)
    assert asked == [(0, 10), (1, 10), (1, 20), (2, 10), (3, 10), (3, 20), (3, 40)]
    assert [(entry.candidate, entry.length) for entry in found] == [(3, 40), (1, 20), (2, 10), (0, 10)]
    assert sum(entry.length for entry in found) == 80


@given(st.lists(st.floats(allow_nan=True), max_size=12), st.integers(0, 300))
def test_an_asynchronous_race_keeps_its_total(values: list[float], total: int) -> None:
    found = asynchronous_race(range(len(values)), [10, 20, 40], lambda one, _: values[one], total)
    assert sum(entry.length for entry in found) <= total
    assert len({entry.candidate for entry in found}) == len(found)
