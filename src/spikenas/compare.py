"""Strategies against each other on the networks of a table: the same space, limits, evaluators and counting of cost."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from functools import cache
from itertools import product
from operator import attrgetter
from pathlib import Path
from statistics import fmean, stdev

from pydantic import TypeAdapter
from scipy.stats import t as student

from spikenas.config import BudgetConfig, SearchConfig
from spikenas.correlation import live_convs, read_values
from spikenas.errors import BudgetError, ConfigError, DataError, RunError, ScoreError
from spikenas.files import write_atomically
from spikenas.memory import violations
from spikenas.search import Problem, TrialStore, most_evaluations, search
from spikenas.search.executors import InProcess
from spikenas.search.strategies import find_strategy
from spikenas.search.strategy import Cost
from spikenas.space import Genotype, Space
from spikenas.space.space import MOST_CELLS
from spikenas.tabular import Lookup, LookupResult, Network, Table, network_of

ALL = "all"  # in the place of a budget: mean over the budgets
FIGURES = ("evaluations", "wall_seconds", "simulated_seconds", "score", "accuracy", "regret", "percentile")


@dataclass(frozen=True)
class Limits:
    """What a search may find.

    Attributes:
        convs: Most live convolutions of a cell; cells with more are no members of the space.
        memory: Limits that the search is given as its budget.
    """

    convs: int | None = None
    memory: BudgetConfig = field(default_factory=BudgetConfig)

    @property
    def name(self) -> str:
        """Such as `convs <= 3`, memory in bytes."""
        limits = {"convs": self.convs} | self.memory.model_dump()
        return ", ".join(f"{name} <= {limit}" for name, limit in limits.items() if limit is not None) or "no limit"


@dataclass(frozen=True)
class Result:
    """One search. What it found is None where nothing that it looked at fits and has a score.

    Attributes:
        limit: Most evaluations that were allowed; None where the strategy decided.
        problem: Digest of the accuracies, scores and seconds of what fits, by which stored results are recognised.
        evaluations: Networks that were evaluated.
        wall_seconds: Of the search; without the enumeration of the space, which all searches share.
        simulated_seconds: Sum of what the evaluations would have taken.
        score: Of the found network, by the evaluator.
        accuracy: Its true accuracy, a fraction.
        regret: Points of accuracy below the best that fits.
        percentile: Percent of the others that fit that are worse, equal ones half; 100 is the best.
        curve: Regret of the best by its own score after each evaluation; None while nothing is found.
    """

    strategy: str
    evaluator: str
    budget: str
    seed: int
    limit: int | None
    problem: str
    evaluations: int
    wall_seconds: float
    simulated_seconds: float
    genotype: str | None
    score: float | None
    accuracy: float | None
    regret: float | None
    percentile: float | None
    curve: tuple[float | None, ...]


_Key = tuple[str, str, str, int, int | None]  # the first five attributes of a result, by which they are told apart


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its 95% confidence interval by Student's t; no interval from one seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Summary:
    """The searches of one strategy with one evaluator at one budget, or at all: then a seed's value is their mean.

    Attributes:
        failed: Seeds that found nothing; they are in no other figure.
        figures: Of `FIGURES`; empty when all failed.
        curve: Of regret; a search that ended before keeps its last. None while some search has found nothing.
    """

    strategy: str
    evaluator: str
    budget: str
    seeds: int
    failed: int
    figures: dict[str, Interval]
    curve: tuple[Interval | None, ...]


def score_lookup(table: Table, path: Path) -> Lookup:
    """An evaluator that answers from a CSV `genotype,score[,seconds]`, as `spikenas score` writes it.

    A network has the mean of its genotypes that have a finite score; a network of the table without one has -inf.

    Raises:
        DataError: a file that cannot be read, or without a score of any network of the table.
    """
    scores = read_values(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        seconds = read_values(path, "seconds") if "seconds" in next(csv.reader(file)) else {}
    found: dict[Network, list[Genotype]] = {}
    for genotype, score in scores.items():
        if math.isfinite(score):
            found.setdefault(network_of(genotype), []).append(genotype)
    if not found.keys() & table.networks.keys():
        raise DataError(f"{path}: none of its {len(scores)} genotypes is in {table.name} and has a score")
    results = {network: LookupResult(-math.inf, 0.0) for network in table.networks}
    for network, genotypes in found.items():
        means = (fmean(values.get(genotype, 0.0) for genotype in genotypes) for values in (scores, seconds))
        results[network] = LookupResult(*means)
    return Lookup(path.name, "score", results, frozenset())


def compare(
    table: Table,
    limits: Sequence[Limits],
    strategies: Sequence[str],
    evaluators: Mapping[str, Lookup],
    cost: Cost,
    seeds: Sequence[int],
    evaluations: int | None = 100,
    metric: str = "test",
    adjusted: bool = True,
    path: Path | None = None,
    on_result: Callable[[Result, int, int], None] = lambda result, done, total: None,
) -> list[Result]:
    """Run each strategy with each evaluator, limits and seed on the networks of a table.

    Networks without the metric, or that a lookup cannot answer for, are outside the space. A search is given nothing
    but the space, the budget, the cost and its evaluator.

    Args:
        table: One cell in all places of a network.
        limits: Each is a search of its own.
        strategies: Names.
        evaluators: By name: `score_lookup`, or `Table.lookup` of a short training.
        cost: Footprint of a genotype.
        seeds: Of the strategies.
        evaluations: Most evaluations of a search; None as in `most_evaluations`.
        metric: What is true, as in `Table.lookup`.
        adjusted: Whether true accuracies are less the effect of the cohort.
        path: CSV to which each result is added as it comes; what it already holds is not run again.
        on_result: Called for each result with how many are done, and of how many.
    Raises:
        BudgetError: no network of the table is within some limits.
        ConfigError: an unknown metric or strategy, one that cannot search the space, or fewer than one evaluation.
        DataError: no row has the metric, or cells that differ by place.
        RunError: the CSV cannot be used, or is of other accuracies, scores or limits.
    """
    if evaluations is not None and evaluations < 1:
        raise ConfigError(f"evaluations: {evaluations}; a search needs at least 1")
    for name in strategies:
        find_strategy(name)
    known = {astuple(result)[:5]: result for result in _resume(path)} if path else {}
    total = len(limits) * len(evaluators) * len(strategies) * len(seeds)
    arenas = _arenas(table, limits, evaluators, cache(cost), metric, adjusted)
    results: list[Result] = []
    for arena, (label, evaluator) in product(arenas, evaluators.items()):
        problem = arena.digest(evaluator)
        for name, seed in product(strategies, seeds):
            key = name, label, arena.limits.name, seed, evaluations
            result = known.get(key)
            if result is None:
                result = arena.run(key, problem, evaluator)
                if path:
                    _add(path, result)
            elif result.problem != problem:
                raise RunError(f"{path}: its results are of other accuracies, scores or limits; give another file")
            results.append(result)
            on_result(result, len(results), total)
    return results


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Means and intervals over seeds for each strategy, evaluator and budget, and over all budgets if several."""
    groups: dict[tuple[str, str, str], dict[int, list[Result]]] = {}
    several = len({result.budget for result in results}) > 1
    for result in results:
        for budget in (result.budget, ALL) if several else (result.budget,):
            seeds = groups.setdefault((result.strategy, result.evaluator, budget), {})
            seeds.setdefault(result.seed, []).append(result)
    return [_summary(names, list(seeds.values())) for names, seeds in groups.items()]


def write_report(path: Path, results: Sequence[Result]) -> None:
    """Write summaries and results as JSON; raises RunError when it cannot be written."""
    content = {"summaries": [asdict(s) for s in summarise(results)], "results": [asdict(r) for r in results]}
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


@dataclass(frozen=True)
class _Arena:
    """The space within some limits, and the true accuracies of all that fits, which no search is given."""

    limits: Limits
    space: Space
    cost: Cost
    accuracies: Mapping[Network, float]

    def digest(self, evaluator: Lookup) -> str:
        lines = sorted(f"{value!r} {evaluator.results[network]!r}" for network, value in self.accuracies.items())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    def run(self, key: _Key, problem: str, evaluator: Lookup) -> Result:
        name, _, _, seed, limit = key
        budget, found = self.limits.memory, None
        if self.space.cell_count <= MOST_CELLS:
            _ = self.space.distinct_cells  # not a part of the time of the first search
        start = time.perf_counter()
        strategy = find_strategy(name)(Problem(self.space, budget, self.cost, seed))
        most = most_evaluations(SearchConfig(strategy=name, evaluations=limit), strategy)
        with TrialStore() as store:
            with contextlib.suppress(BudgetError, ScoreError, ConfigError):  # nothing found, which is a result
                search(self.space, strategy, budget, self.cost, InProcess(evaluator), store, most)
            wall = time.perf_counter() - start
            trials = [trial for trial in store if trial.status == "scored"]
        accuracies, best = self.accuracies, max(self.accuracies.values())
        score, accuracy, regret, curve = -math.inf, None, None, []
        for trial in trials:
            if trial.value is not None and trial.value > score and trial.meets(budget):
                score, found = trial.value, trial.genotype
                accuracy = accuracies[network_of(Genotype.parse(found))]
                regret = 100 * (best - accuracy)
            curve.append(None if regret is None else round(regret, 4))
        return Result(
            *key,
            problem,
            evaluations=len(trials),
            wall_seconds=wall,
            simulated_seconds=sum(trial.seconds for trial in trials),
            genotype=found,
            score=None if found is None else score,
            accuracy=accuracy,
            regret=regret,
            percentile=None if accuracy is None else _percentile(accuracy, list(accuracies.values())),
            curve=tuple(curve),
        )


def _percentile(value: float, values: Sequence[float]) -> float:
    worse, equal = sum(other < value for other in values), values.count(value) - 1
    return 100 * (worse + equal / 2) / (len(values) - 1) if len(values) > 1 else 100.0


def _arenas(
    table: Table, limits: Sequence[Limits], evaluators: Mapping[str, Lookup], cost: Cost, metric: str, adjusted: bool
) -> list[_Arena]:
    space = table.having(metric).space
    if not space.shared:
        raise DataError(f"{table.name}: a comparison needs one cell in all places of a network")
    accuracies = {
        network: accuracy
        for network, accuracy in table.network_values(metric, adjusted).items()
        if network[0].connected and all(network in evaluator.results for evaluator in evaluators.values())
    }
    arenas = []
    for each in limits:
        within = [n for n in accuracies if each.convs is None or live_convs(n[:1]) <= each.convs]
        fitting = [n for n in within if not violations(cost(table.networks[n][0].genotype), each.memory)]
        if not fitting:
            raise BudgetError(f"{table.name}: none of its {len(accuracies)} networks is within {each.name}")
        restricted = replace(space, members=frozenset(network[0] for network in within))
        arenas.append(_Arena(each, restricted, cost, {network: accuracies[network] for network in fitting}))
    return arenas


def _summary(names: tuple[str, str, str], seeds: Sequence[Sequence[Result]]) -> Summary:
    found = [results for results in seeds if all(result.accuracy is not None for result in results)]

    def over(value: Callable[[Result], float | None]) -> Interval | None:
        """None where some search has no value."""
        values = [[value(result) for result in results] for results in found]
        known = [[v for v in some if v is not None] for some in values]
        return _interval([fmean(some) for some in known]) if known == values else None

    def regret_after(k: int) -> Interval | None:
        return over(lambda result: result.curve[min(k, len(result.curve)) - 1])

    longest = max((len(result.curve) for results in found for result in results), default=0)
    figures = {name: value for name in FIGURES if found and (value := over(attrgetter(name)))}
    curve = tuple(regret_after(k) for k in range(1, longest + 1))
    return Summary(*names, len(seeds), len(seeds) - len(found), figures, curve)


def _interval(values: Sequence[float]) -> Interval:
    mean = fmean(values)
    if len(values) == 1:
        return Interval(mean, None, None)
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


_COLUMNS = tuple(column.name for column in fields(Result))
_RESULT = TypeAdapter(Result)


def _resume(path: Path) -> list[Result]:
    """The results of a CSV, which is begun where it is missing and freed of a line that was not written whole."""
    header = ",".join(_COLUMNS)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        first, *lines = text[: text.rfind("\n") + 1].splitlines() or [header]
        if first != header:
            raise ValueError
        results = []
        for *values, curve in csv.reader(lines):
            known: dict[str, object] = dict(zip(_COLUMNS[:-1], (value or None for value in values), strict=True))
            known["curve"] = [regret or None for regret in curve.split(";")] if known["evaluations"] != "0" else []
            results.append(_RESULT.validate_python(known))
    except (OSError, ValueError):
        raise RunError(f"{path}: cannot be read as results of a comparison; give another file") from None
    write_atomically(path, lambda partial: partial.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8"))
    return results


def _add(path: Path, result: Result) -> None:
    curve = ";".join("" if regret is None else str(regret) for regret in result.curve)
    try:
        with path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow([*astuple(result)[:-1], curve])
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error})") from None
