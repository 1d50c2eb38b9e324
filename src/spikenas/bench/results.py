"""A comparison keeps a result for each search as it comes, and summarises them by means with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from pathlib import Path
from statistics import fmean

from pydantic import TypeAdapter, ValidationError

from spikenas._util.errors import RunError
from spikenas._util.files import RowFile
from spikenas._util.intervals import half_width

ALL = "all"  # in the place of a budget: mean over the budgets
FIGURES = ("evaluations", "wall_seconds", "evaluation_seconds", "score", "accuracy", "regret", "percentile")


@dataclass(frozen=True)
class Result:
    """A result is what one search found; None stands where no candidate fits and has a score.

    Attributes:
        strategy: Name of the strategy.
        evaluator: Name of the evaluator.
        budget: Text of the limits.
        seed: Seed of the strategy.
        limit: Largest number of evaluations that were allowed; None where the strategy decided.
        problem: Digest of all that the result depends on beside these names, by which stored results are recognised.
        evaluations: Number of networks that were evaluated.
        wall_seconds: Time of the search itself; what evaluations took that were answered from memory is not in it, nor
            the enumeration of the space, which all searches share.
        evaluation_seconds: Sum of what the evaluations take: for scores as measured when each network was first scored,
            for lookups the seconds of the trainings they stand for.
        genotype: The genotype that was found.
        score: Score of that network, by the evaluator.
        accuracy: True accuracy of that network, a fraction; None without a table.
        regret: Points of accuracy below the best that fits; None without a table.
        percentile: Percent of the others that fit that are worse, equal ones half; 100 is the best.
        curve: After each evaluation the regret of the best by its score so far, or without a table its score; None
            while nothing is found.
    """

    strategy: str
    evaluator: str
    budget: str
    seed: int
    limit: int | None
    problem: str
    evaluations: int
    wall_seconds: float
    evaluation_seconds: float
    genotype: str | None
    score: float | None
    accuracy: float | None
    regret: float | None
    percentile: float | None
    curve: tuple[float | None, ...]


@dataclass(frozen=True)
class SeedInterval:
    """An interval is a mean over seeds and its 95% confidence interval by Student's t; one seed gives no interval."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> SeedInterval:
        """Compute the interval of at least one value."""
        mean = fmean(values)
        if len(values) == 1:
            return cls(mean, None, None)
        half = half_width(values)
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Summary:
    """A summary covers the searches of one strategy with one evaluator at one budget, or at all budgets.

    At all budgets the value of a seed is the mean over them.

    Attributes:
        strategy: Name of the strategy.
        evaluator: Name of the evaluator.
        budget: Text of the limits, or `all`.
        seeds: Number of seeds.
        failed: Number of seeds that found nothing; they are in no other figure.
        figures: Intervals by name, of `FIGURES`; empty when all failed.
        curve: Mean of `Result.curve`; a search that ended before keeps its last. None while some search has found
            nothing.
    """

    strategy: str
    evaluator: str
    budget: str
    seeds: int
    failed: int
    figures: dict[str, SeedInterval]
    curve: tuple[SeedInterval | None, ...]


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Compute means and intervals over seeds for each strategy, evaluator and budget, and over budgets if several."""
    groups: dict[tuple[str, str, str], dict[int, list[Result]]] = {}
    several = len({result.budget for result in results}) > 1
    for result in results:
        for budget in (result.budget, ALL) if several else (result.budget,):
            seeds = groups.setdefault((result.strategy, result.evaluator, budget), {})
            seeds.setdefault(result.seed, []).append(result)
    return [_summary(names, list(seeds.values())) for names, seeds in groups.items()]


def _summary(names: tuple[str, str, str], seeds: Sequence[Sequence[Result]]) -> Summary:
    found = [results for results in seeds if all(result.genotype is not None for result in results)]

    def over(value: Callable[[Result], float | None]) -> SeedInterval | None:
        """Compute the interval of a value over seeds; None where some search has no value."""
        values = [[value(result) for result in results] for results in found]
        known = [[v for v in some if v is not None] for some in values]
        return SeedInterval.of([fmean(some) for some in known]) if known == values else None

    def after(k: int) -> SeedInterval | None:
        return over(lambda result: result.curve[min(k, len(result.curve)) - 1])

    longest = max((len(result.curve) for results in found for result in results), default=0)
    figures = {name: value for name in FIGURES if found and (value := over(attrgetter(name)))}
    curve = tuple(after(k) for k in range(1, longest + 1))
    return Summary(*names, len(seeds), len(seeds) - len(found), figures, curve)


Key = tuple[str, str, str, int, int | None]  # the first five attributes of a result, by which they are told apart
_COLUMNS = tuple(column.name for column in fields(Result))
_RESULT = TypeAdapter(Result)


class ResultFile:
    """A result file is a CSV to which each result is added as it comes.

    Args:
        path: The file; None keeps nothing.
    Attributes:
        known: Results by key: those that the file held when it was opened, and those added since.
    Raises:
        RunError: The file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = RowFile(path, _COLUMNS) if path else None
        try:
            results = [_read(row) for row in self._file.rows] if self._file else []
        except (ValidationError, ValueError):
            raise RunError(f"{path}: cannot be read as results of a comparison; remove it") from None
        self.known: dict[Key, Result] = {key_of(result): result for result in results}

    def add(self, result: Result) -> None:
        """Store a result."""
        self.known[key_of(result)] = result
        if self._file:
            curve = ";".join("" if value is None else str(value) for value in result.curve)
            self._file.add([*astuple(result)[:-1], curve])


def key_of(result: Result) -> Key:
    """Return the key by which results are told apart."""
    return result.strategy, result.evaluator, result.budget, result.seed, result.limit


def _read(row: Sequence[str]) -> Result:
    *values, curve = row
    known: dict[str, object] = dict(zip(_COLUMNS[:-1], (value or None for value in values), strict=True))
    known["curve"] = [value or None for value in curve.split(";")] if known["evaluations"] != "0" else []
    return _RESULT.validate_python(known)
