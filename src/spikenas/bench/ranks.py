"""Ranks say how well evaluators rank a table, over several initialisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean, stdev

from spikenas._util.files import write_csv
from spikenas.bench.correlation import Correlation, Estimate

VIEWS = ("networks", "equal_memory", "rows")
COEFFICIENTS = ("spearman", "kendall")


@dataclass(frozen=True)
class Figure:
    """A figure is a rank correlation over several initialisations.

    Attributes:
        mean: Mean over initialisations.
        spread: Standard deviation over initialisations; None for one.
        low: Mean of the lower ends of their 95% intervals, from resampled networks.
        high: Mean of the upper ends of these intervals.
    """

    mean: float
    spread: float | None
    low: float
    high: float

    @classmethod
    def of(cls, estimates: Sequence[Estimate]) -> Figure:
        """Compute the figure of at least one estimate."""
        values = [estimate.value for estimate in estimates]
        spread = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), spread, fmean(e.low for e in estimates), fmean(e.high for e in estimates))


@dataclass(frozen=True)
class Rank:
    """A rank says how well one evaluator ranks.

    Attributes:
        evaluator: Name of the evaluator.
        initialisations: Number of initialisations that were correlated.
        networks: Number of distinct connected networks.
        missing: Largest number of them, over initialisations, that have no finite value.
        seconds: Mean time of an evaluation.
        figures: Figures by coefficient and view, such as `spearman`, `networks`, without those that are not defined.
    """

    evaluator: str
    initialisations: int
    networks: int
    missing: int
    seconds: float
    figures: Mapping[str, Mapping[str, Figure]]


def rank_of(evaluator: str, correlations: Sequence[Correlation], seconds: float) -> Rank:
    """Combine the correlations of all initialisations of an evaluator."""
    figures: dict[str, dict[str, Figure]] = {}
    for coefficient in COEFFICIENTS:
        for view in VIEWS:
            found = [getattr(getattr(correlation, coefficient), view) for correlation in correlations]
            if all(found):
                figures.setdefault(coefficient, {})[view] = Figure.of(found)
    missing = max(correlation.missing for correlation in correlations)
    return Rank(evaluator, len(correlations), correlations[0].networks, missing, seconds, figures)


def write_ranks(path: Path, ranks: Sequence[Rank]) -> None:
    """Write a line for each evaluator, coefficient and view.

    Raises:
        RunError: The file cannot be written.
    """
    write_csv(
        path,
        ("evaluator", "coefficient", "view", "mean", "spread", "low", "high", "seconds"),
        (
            (rank.evaluator, coefficient, view, *astuple(figure), rank.seconds)
            for rank in ranks
            for coefficient, views in rank.figures.items()
            for view, figure in views.items()
        ),
    )
