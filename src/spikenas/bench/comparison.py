"""The whole comparison that the command line asks for, in a folder of its own; what is there is not done again."""

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
from spikenas.bench.evaluators import TableEvaluators
from spikenas.bench.ranks import Rank, rank_of, write_ranks
from spikenas.bench.results import Result, Summary, summarise
from spikenas.bench.subject import cost_of
from spikenas.bench.table import Table
from spikenas.config import Config, NetworkConfig
from spikenas.nas import STRATEGIES, Evaluation
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import Executor
from spikenas.nas.strategies import DEFAULT_EVALUATIONS
from spikenas.space.genotype import Genotype, network_key
from spikenas.space.plan import InputSpec
from spikenas.task import Task
from spikenas.training.evaluators import Evaluator, EvaluatorFactory, require_distinct

RESULTS = "results.csv"
REPORT = "comparison.json"
RANKS = "ranks.csv"
PLOTS = ("comparison.svg", "comparison.png")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What is to be compared.

    Attributes:
        evaluators: Each a score, a CSV of scores, or a metric of the table such as `epoch 20`.
        strategies: Names; None is all that can search the space.
        limits: Each search is run within each.
        seeds: Number of seeds of the strategies.
        initialisations: Number of initialisations of each score, with the configuration's seed and those after it.
        evaluations: Most evaluations of a search; None is as configured, or 100.
        metric: Of the table, what is true.
        adjusted: Whether it is less the effect of the cohort.
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
class Findings:
    """The answers."""

    ranks: list[Rank]
    summaries: list[Summary]
    results: list[Result]


@dataclass(frozen=True)
class Study:
    """A question, and what it is asked of.

    Args:
        question: What to compare.
        config: Data, network, space, fidelity, executor and seed.
        folder: Where to keep everything.
        report: Shows the progress.
        table: Accuracies of trained networks; None where nobody knows them: then searches are oned by their scores.
        input: What the table's networks see; None is as the data.
        read: Reads a genotype in a CSV of scores.
    """

    question: Question
    config: Config
    folder: Path
    report: Reporter
    table: Table | None = None
    input: InputSpec | None = None
    read: Callable[[str], Genotype] = Genotype.parse

    def run(self) -> Findings:
        """Answer, and write results.csv, comparison.json and the plot.

        Raises:
            ConfigError: an unknown evaluator or strategy, or one that needs a table where there is none.
            BudgetError: nothing fits some limits.
            DataError: the table, a CSV or the data cannot be used.
            RunError: the folder holds results of another comparison, or workers die.
        """
        with sole_user(self.folder):
            return self._answer()

    def _answer(self) -> Findings:
        question = self.question
        for name in question.strategies or ():
            STRATEGIES.find(name)
        require_distinct(question.evaluators)
        ranks: list[Rank] = []
        results: list[Result] = []
        if self.table:
            factory = TableEvaluators(self.table, self.read, lambda: self._task)
            evaluators = [self._made(factory, name, self.config.network) for name in question.evaluators]
            if question.ranked != 0:
                ranks = self._ranks(self.table, evaluators)
            if question.strategies != ():
                results = self._searched(self._table_arenas(self.table, evaluators), evaluators)
        else:
            for limits in question.limits:
                arena, task = self._arena(limits)
                made = [self._made(EvaluatorFactory(task), name, task.config.network) for name in question.evaluators]
                results += self._searched([arena], made)
        findings = Findings(ranks, summarise(results), results)
        self._write(findings)
        return findings

    @cached_property
    def _task(self) -> Task:
        return Task.of(self.config)

    def _made(self, factory: EvaluatorFactory | TableEvaluators, name: str, network: NetworkConfig) -> list[Evaluator]:
        return factory.make(name, network, self.folder, self.question.initialisations)

    def _ranks(self, table: Table, evaluators: Sequence[Sequence[Evaluator]]) -> list[Rank]:
        question = self.question
        table = table.having(question.metric)
        genotypes = [rows[0].genotype for rows in table.networks.values() if rows[0].genotype.connected]
        known = [one.known for evaluator in evaluators for one in evaluator if one.known is not None]
        genotypes = [g for g in genotypes if all(network_key(g) in networks for networks in known)]
        if not genotypes:
            raise DataError(f"{table.name}: no network that all evaluators answer for")
        if question.ranked is not None and question.ranked < len(genotypes):
            genotypes = random.Random(0).sample(genotypes, question.ranked)
        ranks = []
        for evaluator in evaluators:
            correlations, seconds = [], []
            for number, one in enumerate(evaluator, 1):
                name = one.name if len(evaluator) == 1 else f"{one.name} {number}/{len(evaluator)}"
                found = self._evaluated(one.executor, genotypes, name)
                values = {genotype: result.score for genotype, result in zip(genotypes, found, strict=True)}
                seconds += [result.seconds for result in found]
                correlations.append(correlate(table, values, question.metric, question.adjusted, sample=True))
            ranks.append(rank_of(evaluator[0].name, correlations, fmean(seconds)))
        return ranks

    def _evaluated(self, executor: Executor, genotypes: Sequence[Genotype], name: str) -> list[Evaluation]:
        with self.report.task(name) as progress, executor:
            if isinstance(executor, CachedExecutor):
                executor.on_new = lambda known: progress(known, len(genotypes), "")
            found = list(executor.evaluate(genotypes))
            progress(len(genotypes), len(genotypes), "")
        return found

    def _searched(self, arenas: Sequence[Arena], evaluators: Sequence[Sequence[Evaluator]]) -> list[Result]:
        question = self.question
        limit = question.evaluations or self.config.search.evaluations or DEFAULT_EVALUATIONS
        with self.report.task("searches") as progress:

            def on_result(result: Result, done: int, total: int) -> None:
                progress(done, total, f"{result.strategy} by {result.evaluator}, {result.budget}")

            for one in (one for evaluator in evaluators for one in evaluator):
                if isinstance(one.executor, CachedExecutor):
                    one.executor.on_new = lambda known: self.report.check()
            names = question.strategies or self._possible(arenas)
            seeds = range(question.seeds)
            return compare(arenas, names, evaluators, seeds, limit, self.folder / RESULTS, on_result)

    def _possible(self, arenas: Sequence[Arena]) -> list[str]:
        """The strategies that can search all arenas; says why others cannot."""
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
        question = self.question
        everyone = [one for evaluator in evaluators for one in evaluator]
        setting = digest_of(network.model_dump_json(), str(input))
        return table_arenas(
            table, question.limits, everyone, cost, setting, question.metric, question.adjusted, self.config.search
        )

    def _arena(self, limits: Limits) -> tuple[Arena, Task]:
        """Without a table: the configuration's space, and the task with the width that suits these limits."""
        if limits.convs is not None:
            raise ConfigError(f"limit {limits.name}: only the networks of a table can be limited so")
        task = self._task.but({"budget": limits.memory}).sized()
        setting = digest_of(task.config.network.model_dump_json(), str(task.input))
        return Arena(limits, task.space, task.cost, setting=setting, search=self.config.search), task

    def _write(self, findings: Findings) -> None:
        content = {
            "question": asdict(self.question),
            "table": self.table and self.table.name,
            "config": self.config.model_dump(mode="json", exclude_none=True),
            "ranks": [asdict(rank) for rank in findings.ranks],
            "summaries": [asdict(summary) for summary in findings.summaries],
        }
        text = json.dumps(content, indent=1, allow_nan=False, default=lambda value: value.model_dump()) + "\n"
        write_text(self.folder / REPORT, text)
        if findings.ranks:
            write_ranks(self.folder / RANKS, findings.ranks)
        if findings.summaries:
            for name in PLOTS:
                draw_comparison(self.folder / name, findings.summaries)
