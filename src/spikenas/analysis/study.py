"""One analysis: one data set or table, one evaluator; kept in a folder, and gone on with when it was stopped."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from functools import cache, cached_property
from pathlib import Path

from spikenas.analysis.edges import EdgeEffect, Interaction, edge_effects
from spikenas.analysis.effects import Effect, Judged, Rule, networks_of
from spikenas.analysis.looks import Look, Looks, Viewer
from spikenas.analysis.plot import draw_analysis
from spikenas.analysis.variants import ALL, Variant, variants_of, without
from spikenas.config import Config
from spikenas.errors import ConfigError, DataError
from spikenas.files import sole_user, write_atomically, write_text
from spikenas.judges import Court
from spikenas.memory import Footprint, footprint
from spikenas.progress import Reporter
from spikenas.search.strategies import find_strategy
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.ops import NONE, Op
from spikenas.space.plan import InputSpec
from spikenas.space.space import Space
from spikenas.tabular import Network, Table
from spikenas.task import open_data, prepare

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
class Inquiry:
    """What is asked about the ops of a space.

    Attributes:
        evaluator: See `Court.judges`.
        added: Ops that the space lacks, whose worth is asked too.
        seeds: Repetitions, at least 5.
        draws: Networks of each space and seed, at least 2; with a strategy its most evaluations.
        initialisations: Of a score or a training; seed k asks number k modulo their number. None is one for each seed.
        strategy: Repeats that search instead of drawing networks.
        rule: When an op is removable.
        metric: Of a table, what is true.
        adjusted: Whether it is less the effect of the cohort.
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
            find_strategy(self.strategy)


@dataclass(frozen=True)
class Significance:
    """The answer.

    Attributes:
        data: Name of the data set or table.
        evaluator: Who judged.
        ops: Of the whole space.
        kept: What is left when the removable ops are taken away together, as far as that is below the tolerance too.
        effects: Of each op alone.
        together: Of the removable ops together: each set that was tried, the last one is what was taken away.
        edges: Effect of each op on each edge.
        interactions: Pairs of them, the surest first.
        networks: Distinct networks that were looked at.
        candidates: Distinct cells of the whole space.
        candidates_kept: Of the space of the ops kept.
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


@dataclass(frozen=True)
class Analysis:
    """An inquiry, and what it is made into.

    Args:
        inquiry: What is asked.
        config: Data, network, space, budget, fidelity, executor and seed.
        folder: Where to keep everything; what is there is not evaluated again.
        report: Shows the progress.
        table: Accuracies of trained networks, in whose space the ops are judged; None takes the configuration's space.
        input: What the table's networks see; None is as the data.
        read: Reads a genotype in a CSV of scores.
    """

    inquiry: Inquiry
    config: Config
    folder: Path
    report: Reporter
    table: Table | None = None
    input: InputSpec | None = None
    read: Callable[[str], Genotype] = Genotype.parse

    def run(self) -> Significance:
        """Answer, and write analysis.json, effects.csv, networks.csv and the plot.

        Raises:
            ConfigError: an unknown evaluator, op or strategy, or ops that leave nothing.
            BudgetError: nothing of a space fits.
            DataError: the data or the table cannot be used.
            RunError: the folder is in use, or workers die.
        """
        with sole_user(self.folder):
            return self._answer()

    def _answer(self) -> Significance:
        inquiry, prepared = self.inquiry, self._prepared
        variants = variants_of(prepared.space, [Op.parse(name) for name in inquiry.added])
        viewer = prepared.viewer
        found = self._look(viewer, variants, "which ops matter")
        judged = Judged(
            inquiry.rule,
            2 * len(variants[0].space.ops) + len(inquiry.added),
            viewer.cost,
            viewer.judges[0].known is None,
            viewer.truth,
        )
        effects = judged.effects(variants, found)
        kept, together, others = self._reduced(judged, variants, found, effects)
        base = networks_of(looks for looks in found if looks.variant == ALL)
        edges, interactions = edge_effects(list(base.values()), prepared.space)
        networks = networks_of(found)
        answer = Significance(
            self.name,
            inquiry.evaluator,
            tuple(map(str, prepared.space.ops)),
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
        """Of the data set or table, for people."""
        return Path(self.table.name).stem if self.table else self.config.data.short_name

    def check(self) -> None:
        """See that the question can be asked, before anything is evaluated; errors as `run`, without RunError."""
        variants_of(self._prepared.space, [Op.parse(name) for name in self.inquiry.added])

    @cached_property
    def _prepared(self) -> _Prepared:
        inquiry, config = self.inquiry, self.config
        if self.table:
            space = self.table.having(inquiry.metric).space
            if not space.shared:
                raise DataError(f"{self.table.name}: an analysis needs one cell in all places of a network")
            network, input = config.network, self.input or open_data(config).input
            truth = {
                network: value
                for network, value in self.table.network_values(inquiry.metric, inquiry.adjusted).items()
                if network[0].connected
            }
        else:
            task = prepare(config)
            config, space, network, input, truth = task.config, task.space, task.config.network, task.input, None
        if len(space.ops) < 2:
            raise ConfigError(f"an analysis needs at least two ops in the space, got {', '.join(map(str, space.ops))}")
        initialisations = inquiry.initialisations or inquiry.seeds
        court = Court(config, self.folder, initialisations, self.table, self.read, inquiry.draws * len(space.ops))
        judges = court.judges(inquiry.evaluator, network)
        if judges[0].known is None and len(judges) < 2:
            raise ConfigError("1 initialisation asked; what initialisations differ by takes at least 2")

        @cache
        def cost(genotype: Genotype) -> Footprint:
            return footprint(make_plan(genotype, network, input))

        viewer = Viewer(judges, cost, config.budget, inquiry.seeds, inquiry.draws, config.seed, inquiry.strategy, truth)
        return _Prepared(config, space, viewer)

    def _look(self, viewer: Viewer, variants: Sequence[Variant], name: str) -> list[Looks]:
        with self.report.task(name) as progress:
            return viewer.look(variants, lambda done, total: progress(done, total, ""))

    def _reduced(
        self, judged: Judged, variants: Sequence[Variant], found: list[Looks], effects: Sequence[Effect]
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
            looks = self._look(self._prepared.viewer, [variant], variant.name)
            (effect,) = judged.effects([variants[0], variant], [*found, *looks])
            tried.append(effect)
            if effect.verdict == "removable":
                return tuple(op for op in space.ops if op not in ops), tried, variant
            going.pop()
        return space.ops, tried, variants[0]

    def _write(
        self,
        answer: Significance,
        networks: Mapping[Network, Look],
        variants: Sequence[Variant],
        base: Mapping[Network, Look],
    ) -> None:
        content = {
            "inquiry": asdict(self.inquiry),
            "config": self._prepared.config.model_dump(mode="json", exclude_none=True),
            **asdict(answer),
        }
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_text(self.folder / REPORT, text)
        write_effects(self.folder / EFFECTS, [answer])
        _write_networks(self.folder / NETWORKS, networks.values())
        for name in PLOTS:
            draw_analysis(self.folder / name, answer, variants, base, networks, self.inquiry.rule)


@dataclass(frozen=True)
class _Prepared:
    """A configuration with its width decided, the space, and how it is looked at."""

    config: Config
    space: Space
    viewer: Viewer


def write_effects(path: Path, answers: Iterable[Significance]) -> None:
    """A line for each data set, evaluator and variant; raises RunError when it cannot be written."""

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
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


def _write_networks(path: Path, looks: Iterable[Look]) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("genotype", "value", "params", "flash_bytes", "ram_bytes"))
            for look in looks:
                cost = look.cost
                writer.writerow((look.genotype, look.value, cost.params, cost.flash_bytes, cost.ram_bytes))

    write_atomically(path, write)
