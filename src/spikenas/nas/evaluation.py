"""What a search asks of whatever judges its candidates: a score, a lookup of accuracies, a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from spikenas.space.genotype import Genotype


class Evaluation(Protocol):
    """What an evaluator returns."""

    @property
    def score(self) -> float:
        """Higher is better; -inf when it cannot be computed."""

    @property
    def seconds(self) -> float:
        """What it took; of a lookup the seconds of the training that it stands for."""

    @property
    def synops(self) -> float | None:
        """Additions caused by spikes, per inference; None where they are not known."""


@dataclass(frozen=True)
class RecordedEvaluation:
    """An evaluation that was made before, or stands for a training in a table.

    Attributes:
        score: Higher is better; of a table an accuracy, a fraction.
        seconds: What it took, or what the training would have taken.
        synops: Additions caused by spikes, per inference; None where they are not known.
    """

    score: float
    seconds: float
    synops: float | None = None


EvaluationFunction = Callable[[Genotype], Evaluation]
