"""A comparison is all that the command line asks for, in a folder of its own; what is there is not done again."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from spikenas._util.errors import ConfigError, DataError
from spikenas._util.files import sole_user, write_text
from spikenas._util.progress import Reporter
from spikenas._util.seeding import digest_of
from spikenas.bench.arena import Arena, Limits, compare, table_arenas
from spikenas.bench.comparison_plots import draw_comparison
from spikenas.bench.correlation import correlate
from spikenas.bench.races import RACES
from spikenas.bench.ranks import Rank, rank_of, write_ranks
from spikenas.bench.results import Result, Summary, summarise
from spikenas.bench.subject import cost_of
from spikenas.bench.table import Table
from spikenas.bench.table_evaluators import TableEvaluators
from spikenas.config import Config, NetworkConfig
from spikenas.memory import Estimator
from spikenas.nas import STRATEGIES, CandidateEvaluation
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import Executor
from spikenas.nas.strategies import DEFAULT_EVALUATIONS
from spikenas.nas.strategy import CandidateSpace, Cost
from spikenas.space.genotype import Genotype, network_key
from spikenas.space.plan import InputSpec
from spikenas.task import Task
from spikenas.task.designs import design_space_of
from spikenas.training.evaluators import Evaluator, EvaluatorFactory, require_distinct

RESULTS = "results.csv"
REPORT = "comparison.json"
RANKS = "ranks.csv"
PLOTS = ("comparison.svg", "comparison.png")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComparisonSpec:
    """A comparison specification says what is to be compared.

    Attributes:
        evaluators: Names: each a score, a CSV of scores, or a metric of the table such as `epoch 20`.
        strategies: Names, `race` among them; None is all that can search the space, but the race.
        limits: Limits; each search is run within each of them.
        seeds: Number of seeds of the strategies.
        initialisations: Number of initialisations of each score, with the configuration's seed and those after it.
        evaluations: Largest number of evaluations of a search; None is as configured, or 100.
        metric: Metric of the table that is taken as true.
        adjusted: Whether the effect of the cohort is subtracted from the metric.
        ranked: Number of networks for the rank correlations, drawn at random; None is all, 0 none. Those that one of
            the evaluators has no answer for are left out for all.
    """

    evaluators: tuple[str, ...]
    strategies: tuple[str, ...] | None = None
    limits: tuple[Limits, ...] = (Limits(),)
    seeds: int = 5
    initialisations: int = 1
    evaluations: int | None = None
    metric: str = "test"
    adjusted: bool = True
    ranked: int | None = None


@dataclass(frozen=True)
class ComparisonResult:
    """A comparison result holds the rank correlations, the searches, and their summaries.

    Attributes:
        ranks: Rank correlations of each evaluator; none without a table.
        summaries: Means and intervals over seeds.
        results: A result for each search.
    """

    ranks: list[Rank]
    summaries: list[Summary]
    results: list[Result]


@dataclass(frozen=True)
class Comparison:
    """A comparison answers one specification on a table or on own data.

    Args:
        spec: What is compared.
        config: Data, network, space, fidelity, executor and seed.
        folder: Keeps everything; what is there is not done again.
        report: Shows the progress.
        table: Accuracies of trained networks; None where nobody knows them, so that searches are compared by their
            scores.
        input: Shape of the inputs of the table's networks; None is as the data.
        read: Reads a genotype in a CSV of scores.
    """

    spec: ComparisonSpec
    config: Config
    folder: Path
    report: Reporter
    table: Table | None = None
    input: InputSpec | None = None
    read: Callable[[str], Genotype] = Genotype.parse

    def run(self) -> ComparisonResult:
        """Run the comparison, and write results.csv, comparison.json and the plot.

        Raises:
            ConfigError: An evaluator or strategy is unknown, or an evaluator needs a table where there is none.
            BudgetError: Nothing is within some limits.
            DataError: The table, a CSV or the data cannot be used.
            RunError: The folder holds results of another comparison, or workers die.
        """
        with sole_user(self.folder):
            return self._compare()

    def _compare(self) -> ComparisonResult:
        spec = self.spec
        for name in spec.strategies or ():
            if name not in RACES:
                STRATEGIES.find(name)
        require_distinct(spec.evaluators)
        ranks: list[Rank] = []
        results: list[Result] = []
        if self.table:
            factory = TableEvaluators(self.table, self.read, lambda: self._task)
            evaluators = [self._made(factory, name, self.config.network) for name in spec.evaluators]
            if spec.ranked != 0:
                ranks = self._ranks(self.table, evaluators)
            if spec.strategies != ():
                results = self._searched(self._table_arenas(self.table, evaluators), evaluators)
        else:
            for limits in spec.limits:
                arena, task = self._arena(limits)
                evaluators = [self._made(EvaluatorFactory(task), name, task.config.network) for name in spec.evaluators]
                results += self._searched([arena], evaluators)
        found = ComparisonResult(ranks, summarise(results), results)
        self._write(found)
        return found

    @cached_property
    def _task(self) -> Task:
        return Task.of(self.config)

    def _made(self, factory: EvaluatorFactory | TableEvaluators, name: str, network: NetworkConfig) -> list[Evaluator]:
        return factory.make(name, network, self.folder, self.spec.initialisations)

    def _ranks(self, table: Table, evaluators: Sequence[Sequence[Evaluator]]) -> list[Rank]:
        spec = self.spec
        table = table.having(spec.metric)
        genotypes = [rows[0].genotype for rows in table.networks.values() if rows[0].genotype.connected]
        known = [one.known for group in evaluators for one in group if one.known is not None]
        genotypes = [g for g in genotypes if all(network_key(g) in networks for networks in known)]
        if not genotypes:
            raise DataError(f"{table.name}: no network that all evaluators answer for")
        if spec.ranked is not None and spec.ranked < len(genotypes):
            genotypes = random.Random(0).sample(genotypes, spec.ranked)
        ranks = []
        for group in evaluators:
            correlations, seconds = [], []
            for number, evaluator in enumerate(group, 1):
                name = evaluator.name if len(group) == 1 else f"{evaluator.name} {number}/{len(group)}"
                evaluations = self._evaluated(evaluator.executor, genotypes, name)
                values = {genotype: result.score for genotype, result in zip(genotypes, evaluations, strict=True)}
                seconds += [result.seconds for result in evaluations]
                correlations.append(correlate(table, values, spec.metric, spec.adjusted, sample=True))
            ranks.append(rank_of(group[0].name, correlations, fmean(seconds)))
        return ranks

    def _evaluated(self, executor: Executor, genotypes: Sequence[Genotype], name: str) -> list[CandidateEvaluation]:
        with self.report.task(name) as progress, executor:
            if isinstance(executor, CachedExecutor):
                executor.on_new = lambda known: progress(known, len(genotypes), "")
            found = list(executor.evaluate(genotypes))
            progress(len(genotypes), len(genotypes), "")
        return found

    def _searched(self, arenas: Sequence[Arena], evaluators: Sequence[Sequence[Evaluator]]) -> list[Result]:
        spec = self.spec
        limit = spec.evaluations or self.config.search.evaluations or DEFAULT_EVALUATIONS
        with self.report.task("searches") as progress:

            def on_result(result: Result, done: int, total: int) -> None:
                progress(done, total, f"{result.strategy} by {result.evaluator}, {result.budget}")

            for one in (one for group in evaluators for one in group):
                if isinstance(one.executor, CachedExecutor):
                    one.executor.on_new = lambda known: self.report.check()
            names = spec.strategies or self._possible(arenas)
            seeds = range(spec.seeds)
            return compare(arenas, names, evaluators, seeds, limit, self.folder / RESULTS, on_result)

    def _possible(self, arenas: Sequence[Arena]) -> list[str]:
        """Return the strategies that can search all arenas, and log why others cannot."""
        possible = []
        for name in STRATEGIES:
            try:
                for arena in arenas:
                    arena.strategy(name)
                possible.append(name)
            except ConfigError as error:
                _log.warning("strategy %s is left out: %s", name, error)
        return possible

    def _table_arenas(self, table: Table, evaluators: Sequence[Sequence[Evaluator]]) -> list[Arena]:
        network = self.config.network
        input = self.input or self._task.input
        cost = cost_of(network, input)
        spec = self.spec
        initialised = [one for group in evaluators for one in group]
        setting = digest_of(network.model_dump_json(), str(input))
        return table_arenas(
            table, spec.limits, initialised, cost, setting, spec.metric, spec.adjusted, self.config.search
        )

    def _arena(self, limits: Limits) -> tuple[Arena, Task]:
        """Make the arena without a table, of the configuration's space.

        Returns:
            The arena, and the task; where designs are not searched, with the width that suits these limits.
        """
        if limits.convs is not None:
            raise ConfigError(f"limit {limits.name}: only the networks of a table can be limited so")
        task = self._task.but({"budget": limits.memory})
        space: CandidateSpace
        cost: Cost
        if task.config.searches_designs:
            space = design_space_of(task, task.asked)
            cost = Estimator(task.config.network, task.input, task.limits.limits_speed)
        else:
            task = task.sized()
            space, cost = task.space, task.cost
        setting = digest_of(task.config.network.model_dump_json(), str(task.input))
        return Arena(limits, space, cost, setting=setting, search=self.config.search), task

    def _write(self, found: ComparisonResult) -> None:
        content = {
            "question": asdict(self.spec),
            "table": self.table and self.table.name,
            "config": self.config.model_dump(mode="json", exclude_none=True),
            "ranks": [asdict(rank) for rank in found.ranks],
            "summaries": [asdict(summary) for summary in found.summaries],
        }
        text = json.dumps(content, indent=1, allow_nan=False, default=lambda value: value.model_dump()) + "\n"
        write_text(self.folder / REPORT, text)
        if found.ranks:
            write_ranks(self.folder / RANKS, found.ranks)
        if found.summaries:
            for name in PLOTS:
                draw_comparison(self.folder / name, found.summaries)
