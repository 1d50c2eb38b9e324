"""A training log, train.csv, holds a line for each epoch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Self

from spikenas._util.errors import RunError
from spikenas._util.files import read_text, write_atomically
from spikenas._util.units import format_duration
from spikenas.config import TrainConfig

_AVERAGED = 5  # epochs, in choosing among them
_ENDED = 1e-3  # of the learning rate: less, at the end of a schedule


@dataclass(frozen=True)
class Epoch:
    """An epoch is one line of train.csv.

    Attributes:
        epoch: Number of the epoch, counted from 1.
        lr: Learning rate of its last step.
        train_loss: Mean cross-entropy on the training images, in nats; with class weights that which is weighted.
        train_accuracy: Share of the training images, as augmented, that are classified correctly.
        validation_loss: The same on the validation images.
        validation_accuracy: Share of the validation images that are classified correctly.
        seconds: Wall time since the epoch before, or since the start.
        validation_balanced_accuracy: Mean of the recalls of the classes on the validation images.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
    validation_balanced_accuracy: float

    @classmethod
    def parse(cls, row: Sequence[str | float]) -> Self:
        """Read what `astuple` returns, in numbers or texts.

        Raises:
            ValueError: It is something else, a number is not finite, or a share is not between 0 and 1.
        """
        number, *values = row
        found = cls(int(number), *map(float, values))
        shares = (found.train_accuracy, found.validation_accuracy, found.validation_balanced_accuracy)
        others = (found.lr, found.train_loss, found.validation_loss, found.seconds)
        if not all(0 <= share <= 1 for share in shares) or not all(0 <= value < math.inf for value in others):
            raise ValueError("no epoch: a share beyond 1, or a number that is negative or not finite")
        return found


_COLUMNS = tuple(field.name for field in fields(Epoch))


def judged_by(epoch: Epoch, settings: TrainConfig) -> float:
    """Return the validation accuracy that weights are chosen by, with class weights the balanced one."""
    balanced = settings.class_weights == "balanced"
    return epoch.validation_balanced_accuracy if balanced else epoch.validation_accuracy


def asked_of(settings: TrainConfig) -> float:
    """Return how long a training is to be: seconds where its time is limited, else epochs."""
    return settings.epochs if settings.time is None else settings.time


def behind(epochs: Sequence[Epoch], timed: bool) -> float:
    """Return how much of a training these epochs are: seconds where it is timed, else their number."""
    return math.fsum(epoch.seconds for epoch in epochs) if timed else len(epochs)


def is_complete(epochs: Sequence[Epoch], settings: TrainConfig) -> bool:
    """Say whether a training is as long as the settings ask for."""
    return behind(epochs, settings.time is not None) >= asked_of(settings)


def progress_of(epochs: Sequence[Epoch], settings: TrainConfig) -> str:
    """Return how far a training is, for people: `12 of 60 epochs`, `5 min of 20 min`."""
    if settings.time is None:
        return f"{len(epochs)} of {settings.epochs} epochs"
    return f"{format_duration(behind(epochs, timed=True))} of {format_duration(settings.time)}"


def kept_epoch(epochs: Sequence[Epoch], settings: TrainConfig) -> Epoch:
    """Return the epoch whose weights model.safetensors holds: the `last`, or the `best` on the validation images.

    An epoch in the middle of a training counts with its accuracy, or with the mean of it and the four before it where
    that is lower, so that one lucky epoch is not taken for a good one; one at the end, where the learning rate has
    come to nothing, counts with its accuracy. The best has the highest of these; of equals it is the latest.
    """
    if settings.keep == "last":
        return epochs[-1]
    judged = [judged_by(epoch, settings) for epoch in epochs]
    counted = [
        own[-1] if epoch.lr <= _ENDED * settings.lr else min(own[-1], math.fsum(own) / len(own))
        for end, epoch in enumerate(epochs, 1)
        for own in [judged[max(0, end - _AVERAGED) : end]]
    ]
    return max(zip(counted, epochs, strict=True), key=lambda pair: (pair[0], pair[1].epoch))[1]


def read_log(path: Path) -> list[Epoch]:
    """Read the epochs of a train.csv.

    Returns:
        The epochs in order; none when the file is not there.
    Raises:
        RunError: The file is not a training log.
    """
    if not path.exists():
        return []
    try:
        text = read_text(path)
        header, *rows = csv.reader(text.splitlines())
        found = [Epoch.parse(row) for row in rows]
        if not text.endswith("\n") or header != list(_COLUMNS):
            raise ValueError("cut off, or of other columns")
        if [one.epoch for one in found] != list(range(1, len(found) + 1)):
            raise ValueError("not one epoch after the other")
    except (RunError, ValueError, IndexError, TypeError, OverflowError, csv.Error):
        raise RunError(f"{path}: not a training log; remove it, and 'spikenas train' writes it again") from None
    return found


def is_logged(path: Path, epochs: Sequence[Epoch]) -> bool:
    """Say whether a log holds these epochs, and no others."""
    try:
        return read_log(path) == list(epochs)
    except RunError:
        return False


def write_log(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write a train.csv, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(row) for row in epochs)
    write_atomically(path, lambda partial: partial.write_text(text.getvalue(), encoding="utf-8", newline=""))
