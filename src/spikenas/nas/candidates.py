"""A candidate is what a search chooses; an evaluation is what a score, a lookup or a training says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from spikenas.space.design import Design
from spikenas.space.genotype import Genotype

Candidate = Genotype | Design


class CandidateEvaluation(Protocol):
    """An evaluation is what an evaluator returns for one candidate."""

    @property
    def score(self) -> float:
        """Score of the candidate; higher is better, -inf where it cannot be computed."""

    @property
    def seconds(self) -> float:
        """Time that the evaluation took; for a lookup, the seconds of the training that it stands for."""

    @property
    def synops(self) -> float | None:
        """Number of additions caused by spikes, per inference; None where it is not known."""


@dataclass(frozen=True)
class RecordedEvaluation:
    """A recorded evaluation was made before, or stands for a training in a table.

    Attributes:
        score: Score of the candidate; higher is better. In a table it is an accuracy, a fraction.
        seconds: Time that the evaluation took, or that the training would have taken.
        synops: Number of additions caused by spikes, per inference; None where it is not known.
    """

    score: float
    seconds: float
    synops: float | None = None


EvaluationFunction = Callable[[Any], CandidateEvaluation]  # of a genotype, a design, or what else its factory is for
