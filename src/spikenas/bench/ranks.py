"""How well evaluators rank a table, over several initialisations."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean, stdev

from spikenas._util.files import write_atomically
from spikenas.bench.correlation import Correlation, Estimate

VIEWS = ("networks", "equal_memory", "rows")
COEFFICIENTS = ("spearman", "kendall")


@dataclass(frozen=True)
class Figure:
    """A rank correlation.

    Attributes:
        mean: Over initialisations.
        spread: Their standard deviation; None for one.
        low: Mean of the lower ends of their 95% intervals, from resampled networks.
        high: Of the upper ends.
    """

    mean: float
    spread: float | None
    low: float
    high: float

    @classmethod
    def of(cls, estimates: Sequence[Estimate]) -> Figure:
        """Of at least one."""
        values = [estimate.value for estimate in estimates]
        spread = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), spread, fmean(e.low for e in estimates), fmean(e.high for e in estimates))


@dataclass(frozen=True)
class Rank:
    """How well one evaluator ranks.

    Attributes:
        evaluator: Name.
        initialisations: How many were correlated.
        networks: Distinct connected networks.
        missing: Most of them, in an initialisation, that have no finite value.
        seconds: Mean of an evaluation.
        figures: By coefficient and view, such as `spearman`, `networks`; without those that are not defined.
    """

    evaluator: str
    initialisations: int
    networks: int
    missing: int
    seconds: float
    figures: Mapping[str, Mapping[str, Figure]]


def rank_of(evaluator: str, correlations: Sequence[Correlation], seconds: float) -> Rank:
    """From the correlation of each initialisation."""
    figures: dict[str, dict[str, Figure]] = {}
    for coefficient in COEFFICIENTS:
        for view in VIEWS:
            found = [getattr(getattr(correlation, coefficient), view) for correlation in correlations]
            if all(found):
                figures.setdefault(coefficient, {})[view] = Figure.of(found)
    missing = max(correlation.missing for correlation in correlations)
    return Rank(evaluator, len(correlations), correlations[0].networks, missing, seconds, figures)


def write_ranks(path: Path, ranks: Sequence[Rank]) -> None:
    """A line for each evaluator, coefficient and view; raises RunError when it cannot be written."""

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("evaluator", "coefficient", "view", "mean", "spread", "low", "high", "seconds"))
            for rank in ranks:
                for coefficient, views in rank.figures.items():
                    for view, figure in views.items():
                        writer.writerow((rank.evaluator, coefficient, view, *astuple(figure), rank.seconds))

    write_atomically(path, write)
