"""An arena runs strategies against each other with the same space, limits, evaluators and counting of cost."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Self

from spikenas._util.errors import BudgetError, ConfigError, DataError, NothingFoundError, RunError
from spikenas._util.seeding import digest_of
from spikenas.bench.correlation import live_convs
from spikenas.bench.races import OPENING, RACES, RUNGS, race_on_table
from spikenas.bench.results import Key, Result, ResultFile
from spikenas.bench.table import Lookup, Table
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.memory import limits_of, violations
from spikenas.nas import CandidateEvaluation, Problem, Strategy, TrialStore, make_strategy, most_evaluations, search
from spikenas.nas.candidates import Candidate
from spikenas.nas.executors import Executor
from spikenas.nas.strategy import CandidateSpace, Cost
from spikenas.space import Genotype, Space
from spikenas.space.genotype import NetworkKey, network_key
from spikenas.space.space import MOST_CELLS
from spikenas.training.evaluators import Evaluator


@dataclass(frozen=True)
class Limits:
    """Limits say what a search may find.

    Attributes:
        convs: Largest number of live convolutions of a cell; cells with more are no members of the space.
        memory: Limits that the search is given as its budget.
    """

    convs: int | None = None
    memory: BudgetConfig = field(default_factory=BudgetConfig)

    @property
    def name(self) -> str:
        """Text of the limits, such as `convs <= 3`, in bytes, seconds and joules."""
        limits = ({} if self.convs is None else {"convs": self.convs}) | limits_of(self.memory)
        return ", ".join(f"{name} <= {limit}" for name, limit in limits.items()) or "no limit"


@dataclass(frozen=True)
class Arena:
    """An arena is a space within some limits, in which searches are run.

    Attributes:
        limits: Limits on what may be found.
        space: The space to search.
        cost: Function that computes what a genotype or design takes.
        accuracies: True accuracies of all networks that fit, which no search is given; None where nobody knows them.
        setting: Digest of what the footprints depend on.
        search: Search settings; `previous` and `refine` of Algorithm 1 are read.
        lookup: Gives what a table says by a metric such as `epoch 10`, which races need; None without a table.
    """

    limits: Limits
    space: CandidateSpace
    cost: Cost
    accuracies: Mapping[NetworkKey, float] | None = None
    setting: str = ""
    search: SearchConfig = field(default_factory=SearchConfig)
    lookup: Callable[[str], Lookup] | None = None

    def problem(self, evaluator: Evaluator) -> str:
        """Return the digest of what a search here with an evaluator depends on."""
        space, search = self.space, self.search
        shape = [*space.edges, space.cells, space.nodes, space.shared] if isinstance(space, Space) else [space]
        asked = *shape, search.previous, search.refine, RUNGS
        return digest_of(evaluator.identity, self.setting, *map(str, asked), *self._networks)

    @cached_property
    def _networks(self) -> list[str]:
        """Return the networks that a search may meet, and the accuracies of those that fit."""
        members = self.space.members if isinstance(self.space, Space) else None
        return sorted(map(repr, members or ())) + sorted(map(repr, (self.accuracies or {}).items()))

    def strategy(self, name: str, seed: int = 0, evaluations: int | None = None) -> Strategy:
        """Make a strategy at its start; of a race that which opens it.

        Raises:
            ConfigError: The strategy is unknown, cannot search this space, or its package is not installed, or a race
                is asked for where no table knows short trainings.
        """
        if name in RACES and self.lookup is None:
            raise ConfigError(f"strategy {name!r}: short trainings are looked up here, in a --table")
        settings = self.search.but({"strategy": OPENING if name in RACES else name, "evaluations": evaluations})
        return make_strategy(settings, Problem(self.space, self.limits.memory, self.cost, seed))

    def run(self, key: Key, problem: str, evaluator: Evaluator) -> Result:
        """Run one search; `key` names strategy, seed and most evaluations, `problem` is its digest."""
        name, _, _, seed, limit = key
        budget = self.limits.memory
        if isinstance(self.space, Space) and self.space.cell_count <= MOST_CELLS:
            _ = self.space.distinct_cells  # not a part of the time of the first search
        timed = _TimedExecutor(evaluator.executor)
        start = time.perf_counter()
        strategy = self.strategy(name, seed, limit)
        most = most_evaluations(SearchConfig(evaluations=limit), strategy)
        with TrialStore() as store:
            with contextlib.suppress(NothingFoundError):  # which is a result
                search(self.space, strategy, budget, self.cost, timed, store, most)
            wall = time.perf_counter() - start - timed.seconds
            trials = [trial for trial in store if trial.status == "scored"]
        found, best, regret, curve = None, -math.inf, None, list[float | None]()
        seconds = sum(trial.seconds for trial in trials)
        for trial in trials:
            if trial.value is not None and trial.value > best and trial.meets(budget):
                best, found = trial.value, trial.genotype
                regret = self._regret(found)
            curve.append(None if found is None else best if self.accuracies is None else regret)
        if name in RACES and self.lookup:
            raced = race_on_table([trial for trial in trials if trial.meets(budget)], self.lookup, name)
            if raced:
                found, best, seconds = raced.genotype, raced.value, seconds + raced.seconds
                regret = self._regret(found)
                curve.append(regret)
        accuracy = None if found is None else self._accuracy(found)
        return Result(
            *key,
            problem,
            evaluations=len(trials),
            wall_seconds=wall,
            evaluation_seconds=seconds,
            genotype=found,
            score=None if found is None else best,
            accuracy=accuracy,
            regret=regret,
            percentile=None if accuracy is None else _percentile(accuracy, list((self.accuracies or {}).values())),
            curve=tuple(curve),
        )

    def _accuracy(self, genotype: str) -> float | None:
        return None if self.accuracies is None else self.accuracies[network_key(Genotype.parse(genotype))]

    def _regret(self, genotype: str) -> float | None:
        accuracy = self._accuracy(genotype)
        return None if accuracy is None else round(100 * (self._most - accuracy), 6)

    @cached_property
    def _most(self) -> float:
        return max((self.accuracies or {}).values())


class _TimedExecutor:
    """A timed executor measures how long an open executor takes."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def evaluate(self, candidates: Sequence[Candidate]) -> Iterator[CandidateEvaluation]:
        results = self.executor.evaluate(candidates)
        for _ in candidates:
            start = time.perf_counter()
            result = next(results)
            self.seconds += time.perf_counter() - start
            yield result


def _percentile(value: float, values: Sequence[float]) -> float:
    worse, equal = sum(other < value for other in values), values.count(value) - 1
    return 100 * (worse + equal / 2) / (len(values) - 1) if len(values) > 1 else 100.0


def table_arenas(
    table: Table,
    limits: Sequence[Limits],
    evaluators: Sequence[Evaluator],
    cost: Cost,
    setting: str = "",
    metric: str = "test",
    adjusted: bool = True,
    search: SearchConfig | None = None,
) -> list[Arena]:
    """Make an arena of the networks of a table within each of some limits.

    Networks that an evaluator cannot answer for are left out.

    Args:
        table: The table, with one cell in all places of a network.
        limits: Limits, each for an arena of its own.
        evaluators: All evaluators that will be asked.
        cost: Function that computes the footprint of a genotype.
        setting: Digest of what the footprints depend on.
        metric: Metric that is taken as true, as in `Table.lookup`.
        adjusted: Whether the effect of the cohort is subtracted from true accuracies, and from those that races see.
        search: Search settings; `previous` and `refine` of Algorithm 1 are read.
    Returns:
        An arena for each of the limits.
    Raises:
        BudgetError: No network of the table is within some limits.
        ConfigError: The metric is unknown.
        DataError: No row has the metric, cells differ by place, or no network is known to all evaluators.
    """
    space = table.having(metric).space
    if not space.shared:
        raise DataError(f"{table.name}: a comparison needs one cell in all places of a network")
    cost = cache(cost)
    accuracies = {
        network: accuracy
        for network, accuracy in table.network_values(metric, adjusted).items()
        if network[0].connected
        and all(evaluator.known is None or network in evaluator.known for evaluator in evaluators)
    }
    if not accuracies:
        raise DataError(
            f"{table.name}: no network that all of {', '.join(evaluator.name for evaluator in evaluators)} answer for"
        )
    arenas, lookup = [], cache(lambda name: table.lookup(name, adjusted))
    for each in limits:
        within = [n for n in accuracies if each.convs is None or live_convs(n[:1]) <= each.convs]
        fitting = [n for n in within if not violations(cost(table.networks[n][0].genotype), each.memory)]
        if not fitting:
            raise BudgetError(f"{table.name}: none of its {len(accuracies)} networks is within {each.name}")
        restricted = replace(space, members=frozenset(network[0] for network in within))
        fit = {network: accuracies[network] for network in fitting}
        arenas.append(Arena(each, restricted, cost, fit, setting, search or SearchConfig(), lookup))
    return arenas


def compare(
    arenas: Sequence[Arena],
    strategies: Sequence[str],
    evaluators: Sequence[Sequence[Evaluator]],
    seeds: Sequence[int],
    evaluations: int | None = 100,
    path: Path | None = None,
    on_result: Callable[[Result, int, int], None] = lambda result, done, total: None,
) -> list[Result]:
    """Run each strategy with each evaluator and seed in each arena.

    A search is given nothing but the space, the budget, the cost and its evaluator.

    Args:
        arenas: The arenas, as `table_arenas` makes them.
        strategies: Names of the strategies.
        evaluators: For each evaluator its initialisations, of one name; seed k asks number k modulo their number.
        seeds: Seeds of the strategies.
        evaluations: Largest number of evaluations of a search; None is as in `most_evaluations`.
        path: CSV to which each result is added as it comes; what it already holds is not run again.
        on_result: Called for each result with how many are done, and of how many.
    Returns:
        A result for each search.
    Raises:
        ConfigError: A strategy is unknown or cannot search the space, or fewer than one evaluation is asked.
        RunError: The CSV cannot be used, or is of other accuracies, scores or settings.
    """
    if evaluations is not None and evaluations < 1:
        raise ConfigError(f"evaluations: {evaluations}; a search needs at least 1")
    for arena, name in product(arenas, strategies):
        arena.strategy(name, evaluations=evaluations)
    file = ResultFile(path)
    problems = {one.identity: [arena.problem(one) for arena in arenas] for group in evaluators for one in group}
    for group, (number, arena), name, seed in product(evaluators, enumerate(arenas), strategies, seeds):
        evaluator = group[seed % len(group)]
        known = file.known.get((name, evaluator.name, arena.limits.name, seed, evaluations))
        if known and known.problem != problems[evaluator.identity][number]:
            raise RunError(f"{path}: its results are of other accuracies, scores or settings; give another folder")
    total = len(arenas) * len(evaluators) * len(strategies) * len(seeds)
    results: list[Result] = []
    for group in evaluators:
        for number, evaluator in enumerate(group):
            asked = [seed for seed in seeds if seed % len(group) == number]
            with evaluator.executor:
                for (place, arena), name, seed in product(enumerate(arenas), strategies, asked):
                    key = name, evaluator.name, arena.limits.name, seed, evaluations
                    if key not in file.known:
                        file.add(arena.run(key, problems[evaluator.identity][place], evaluator))
                    results.append(file.known[key])
                    on_result(results[-1], len(results), total)
    return results
