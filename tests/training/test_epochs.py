"""The log of a training: what is read of it."""

from dataclasses import astuple, replace
from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.training.epochs import Epoch, read_log, write_log

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
