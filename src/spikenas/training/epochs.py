"""A training log, train.csv, holds a line for each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from spikenas._util.errors import RunError
from spikenas._util.files import read_text, write_atomically


@dataclass(frozen=True)
class Epoch:
    """An epoch is one line of train.csv.

    Attributes:
        epoch: Number of the epoch, counted from 1.
        lr: Learning rate of its last step.
        train_loss: Mean cross-entropy on the training images, in nats.
        train_accuracy: Share of the training images, as augmented, that are classified correctly.
        validation_loss: Mean cross-entropy on the validation images, in nats.
        validation_accuracy: Share of the validation images that are classified correctly.
        seconds: Wall time.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def kept_epoch(epochs: Sequence[Epoch], keep: str) -> Epoch:
    """Return the epoch whose weights model.safetensors holds: the `last`, or the `best` on the validation images."""
    if keep == "last":
        return epochs[-1]
    return max(epochs, key=lambda row: (row.validation_accuracy, -row.validation_loss, row.epoch))


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
        rows = list(csv.DictReader(read_text(path).splitlines()))
        return [Epoch(int(row["epoch"]), *(float(row[f.name]) for f in fields(Epoch)[1:])) for row in rows]
    except (RunError, ValueError, KeyError, TypeError, csv.Error):
        raise RunError(f"{path}: not a training log; remove it, and 'spikenas train' writes it again") from None


def write_log(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write a train.csv, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(Epoch)])
    writer.writerows(astuple(row) for row in epochs)
    write_atomically(path, lambda partial: partial.write_text(text.getvalue(), encoding="utf-8", newline=""))
