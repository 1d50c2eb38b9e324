"""The log of a training: what is read of it."""

import random
from dataclasses import astuple, replace
from itertools import pairwise
from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.config import TrainConfig
from spikenas.training.epochs import Epoch, is_complete, kept_epoch, progress_of, read_log, write_log

EPOCH = Epoch(1, 0.1, 2.0, 0.25, 1.5, 0.5, 3.25, 0.375)


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    epochs = [EPOCH, replace(EPOCH, epoch=2, lr=0.05)]
    write_log(tmp_path / "train.csv", epochs)
    assert read_log(tmp_path / "train.csv") == epochs
    assert Epoch.parse(astuple(EPOCH)) == EPOCH


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validation_accuracy", 1.5),
        ("train_accuracy", -0.1),
        ("validation_balanced_accuracy", float("nan")),
        ("train_loss", float("inf")),
        ("seconds", -1.0),
        ("epoch", 2),
    ],
)
def test_a_log_of_what_cannot_be_is_refused_in_one_line(tmp_path: Path, key: str, value: float) -> None:
    write_log(tmp_path / "train.csv", [replace(EPOCH, **{key: value})])  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"train\.csv: not a training log; remove it"):
        read_log(tmp_path / "train.csv")


def test_a_training_is_complete_by_its_epochs_or_by_its_time() -> None:
    two = [EPOCH, replace(EPOCH, epoch=2)]  # 3.25 s each
    for settings, complete, said in (
        (TrainConfig(epochs=2), True, "2 of 2 epochs"),
        (TrainConfig(epochs=3), False, "2 of 3 epochs"),
        (TrainConfig(epochs=3, time="6.5s"), True, "6.5 s of 6.5 s"),
        (TrainConfig(epochs=1, time="20m"), False, "6.5 s of 20 min"),
    ):
        assert is_complete(two, settings) == complete
        assert progress_of(two, settings) == said


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [
        ([0.5], 1),
        ([0.2, 0.5, 0.8, 0.82, 0.81], 5),  # still learning: one that is a little lower is no worse
        ([0.9, 0.92, 1.0, 0.93, 0.94, 0.95, 0.96, 0.97, 0.97, 0.97, 0.97, 0.97], 12),  # the third was lucky
        ([0.9, 0.91, 0.92, 0.92, 0.92, 0.92, 0.4], 6),  # the last has collapsed
        ([0.2, 0.5, 0.8, 0.9, 0.92, 0.3], 5),  # while the mean still grew
        ([0.3, 0.6, 0.75, 0.85, 0.9, 0.91, 0.5], 6),
        ([0.7, 0.8, 0.9, 0.9, 0.9, 0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78], 6),  # over-fitting
        ([0.9] * 8, 8),
    ],
)
def test_the_best_epoch_is_one_whose_neighbours_are_good_too(accuracies: list[float], best: int) -> None:
    epochs = [replace(EPOCH, epoch=n, validation_accuracy=one) for n, one in enumerate(accuracies, 1)]
    assert kept_epoch(epochs, TrainConfig()).epoch == best
    assert kept_epoch(epochs, TrainConfig(keep="last")) is epochs[-1]


def test_the_end_of_a_schedule_is_no_lucky_epoch() -> None:
    """A training that went on from the end of a shorter one, as that of a race's winner does."""
    accuracies, rates = [0.84, 0.27, 0.8, 0.88, 0.91], [2e-6, 0.09, 0.05, 0.01, 5e-5]
    epochs = [
        replace(EPOCH, epoch=n, validation_accuracy=one, lr=lr)
        for n, (one, lr) in enumerate(zip(accuracies, rates, strict=True), 1)
    ]
    assert kept_epoch(epochs, TrainConfig()).epoch == 5
    assert kept_epoch(epochs[:4], TrainConfig()).epoch == 1


def test_an_epoch_that_is_not_kept_when_it_comes_is_never_kept() -> None:
    """Its weights are gone: the kept one is the newest, or the one that was kept before it."""
    drawn = random.Random(0)
    for _ in range(300):
        accuracies = [round(drawn.random(), 1) for _ in range(12)]
        epochs = [replace(EPOCH, epoch=n, validation_accuracy=one) for n, one in enumerate(accuracies, 1)]
        kept = [kept_epoch(epochs[:end], TrainConfig()).epoch for end in range(1, 13)]
        assert all(now in (before, end) for end, (before, now) in enumerate(pairwise(kept), 2))
