"""The schedule of a training: a round for each time that epochs were asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from spikenas._util.errors import RunError
from spikenas.config import TrainConfig
from spikenas.training.epochs import Epoch


@dataclass(frozen=True)
class Progressed:
    """Says how far a training is.

    Attributes:
        epochs: The epochs that are done.
        rounds: Number of the epoch that each round ends with.
    """

    epochs: Sequence[Epoch]
    rounds: tuple[int, ...]

    def header(self) -> dict[str, Any]:
        """Return this as the values of a checkpoint's header."""
        return {"epochs": [astuple(epoch) for epoch in self.epochs], "rounds": self.rounds}

    @classmethod
    def parse(cls, header: Mapping[str, Any], path: Path) -> Self:
        """Read what `header` returned.

        Raises:
            RunError: The header of this file says something else.
        """
        try:
            epochs = [Epoch.parse(row) for row in header["epochs"]]
            rounds = tuple(map(int, header["rounds"]))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            epochs, rounds = [], ()
        if (
            not epochs
            or [epoch.epoch for epoch in epochs] != list(range(1, len(epochs) + 1))
            or any(end <= start for start, end in pairwise((0, *rounds)))
            or len(epochs) > max(rounds, default=0)
        ):
            raise RunError(f"{path}: its header does not say which epochs are done; remove it to train anew")
        return cls(epochs, rounds)


def further(rounds: tuple[int, ...], epochs: int) -> tuple[int, ...]:
    """Return the rounds of a training of so many epochs, of which these are begun or done."""
    return rounds if rounds and epochs <= rounds[-1] else (*rounds, epochs)


def learning_rate(epoch: float, settings: TrainConfig, rounds: Sequence[int]) -> float:
    """Return the learning rate: in each round a linear warm-up, then half a cosine down to 0.

    Args:
        epoch: Number of epochs done, with their fraction.
        settings: `lr` is the rate at the end of a warm-up, which takes `warmup_epochs`, or half of a shorter round.
        rounds: Number of the epoch that each round ends with.
    """
    number = sum(epoch >= end for end in rounds[:-1])
    start, end = (0, *rounds)[number], rounds[number]
    warmup, done = min(settings.warmup_epochs, (end - start) / 2), epoch - start
    if done < warmup:
        return settings.lr * (0.01 + 0.99 * done / warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (end - start - warmup)))
