"""One analysis covers one data set or table with one evaluator; a folder keeps it, and a stopped analysis goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from spikenas._util.errors import ConfigError
from spikenas._util.files import ESCAPED, sole_user, write_atomically, write_text
from spikenas._util.progress import Reporter
from spikenas.config import Config, NetworkConfig
from spikenas.enhancement.edges import EdgeEffect, Interaction, edge_effects
from spikenas.enhancement.effect_plots import draw_analysis
from spikenas.enhancement.effects import Effect, EffectEstimator, Rule, networks_of
from spikenas.enhancement.samples import Sample, Sampler, SampleSet
from spikenas.enhancement.variants import ALL, Variant, variants_of, without
from spikenas.nas.strategies import STRATEGIES
from spikenas.nas.strategy import Cost
from spikenas.space.genotype import NetworkKey
from spikenas.space.ops import NONE, Op
from spikenas.space.space import Space
from spikenas.task import Task
from spikenas.training.evaluators import Evaluator, EvaluatorFactory

REPORT = "analysis.json"
EFFECTS = "effects.csv"
NETWORKS = "networks.csv"
PLOTS = ("analysis.svg", "analysis.png")
LEAST_SEEDS = 5

_COLUMNS = (
    *("data", "evaluator", "variant", "verdict", "loss", "low", "high", "loss_sd", "low_sd", "high_sd"),
    *("typical", "spread", "best_lost", "seeds", "failed", "candidates", "flash_bytes", "gain_per_kib"),
    *("best_use", "all_use", "edge_params", "edge_flash_bytes", "edge_ram_bytes"),
)


@dataclass(frozen=True)
class AnalysisSpec:
    """An analysis specification says what is asked about the ops of a space.

    Attributes:
        evaluator: Name of the evaluator, as in `EvaluatorFactory.make`.
        added: Ops that the space lacks, whose worth is asked too.
        seeds: Number of repetitions, at least 5.
        draws: Number of networks of each space and seed, at least 2; with a strategy its largest number of evaluations.
        initialisations: Number of initialisations of a score or a training; seed k asks number k modulo their number.
            None is one for each seed.
        strategy: Name of a search strategy that is repeated instead of drawing networks.
        rule: Rule that says when an op is removable.
        metric: Metric of a table that is taken as true.
        adjusted: Whether the effect of the cohort is subtracted from the metric.
    """

    evaluator: str
    added: tuple[str, ...] = ()
    seeds: int = 20
    draws: int = 16
    initialisations: int | None = None
    strategy: str | None = None
    rule: Rule = field(default_factory=Rule)
    metric: str = "test"
    adjusted: bool = True

    def __post_init__(self) -> None:
        if self.seeds < LEAST_SEEDS or self.draws < 2:
            raise ConfigError(
                f"{self.seeds} seeds and {self.draws} draws asked; intervals need at least {LEAST_SEEDS} and 2"
            )
        if twice := [op for op in self.added if self.added.count(op) > 1]:
            raise ConfigError(f"op {twice[0]}: added twice")
        if not 0 <= self.rule.tolerance <= 5:
            raise ConfigError(
                f"tolerance: {self.rule.tolerance:g} asked, expected 0 to 5 standard deviations of the networks"
            )
        if not 0.5 <= self.rule.confidence < 1:
            raise ConfigError(f"confidence: {self.rule.confidence:g} asked, expected 0.5 up to, not including, 1")
        if self.strategy:
            STRATEGIES.check(self.strategy)


@dataclass(frozen=True)
class AnalysisResult:
    """An analysis result says what each op of a space is worth, and which ops are kept.

    Attributes:
        data: Name of the data set or table.
        evaluator: Name of the evaluator.
        ops: Ops of the whole space.
        kept: Ops that are left when the removable ones are taken away together, as far as that is below the tolerance
            too.
        effects: Effect of each op alone.
        together: Effects of the removable ops together: each set that was tried; the last one is what was taken away.
        edges: Effect of each op on each edge.
        interactions: Pairs of such effects, the surest first.
        networks: Number of distinct networks that were sampled.
        candidates: Number of distinct cells of the whole space.
        candidates_kept: Number of distinct cells of the space of the kept ops.
    """

    data: str
    evaluator: str
    ops: tuple[str, ...]
    kept: tuple[str, ...]
    effects: list[Effect]
    together: list[Effect]
    edges: list[EdgeEffect]
    interactions: list[Interaction]
    networks: int
    candidates: int
    candidates_kept: int


class EvaluatorMaker(Protocol):
    """An evaluator maker makes evaluators by name, from images or from a table."""

    def make(
        self, name: str, network: NetworkConfig, folder: Path, initialisations: int = 1, candidates: int | None = None
    ) -> list[Evaluator]:
        """Make the evaluators of a name, as `EvaluatorFactory.make` does."""


@dataclass(frozen=True)
class AnalysisSubject:
    """A subject is what an analysis is about.

    Attributes:
        name: Name of the data set or table, for people.
        config: Configuration with the width of the network decided, budget and seed.
        space: Space of the cells that are compared.
        cost: Function that computes the footprint of a genotype.
        factory: Makes the evaluators.
        truth: True accuracies, where they are known; networks without one are not sampled.
    """

    name: str
    config: Config
    space: Space
    cost: Cost
    factory: EvaluatorMaker
    truth: Mapping[NetworkKey, float] | None = None

    @classmethod
    def of(cls, task: Task) -> AnalysisSubject:
        """Make the subject of a task: its space, evaluated by scores or short trainings on its images.

        Raises:
            BudgetError: Nothing of the space meets the budget.
        """
        task = task.sized()
        return cls(task.config.data.short_name, task.config, task.space, task.cost, EvaluatorFactory(task))


@dataclass(frozen=True)
class Analysis:
    """An analysis answers one specification about one subject.

    Args:
        spec: What is asked.
        subject: What it is asked of.
        folder: Keeps everything; what is there is not evaluated again.
        report: Shows the progress.
    """

    spec: AnalysisSpec
    subject: AnalysisSubject
    folder: Path
    report: Reporter

    def run(self) -> AnalysisResult:
        """Run the analysis, and write analysis.json, effects.csv, networks.csv and the plot.

        Raises:
            ConfigError: An evaluator, op or strategy is unknown, or the ops leave nothing.
            BudgetError: Nothing of a space meets the budget.
            DataError: The data or the table cannot be used.
            RunError: The folder is in use, or workers die.
        """
        with sole_user(self.folder):
            return self._analyse()

    def _analyse(self) -> AnalysisResult:
        spec, subject, sampler = self.spec, self.subject, self._sampler
        variants = variants_of(subject.space, [Op.parse(name) for name in spec.added])
        found = self._sample(sampler, variants, "which ops matter")
        estimator = EffectEstimator(
            spec.rule,
            2 * len(variants[0].space.ops) + len(spec.added),
            sampler.cost,
            sampler.evaluators[0].known is None,
            sampler.truth,
        )
        effects = estimator.effects(variants, found)
        kept, together, others = self._reduced(estimator, variants, found, effects)
        base = networks_of(samples for samples in found if samples.variant == ALL)
        edges, interactions = edge_effects(list(base.values()), subject.space)
        networks = networks_of(found)
        answer = AnalysisResult(
            self.name,
            spec.evaluator,
            tuple(map(str, subject.space.ops)),
            tuple(map(str, kept)),
            effects,
            together,
            edges,
            interactions,
            len(networks),
            len(variants[0].space.distinct_cells),
            len(others.space.distinct_cells),
        )
        self._write(answer, networks, variants, base)
        return answer

    @property
    def name(self) -> str:
        """Name of the data set or table, for people."""
        return self.subject.name

    def check(self) -> None:
        """Check that the analysis can be made, before anything is evaluated; errors as in `run`, without RunError."""
        if len(self.subject.space.ops) > 1:
            variants_of(self.subject.space, [Op.parse(name) for name in self.spec.added])
        _ = self._sampler

    @cached_property
    def _sampler(self) -> Sampler:
        spec, subject = self.spec, self.subject
        ops = subject.space.ops
        if len(ops) < 2:
            raise ConfigError(f"an analysis needs at least two ops in the space, got {', '.join(map(str, ops))}")
        evaluators = subject.factory.make(
            spec.evaluator,
            subject.config.network,
            self.folder,
            spec.initialisations or spec.seeds,
            spec.draws * len(ops),
        )
        if evaluators[0].known is None and len(evaluators) < 2:
            raise ConfigError("1 initialisation asked; what initialisations differ by takes at least 2")
        return Sampler(
            evaluators,
            cache(subject.cost),
            subject.config.budget,
            spec.seeds,
            spec.draws,
            subject.config.seed,
            spec.strategy,
            subject.truth,
        )

    def _sample(self, sampler: Sampler, variants: Sequence[Variant], name: str) -> list[SampleSet]:
        with self.report.task(name) as progress:
            return sampler.sample(variants, lambda done, total: progress(done, total, ""))

    def _reduced(
        self, estimator: EffectEstimator, variants: Sequence[Variant], found: list[SampleSet], effects: Sequence[Effect]
    ) -> tuple[tuple[Op, ...], list[Effect], Variant]:
        """Take the removable ops away together; while that costs too much, keep the one that costs most alone."""
        space = variants[0].space
        going = sorted((e for e in effects if e.verdict == "removable"), key=lambda e: e.loss.mean)
        tried: list[Effect] = []
        while going:
            ops = tuple(op for op in space.ops if str(op) in {effect.removed[0] for effect in going})
            if not any(op != NONE and op not in ops for op in space.ops):
                going.pop()
                continue
            variant = without(space, *ops)
            if len(going) == 1:
                return tuple(op for op in space.ops if op not in ops), tried, variant
            samples = self._sample(self._sampler, [variant], variant.name)
            (effect,) = estimator.effects([variants[0], variant], [*found, *samples])
            tried.append(effect)
            if effect.verdict == "removable":
                return tuple(op for op in space.ops if op not in ops), tried, variant
            going.pop()
        return space.ops, tried, variants[0]

    def _write(
        self,
        answer: AnalysisResult,
        networks: Mapping[NetworkKey, Sample],
        variants: Sequence[Variant],
        base: Mapping[NetworkKey, Sample],
    ) -> None:
        content = {
            "inquiry": asdict(self.spec),
            "config": self.subject.config.model_dump(mode="json", exclude_none=True),
            **asdict(answer),
        }
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_text(self.folder / REPORT, text)
        write_effects(self.folder / EFFECTS, [answer])
        _write_networks(self.folder / NETWORKS, networks.values())
        for name in PLOTS:
            draw_analysis(self.folder / name, answer, variants, base, networks, self.spec.rule)


def write_effects(path: Path, answers: Iterable[AnalysisResult]) -> None:
    """Write a line for each data set, evaluator and variant.

    Raises:
        RunError: The file cannot be written.
    """

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8", errors=ESCAPED) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for answer in answers:
                for e in [*answer.effects, *answer.together]:
                    losses = (e.loss.mean, e.loss.low, e.loss.high, e.loss_sd.mean, e.loss_sd.low, e.loss_sd.high)
                    share = (e.share.share, e.share.among_all) if e.share else (None, None)
                    memory = astuple(e.memory) if e.memory else (None, None, None)
                    row = (
                        answer.data,
                        answer.evaluator,
                        e.name,
                        e.verdict,
                        *losses,
                        e.typical.mean,
                        e.spread,
                        e.best_lost,
                    )
                    counts = e.seeds, e.failed, e.candidates, e.flash_bytes, e.gain_per_kib
                    writer.writerow((*row, *counts, *share, *memory))

    write_atomically(path, write)


def _write_networks(path: Path, samples: Iterable[Sample]) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("genotype", "value", "params", "flash_bytes", "ram_bytes"))
            for sample in samples:
                cost = sample.cost
                writer.writerow((sample.genotype, sample.value, cost.params, cost.flash_bytes, cost.ram_bytes))

    write_atomically(path, write)
