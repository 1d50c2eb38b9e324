from __future__ import annotations

import pytest

from spikenas.config import NetworkConfig
from spikenas.scores.baselines import capacity, synapses
from spikenas.space import Design, InputSpec

INPUT = InputSpec(3, 32, 32, 10)


def score(text: str) -> float:
    return capacity(Design.parse(text).plan(NetworkConfig(), INPUT))


def test_connections_are_counted_at_every_position() -> None:
    plan = Design.parse("3x8x8 stride=2 / 4 0-3:conv3x3 / 6 0-3:skip").plan(NetworkConfig(), INPUT)
    stem, cell, reduction, head = 3 * 4 * 9 * 16, 4 * 4 * 9 * 16, 4 * 6 * 9 * 16, 6 * 10
    assert synapses(plan) == stem + cell + reduction + head


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("3x32x32 stride=2 / 24 0-3:conv3x3 / 48 0-3:conv3x3", "3x32x32 stride=2 / 4 0-3:conv3x3 / 8 0-3:conv3x3"),
        ("3x32x32 stride=2 / 24 0-3:conv3x3", "3x32x32 stride=1 / 24 0-3:conv3x3"),
        ("3x16x16 levels=7 / 8 0-3:conv3x3", "3x16x16 levels=1 / 8 0-3:conv3x3"),
        ("3x16x16 / 8 0-3:conv3x3", "3x16x16 lif timesteps=4 / 8 0-3:conv3x3"),
    ],
)
def test_more_weights_at_fewer_positions_are_better(better: str, worse: str) -> None:
    assert score(better) > score(worse)
