from __future__ import annotations

import math

import pytest

from spikenas.config import NetworkConfig
from spikenas.scores.baselines import capacity, cost, idle, shortfall
from spikenas.space import Design, InputSpec, Plan

INPUT = InputSpec(3, 32, 32, 10)
B = "0-1:conv3x3 0-3:skip 1-3:conv3x3"
COARSE, FINE = f"3x16x16 stride=2 / 16 {B} / 32 {B}", f"3x32x32 stride=1 / 16 {B} / 32 {B}"


def plan(text: str) -> Plan:
    return Design.parse(text).plan(NetworkConfig(), INPUT)


def test_connections_are_counted_at_every_position_and_neurons_as_some() -> None:
    found = plan("3x8x8 stride=2 / 4 0-3:conv3x3 / 6 0-3:skip")
    stem, cell, reduction, head = 3 * 4 * 9 * 16, 4 * 4 * 9 * 16, 4 * 6 * 9 * 16, 6 * 10
    assert cost(found) == stem + cell + reduction + head + 30 * sum(layer.size for layer in found.neurons)
    twice = plan("3x8x8 stride=2 ilif timesteps=2 / 4 0-3:conv3x3 / 6 0-3:skip")
    assert cost(twice) == 2 * cost(found)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (f"3x16x16 / 24 {B}", f"3x16x16 / 8 {B}"),
        (FINE, COARSE),
        (f"3x16x16 / 16 {B} / 16 {B}", f"3x16x16 / 16 0-3:skip / 16 {B} 2-3:conv3x3"),
        (f"3x16x16 / 8 {B}", f"3x16x16 / 8 bits=4 {B}"),
        (f"3x16x16 / 8 bits=4 {B}", f"3x16x16 / 8 bits=2 {B}"),
        ("3x16x16 levels=7 / 8 0-3:conv3x3", "3x16x16 levels=1 / 8 0-3:conv3x3"),
        ("3x16x16 levels=1 / 8 0-3:conv3x3", "3x16x16 lif timesteps=1 / 8 0-3:conv3x3"),
    ],
)
def test_what_is_better_without_a_limit_on_the_time(better: str, worse: str) -> None:
    assert capacity(plan(better)) > capacity(plan(worse))


def test_idle_cells_are_those_without_a_convolution_that_counts() -> None:
    assert idle(plan(f"3x16x16 / 8 {B} / 8 0-3:dwconv3x3")) == 0
    assert idle(plan(f"3x16x16 / 8 0-3:skip / 8 {B} / 8 0-1:conv3x3 0-3:avgpool3x3")) == 2


def test_with_little_time_what_learns_fast_is_better() -> None:
    fine, coarse = plan(FINE), plan(COARSE)
    enough, little = 27 * cost(fine), 2 * cost(coarse)
    assert capacity(fine, enough) == capacity(fine) > capacity(coarse, enough)
    assert capacity(fine, little) < capacity(coarse, little) < capacity(coarse)
    assert math.isfinite(capacity(fine, 1e-9))


def test_a_training_falls_short_by_the_square_of_its_halvings() -> None:
    assert shortfall(27) == shortfall(1000) == 0
    assert shortfall(27 / 2) == pytest.approx(0.9)
    assert shortfall(27 / 8) == pytest.approx(9 * 0.9)
    assert shortfall(0) == math.inf
