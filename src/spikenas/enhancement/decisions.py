"""Decisions lead from what matters and what fits to the space that is searched: ops, cells, width, head, sharing, T.

Each decision has a reason and its evidence, and is taken only where the configuration leaves it open.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from spikenas._util.errors import BudgetError, NoDifferenceError, NothingFoundError
from spikenas._util.paths import user_path
from spikenas._util.progress import Reporter
from spikenas.config import Config
from spikenas.enhancement.analysis import Analysis, AnalysisSpec, AnalysisSubject
from spikenas.enhancement.analysis_file import read_analysis
from spikenas.enhancement.decided import Decision, Enhancement
from spikenas.enhancement.effects import Interval, Rule
from spikenas.enhancement.samples import Sampler, SampleSet
from spikenas.enhancement.variants import whole
from spikenas.memory import Footprint, describe, excess, footprint, sizes, violations
from spikenas.memory.width import LADDER
from spikenas.nas import Problem, TrialStore, make_strategy, search
from spikenas.scores import TRAINING
from spikenas.space.building import make_plan
from spikenas.space.cell import Cell
from spikenas.space.genotype import Genotype
from spikenas.space.ops import SNASNET_OPS
from spikenas.task import Task
from spikenas.training.evaluators import Evaluator, EvaluatorFactory

MOST_CELLS = 4
MOST_EVALUATIONS = 1000  # of the search that follows
LEAST_MAP = 4  # side of the last cell's maps
_DEFAULT_CELLS = 2
_SEARCHES = 3  # initialisations with which shared and separate cells are searched
_EVALUATIONS = 100  # of each of these searches
_SAMPLE = 64  # cells whose footprint is computed for each width


@dataclass(frozen=True)
class Enhancer:
    """An enhancer decides what a configuration leaves open; its section `enhancement` says how.

    Args:
        task: The task; keys that its configuration sets explicitly stay as they are.
        folder: Keeps the evaluations, so that a second time they are not repeated.
        report: Shows the progress.
    """

    task: Task
    folder: Path
    report: Reporter

    def run(self) -> Enhancement:
        """Take all decisions, one after the other, each with the configuration that those before it made.

        Raises:
            BudgetError: Nothing meets the budget.
            ConfigError: The analysis is of something else.
            DataError: The data cannot be used.
        """
        decisions: list[Decision] = []
        config = self.task.config
        for decide in (
            *(self._head, self._ops, self._cells, self._bits, self._width),
            *(self._sharing, self._effort, self._timesteps),
        ):
            for decision in decide(config):
                decisions.append(decision)
                config = config.but({decision.key: decision.value})
        return Enhancement(tuple(decisions), config)

    @property
    def _rule(self) -> Rule:
        settings = self.task.config.enhancement
        return Rule(settings.tolerance, settings.confidence)

    def _with(self, config: Config) -> Task:
        return self.task.with_config(config)

    def _head(self, config: Config) -> list[Decision]:
        key = "network.kind"
        if self._given(key):
            return [self._as_configured(config, key)]
        if not config.budget.has_limits:
            reason = "no budget is given; the compact head is the one that devices can hold"
            return [Decision(key, "compact", reason)]
        smallest = self._smallest_snasnet(config)
        exceeded = violations(smallest, config.budget)
        evidence = {"smallest_snasnet": sizes(smallest), "exceeds": sorted(exceeded)}
        reason = (
            f"SNASNet's head has a hidden layer, with which no network fits: {excess([smallest], config.budget)}"
            if exceeded
            else f"SNASNet's head would fit ({describe(smallest)}), but leaves less for the cells than a global average"
        )
        return [Decision(key, "compact", reason, evidence)]

    def _smallest_snasnet(self, config: Config) -> Footprint:
        changes = {"kind": "snasnet", "neuron": "lif", "cells": 2, "channels": LADDER[0], "stem_stride": 2}
        nodes = config.space.nodes
        cell = Cell.parse(f"nodes={nodes} 0-{nodes - 1}:skip")
        return footprint(make_plan(Genotype((cell, cell)), config.network.but(changes), self.task.input))

    def _ops(self, config: Config) -> list[Decision]:
        key = "space.ops"
        if self._given(key) and not config.enhancement.analysis:
            return [self._as_configured(config, key)]
        settings = config.enhancement
        found: Mapping[str, Any]
        if settings.analysis:
            found, source = (
                read_analysis(user_path(settings.analysis), self.task.asked, self._evaluator),
                settings.analysis,
            )
        else:
            task = self._with(config.but({"network.cells": self._start(config)})).sized()
            fitting = list(islice(filter(partial(self._fits, task), task.space.distinct_cells), 2))
            if len(fitting) < 2:
                reason = "as configured: one cell of the space fits, so that its ops cannot be compared"
                return [self._as_configured(config, key, reason)]
            others = tuple(str(op) for op in SNASNET_OPS if str(op) not in config.space.ops)
            spec = AnalysisSpec(self._evaluator, others, settings.seeds, settings.draws, rule=self._rule)
            analysis = Analysis(spec, AnalysisSubject.of(task), self.folder / "analysis", self.report)
            try:
                found = asdict(analysis.run())
            except NoDifferenceError:
                reason = "as configured: all networks that were drawn are equally good, so that ops cannot be compared"
                return [self._as_configured(config, key, reason)]
            source = str(self.folder / "analysis")
        effects = [*found["effects"], *found["together"]]
        evidence = {
            "analysis": source,
            "evaluator": found["evaluator"],
            "effects": {
                effect["name"]: {"loss_sd": effect["loss_sd"], "verdict": effect["verdict"]} for effect in effects
            },
            "candidates": [found["candidates"], found["candidates_kept"]],
        }
        by_verdict: dict[str, list[str]] = {}
        for effect in found["effects"]:
            by_verdict.setdefault(effect["verdict"], []).extend([*effect["removed"], *effect["added"]])
        removed = [op for op in found["ops"] if op not in found["kept"]]
        worthwhile = by_verdict.get("worthwhile", [])
        parts = [
            f"of {', '.join(found['ops'])} surely removable: {', '.join(removed) or 'none of them'}",
            f"surely needed: {', '.join(by_verdict.get('needed', [])) or 'none of them'}",
        ]
        if any(effect["added"] for effect in found["effects"]):
            parts.append(f"surely worth adding at the same effort: {', '.join(worthwhile) or 'no other'}")
        return [Decision(key, [*found["kept"], *worthwhile], "; ".join(parts), evidence)]

    def _cells(self, config: Config) -> list[Decision]:
        key = "network.cells"
        if self._given(key) or config.network.kind == "snasnet":
            return [self._as_configured(config, key, "SNASNet's macro structure has two")]
        tasks, rows = self._possible(config)
        start = self._start(config)
        evidence = {"evaluator": self._evaluator, "cells": rows}
        if start != _DEFAULT_CELLS:
            left_out = rows[str(_DEFAULT_CELLS)]["left_out"]
            return [Decision(key, start, f"{_DEFAULT_CELLS} cells cannot be: {left_out}", evidence)]
        if self._evaluator != TRAINING:
            reason = (
                "the default: a score is taken at one width for all, so it cannot weigh depth against width; "
                f"'spikenas enhance --by {TRAINING}' does"
            )
            return [Decision(key, start, reason, evidence)]
        best, best_gain = start, 0.0
        confidence = 1 - (1 - self._rule.confidence) / (MOST_CELLS - 1)
        sampled = {cells: self._sampled(task) for cells, task in tasks.items()}
        for cells, found in sampled.items():
            rows[str(cells)]["found"] = fmean(one.found.score for one in found if one.found)
            pairs = zip(found, sampled[start], strict=True)
            gains = [a.found.value - b.found.value for a, b in pairs if a.found and b.found]
            if cells != start and len(gains) > 1:
                interval = Interval.of(gains, confidence)
                rows[str(cells)]["gain"] = asdict(interval)
                if interval.low > 0 and interval.mean > best_gain:
                    best, best_gain = cells, interval.mean
        reason = (
            f"short trainings of {best} cells are surely better than those of {start}, each at its own width"
            if best != start
            else f"short trainings find no other number of cells surely better than {start}, each at its own width"
        )
        return [Decision(key, best, reason, evidence)]

    def _start(self, config: Config) -> int:
        """Return the number of cells to begin with: as configured, or where that cannot be the nearest that can.

        Raises:
            BudgetError: None can be.
        """
        if self._given("network.cells") or config.network.kind == "snasnet":
            return config.network.cells
        tasks, _ = self._possible(config)
        if not tasks:
            self._with(config).sized()  # raises, with what would make room
        return min(tasks, key=lambda cells: (abs(cells - _DEFAULT_CELLS), cells))

    @staticmethod
    def _fits(task: Task, cell: Cell) -> bool:
        """Whether a cell, put in every place, meets the budget."""
        return not violations(task.cost(Genotype((cell,) * task.config.network.cells)), task.limits)

    def _possible(self, config: Config) -> tuple[dict[int, Task], dict[str, Any]]:
        """Find the numbers of cells that can be, at the width that the budget leaves.

        Returns:
            The task of each number, and a row of evidence for each.
        """
        tasks: dict[int, Task] = {}
        rows: dict[str, Any] = {}
        stride = 2 if config.network.stem_stride == 2 else 1
        for cells in range(1, MOST_CELLS + 1):
            side = min(self.task.input.height, self.task.input.width) // stride // 2 ** (cells - 1)
            if side < LEAST_MAP:
                small = f"the last cell would have maps of {side}x{side}, less than {LEAST_MAP}x{LEAST_MAP}"
                rows[str(cells)] = {"left_out": small}
                continue
            try:
                task = self._with(config.but({"network.cells": cells})).sized()
            except BudgetError as error:
                rows[str(cells)] = {"left_out": str(error)}
                continue
            tasks[cells] = task
            network = task.config.network
            rows[str(cells)] = {"channels": network.channels, "stem_stride": network.stem_stride}
        return tasks, rows

    def _sampled(self, task: Task) -> list[SampleSet]:
        """Sample networks of a task, trained shortly at the width that they will have."""
        wide = task.but({"short_training.channels": task.config.network.channels})
        settings = task.config.enhancement
        evaluators = self._evaluators(wide, settings.seeds, settings.draws)
        sampler = Sampler(evaluators, task.cost, task.config.budget, settings.seeds, settings.draws, task.config.seed)
        with self.report.task(f"{task.config.network.cells} cells") as progress:
            return sampler.sample([whole(task.space)], lambda done, total: progress(done, total, ""))

    def _evaluators(self, task: Task, count: int, candidates: int) -> list[Evaluator]:
        """Make evaluators with `count` initialisations, which keep what they said of networks of as many cells."""
        network = task.config.network
        folder = self.folder / f"cells-{network.cells}"
        return EvaluatorFactory(task).make(self._evaluator, network, folder, count, candidates)

    def _bits(self, config: Config) -> list[Decision]:
        """Keep the bits, since a score does not depend on them.

        So they are not traded for width here; the evidence says what they would buy.
        """
        key = "network.weight_bits"
        if self._given(key) or not config.budget.has_limits or config.network.channels != "auto":
            free = not config.budget.has_limits
            reason = "no budget is given" if free else "the width is given, so that fewer bits would widen nothing"
            return [self._as_configured(config, key, reason)]
        widths = {}
        for bits in (8, 4, 2):
            with contextlib.suppress(BudgetError):
                widths[str(bits)] = self._with(config.but({key: bits})).sized().config.network.channels
        bought = [f"{bits} bits would allow {widths[bits]} channels" for bits in ("4", "2") if bits in widths]
        reason = f"the default, for {widths.get('8', 'no')} channels; {', '.join(bought)}: --weight-bits sets them"
        return [Decision(key, config.network.weight_bits, reason, {"channels_by_bits": widths})]

    def _width(self, config: Config) -> list[Decision]:
        task = self._with(config).sized()
        network, cost = task.config.network, task.cost
        cells = task.space.distinct_cells
        cells = tuple(random.Random(0).sample(cells, min(_SAMPLE, len(cells))))
        fitting = {}
        for channels in LADDER:
            at = task.but({"network.channels": channels}).cost
            fits = [not violations(at(Genotype((cell,) * network.cells)), config.budget) for cell in cells]
            fitting[str(channels)] = round(fmean(fits), 3)
        smallest = min((cost(Genotype((cell,) * network.cells)) for cell in cells), key=lambda f: f.flash_bytes)
        evidence = {"share_that_fits": fitting, "of_cells": len(cells), "smallest": sizes(smallest)}
        decisions = []
        for key, value in (("network.channels", network.channels), ("network.stem_stride", network.stem_stride)):
            if self._given(key) and getattr(config.network, key.rpartition(".")[2]) != "auto":
                decisions.append(self._as_configured(config, key))
            elif key == "network.channels":
                reason = (
                    "the widest of the ladder at which half of the cells fit"
                    if config.budget.has_limits
                    else "no budget is given"
                )
                decisions.append(Decision(key, value, reason, evidence))
            else:
                reason = "2 where that at least doubles the width, which is where RAM binds; else 1"
                decisions.append(Decision(key, value, reason))
        return decisions

    def _sharing(self, config: Config) -> list[Decision]:
        keys = "space.shared", "search.refine"
        reason = (
            f"the other of {' and '.join(keys)} is given"
            if any(map(self._given, keys))
            else "a single cell has nothing to share"
            if config.network.cells == 1
            else f"the strategy {config.search.strategy} is searched as configured"
            if config.search.strategy != "spikenas"
            else None
        )
        if reason:
            return [self._as_configured(config, key, reason) for key in keys]
        scores: dict[str, dict[int, float]] = {"shared": {}, "separate": {}}
        evaluations: dict[str, dict[int, int]] = {"shared": {}, "separate": {}}
        for name, changes in (("shared", (True, 0)), ("separate", (False, 1))):
            task = self._with(config.but(dict(zip(keys, changes, strict=True)))).sized()
            problem = Problem(task.space, config.budget, task.cost, config.seed)
            settings = task.config.search.but({"evaluations": _EVALUATIONS})
            with self.report.task(f"searches with {name} cells") as progress:
                for number, evaluator in enumerate(self._evaluators(task, _SEARCHES, task.config.enhancement.draws)):
                    strategy = make_strategy(settings, problem)
                    with contextlib.suppress(NothingFoundError), TrialStore() as store, evaluator.executor as executor:
                        found = search(task.space, strategy, config.budget, problem.cost, executor, store, _EVALUATIONS)
                        scores[name][number], evaluations[name][number] = found.score, found.scored
                    progress(number + 1, _SEARCHES, "")
        both = scores["shared"].keys() & scores["separate"].keys()
        separate = bool(both) and all(scores["separate"][number] > scores["shared"][number] for number in both)
        evidence = {"evaluator": self._evaluator, "scores": scores, "evaluations": evaluations}
        reason = (
            f"with {_EVALUATIONS} evaluations, cells of their own have a higher score with every initialisation"
            if separate
            else f"with {_EVALUATIONS} evaluations, cells of their own have no higher score with every initialisation"
        )
        return [
            Decision(keys[0], not separate, reason, evidence),
            Decision(keys[1], int(separate), "one pass that exchanges cells" if separate else "nothing to exchange"),
        ]

    def _effort(self, config: Config) -> list[Decision]:
        key = "search.evaluations"
        if self._given(key) or config.search.strategy != "spikenas":
            reason = f"the strategy {config.search.strategy} has the effort that is usual for it"
            return [self._as_configured(config, key, reason)]
        task = self._with(config)
        settings = config.search.but({"evaluations": None})
        most = make_strategy(settings, Problem(task.space, config.budget, task.cost, config.seed)).expected or 0
        evidence = {"candidates": most, "cells": len(task.space.distinct_cells)}
        if most <= MOST_EVALUATIONS:
            return [Decision(key, None, f"all cells are tried in each step, {most:,} at most", evidence)]
        return [Decision(key, MOST_EVALUATIONS, f"{most:,} would be all; steps share what is allowed", evidence)]

    def _timesteps(self, config: Config) -> list[Decision]:
        key = "network.timesteps"
        if self._given(key):
            return [self._as_configured(config, key)]
        reason = (
            "as the data have"
            if not self.task.dataset.static
            else "T takes time, and scores of different T cannot be compared; --timesteps sets it"
        )
        return [Decision(key, config.network.timesteps, reason)]

    @property
    def _evaluator(self) -> str:
        return self.task.config.enhancement.by or self.task.config.search.score

    def _given(self, key: str) -> bool:
        return self.task.asked.is_decided(key)

    def _as_configured(self, config: Config, key: str, reason: str = "") -> Decision:
        """Keep a setting, because it was asked for, or else for a reason."""
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name)
        given = self._given(key)
        space = self.task.asked.space.name
        named = given and name not in getattr(self.task.asked, section).model_fields_set
        said = f"as the space {space} has it" if named else "set beforehand, so not decided here" if given else reason
        return Decision(key, list(value) if isinstance(value, tuple) else value, said, given=given)
