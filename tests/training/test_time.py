"""A training whose time is limited: its schedule ends when the time does. Its clock goes on whenever it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from test_loop import CONFIG, DIGITS, PLAN, STATISTICS

from spikenas._util.errors import RunError
from spikenas._util.run_files import CHECKPOINT, LOG, MODEL
from spikenas.config import Config
from spikenas.training.checkpoint import load_model, load_tensors
from spikenas.training.epochs import Epoch, behind, is_complete, kept_epoch, read_log
from spikenas.training.loop import train

STEPS = 300 // 32  # of an epoch


class Clock:
    """A clock whose every reading is a second after the one before."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class KilledError(Exception):
    pass


def timed(seconds: float, **changes: Any) -> Config:
    return CONFIG.but({"train.time": seconds} | {f"train.{key}": value for key, value in changes.items()})


def run(folder: Path, config: Config, **options: Any) -> list[Epoch]:
    return train(PLAN, DIGITS, STATISTICS, config, folder, clock=Clock(), **options)


def test_it_ends_with_its_time_and_the_schedule_with_it(tmp_path: Path) -> None:
    config = timed(120, lr=0.05)
    seen: list[tuple[int, int]] = []
    epochs = run(tmp_path, config, progress=lambda done, total, _: seen.append((done, total)))
    assert is_complete(epochs, config.train)
    assert 120 <= behind(epochs, timed=True) < 125  # the last step ends it, and its validation follows
    assert 0 <= epochs[-1].lr < 0.001 < max(epoch.lr for epoch in epochs)
    assert [epoch.lr for epoch in epochs[1:]] == sorted((epoch.lr for epoch in epochs[1:]), reverse=True)
    assert {total for _, total in seen} == {120}
    assert seen[-1] == (120, 120)
    assert seen == sorted(seen)
    assert read_log(tmp_path / LOG) == epochs
    model = load_model(tmp_path / MODEL).evaluate(DIGITS.validation)
    assert model.accuracy == kept_epoch(epochs, config.train).validation_accuracy


def test_a_time_that_ends_within_the_first_epoch_is_a_whole_training(tmp_path: Path) -> None:
    config = timed(46, batch=8)
    epochs = run(tmp_path, config)
    assert len(epochs) == 1
    assert epochs[0].lr < 0.1 * config.train.lr
    assert is_complete(read_log(tmp_path / LOG), config.train)
    assert load_model(tmp_path / MODEL).evaluate(DIGITS.validation).accuracy == epochs[0].validation_accuracy


def test_what_was_used_before_it_was_stopped_counts(tmp_path: Path) -> None:
    config = timed(120)
    whole = run(tmp_path / "whole", config)

    def stop(done: int, total: int, epochs: Sequence[Epoch]) -> None:
        if len(epochs) == 2 and done > behind(epochs, timed=True) + 5:
            raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "parts", config, progress=stop)
    parts = run(tmp_path / "parts", config)
    assert len(parts) == len(whole)
    assert parts[:2] == whole[:2]
    assert behind(parts, timed=True) == pytest.approx(behind(whole, timed=True), abs=5)
    assert parts[-1].lr == pytest.approx(whole[-1].lr, abs=0.002)


def test_what_is_done_is_not_done_again_and_more_time_is_a_further_round(tmp_path: Path) -> None:
    first = run(tmp_path, timed(60))

    def never(*_: object) -> None:
        raise AssertionError("a step was computed")

    assert run(tmp_path, timed(60), progress=never) == first
    more = run(tmp_path, timed(140))
    assert more[: len(first)] == first
    assert max(epoch.lr for epoch in more[len(first) :]) > 10 * first[-1].lr
    assert more[-1].lr < 0.01 * CONFIG.train.lr
    assert load_tensors(tmp_path / CHECKPOINT)[1]["rounds"] == [60.0, 140.0]


def test_a_time_for_a_few_steps_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^train.time: 20 s suffice for \d+ steps of 8 images, and learning takes at l"):
        run(tmp_path, timed(20, batch=8))
    assert not list(tmp_path.iterdir())


def test_a_time_that_is_surely_too_short_is_told_early(tmp_path: Path) -> None:
    class Slow(Clock):
        def __call__(self) -> float:
            self.now += 19
            return self.now

    clock = Slow()
    with pytest.raises(RunError, match=r"^train.time: 6 min 40 s suffice for 1[0-3] steps of 8 images"):
        train(PLAN, DIGITS, STATISTICS, timed(400, batch=8), tmp_path, clock=clock)
    assert clock.now - 1000 < 0.4 * 400


def test_a_further_round_may_be_short(tmp_path: Path) -> None:
    first = run(tmp_path, timed(60, batch=8))
    more = run(tmp_path, timed(63, batch=8))
    assert more[:-1] == first
    assert is_complete(more, timed(63).train)


def test_a_last_part_of_few_steps_is_no_error(tmp_path: Path) -> None:
    """The time that is left after an epoch may be that of a step."""
    assert is_complete(run(tmp_path, timed(2 * (2 * STEPS + 2) + 3)), timed(40).train)


def test_epochs_and_time_are_not_mixed(tmp_path: Path) -> None:
    run(tmp_path / "a", timed(60))
    with pytest.raises(RunError, match=r"a training by train.time cannot go on by train.epochs; remove it"):
        run(tmp_path / "a", CONFIG)
    run(tmp_path / "b", CONFIG.but({"train.epochs": 1}))
    with pytest.raises(RunError, match=r"a training by train.epochs cannot go on by train.time; remove it"):
        run(tmp_path / "b", timed(60))


@pytest.mark.slow
def test_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    config = timed(2.0)
    train(PLAN, DIGITS, STATISTICS, config, tmp_path)
    epochs = read_log(tmp_path / LOG)
    assert 2 <= behind(epochs, timed=True) < 4
    assert all(torch.isfinite(value).all() for value in load_tensors(tmp_path / MODEL)[0].values())
