"""The schedule of a training, and what a checkpoint says of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import RunError
from spikenas.config import TrainConfig
from spikenas.training.epochs import Epoch
from spikenas.training.rounds import Progressed, further, learning_rate

EPOCHS = [Epoch(n, 0.1 / n, 1 / 3, 0.5, 2.0, 0.25, 1e-3, 0.2) for n in range(1, 4)]


def test_learning_rate_warms_up_and_falls() -> None:
    settings = TrainConfig(lr=0.2, warmup=0.2)
    rates = [learning_rate(epoch / 2, settings, (20,)) for epoch in range(41)]
    assert rates[0] == pytest.approx(0.002)
    assert rates[8] == max(rates) == pytest.approx(0.2)
    assert rates[24] == pytest.approx(0.1)
    assert rates[40] == pytest.approx(0, abs=1e-12)
    assert rates[:9] == sorted(rates[:9])
    assert rates[8:] == sorted(rates[8:], reverse=True)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.floats(0, 0.9))
def test_each_round_is_as_one_of_its_own(lengths: list[int], warmup: float) -> None:
    settings = TrainConfig(lr=0.3, warmup=warmup)
    rounds = tuple(sum(lengths[: n + 1]) for n in range(len(lengths)))
    start = 0
    for length in lengths:
        for epoch in range(length):
            own = learning_rate(epoch, settings, (length,))
            assert learning_rate(start + epoch, settings, rounds) == pytest.approx(own)
            assert 0 < own <= 0.3
        start += length


def test_a_round_begins_where_more_is_asked_for() -> None:
    def to(rounds: tuple[float, ...], end: int) -> tuple[float, ...]:
        found = further(rounds, TrainConfig(epochs=end))
        assert found == further(rounds, TrainConfig(epochs=7, time=end))
        return found

    assert to((), 10) == to((10,), 10) == (10,)
    assert to((10,), 30) == to((10, 30), 30) == (10, 30)
    assert to((10, 30), 50) == (10, 30, 50)


def test_a_header_says_the_same_again() -> None:
    done = Progressed(EPOCHS, (3, 5))
    assert Progressed.parse(json.loads(json.dumps(done.header())), Path("x")) == done


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": None},
        {"epochs": []},
        {"epochs": [[2, 0, 0, 0, 0, 0, 0]]},
        {"epochs": [[1, 0]]},
        {"epochs": [["a"] * 7]},
        {"rounds": None},
        {"rounds": []},
        {"rounds": [2]},
        {"rounds": [5, 3]},
        {"rounds": [0, 3]},
        {"rounds": [math.nan]},
        {"rounds": [math.inf]},
    ],
)
def test_a_header_of_something_else(change: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"^x: its header does not say which epochs are done; remove it to train anew$"):
        Progressed.parse(Progressed(EPOCHS, (3,)).header() | change, Path("x"))
