"""The schedule of a training: a round for each time that more of it was asked for, in epochs or in seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from spikenas._util.errors import RunError
from spikenas.config import TrainConfig
from spikenas.training.epochs import Epoch, asked_of, behind


@dataclass(frozen=True)
class Progressed:
    """Says how far a training is.

    Attributes:
        epochs: The epochs that are done.
        rounds: Where each round ends, in epochs or in seconds.
        timed: Whether it is in seconds.
    """

    epochs: Sequence[Epoch]
    rounds: tuple[float, ...]
    timed: bool = False

    def header(self) -> dict[str, Any]:
        """Return this as the values of a checkpoint's header."""
        return {"epochs": [astuple(epoch) for epoch in self.epochs], "rounds": self.rounds, "timed": self.timed}

    @classmethod
    def parse(cls, header: Mapping[str, Any], path: Path) -> Self:
        """Read what `header` returned.

        Raises:
            RunError: The header of this file says something else.
        """
        try:
            epochs = [Epoch.parse(row) for row in header["epochs"]]
            rounds, timed = tuple(map(float, header["rounds"])), bool(header["timed"])
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            epochs, rounds, timed = [], (), False
        if (
            not epochs
            or [epoch.epoch for epoch in epochs] != list(range(1, len(epochs) + 1))
            or not all(end > start for start, end in pairwise((0, *rounds)))
            or not behind(epochs[:-1], timed) < max(rounds, default=0) < math.inf
        ):
            raise RunError(f"{path}: its header does not say which epochs are done; remove it to train anew")
        return cls(epochs, rounds, timed)

    def check(self, settings: TrainConfig, path: Path) -> None:
        """Check that a training with these settings can go on from here.

        Raises:
            RunError: One is measured in epochs, the other in seconds.
        """
        if self.timed != (settings.time is not None):
            units = ("train.time", "train.epochs") if self.timed else ("train.epochs", "train.time")
            raise RunError(f"{path}: a training by {units[0]} cannot go on by {units[1]}; remove it to train anew")


def further(rounds: tuple[float, ...], settings: TrainConfig) -> tuple[float, ...]:
    """Return the rounds of a training of which these are begun or done, up to the end that the settings ask for."""
    end = asked_of(settings)
    return rounds if rounds and end <= rounds[-1] else (*rounds, end)


def learning_rate(done: float, settings: TrainConfig, rounds: Sequence[float]) -> float:
    """Return the learning rate: in each round a linear warm-up, then half a cosine down to 0.

    Args:
        done: Epochs done, with their fraction, or seconds.
        settings: `lr` is the rate at the end of a warm-up, which takes the share `warmup` of a round.
        rounds: Where each round ends, in the same unit.
    """
    number = sum(done >= end for end in rounds[:-1])
    start, end = (0, *rounds)[number], rounds[number]
    share = min((done - start) / (end - start), 1.0)
    if share < settings.warmup:
        return settings.lr * (0.01 + 0.99 * share / settings.warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (share - settings.warmup) / (1 - settings.warmup)))
