"""SpikeNAS's own search, Algorithm 1, goes cell by cell.

Source: Putra & Shafique 2024, arXiv 2402.11322, Algorithm 1. Our changes: equal networks are one candidate; the memory
filter asks for the smallest completion of a candidate; there are `refine` passes; steps try a share of the cells where
evaluations are limited.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

from spikenas._util.errors import ConfigError, NothingFoundError
from spikenas._util.seeding import seed_of
from spikenas.config import SearchConfig
from spikenas.memory import FIGURES
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy
from spikenas.space.cell import Cell
from spikenas.space.genotype import Genotype
from spikenas.space.space import Space

_BATCH = 64


@dataclass(frozen=True)
class _Step:
    name: str
    proposals: tuple[Proposal, ...]


class SpikeNAS(Strategy):
    """SpikeNAS goes cell by cell, and tries every distinct cell in each place.

    Args:
        problem: Space, budget, cost and seed.
        previous: Whether the cells found before stay (`fixed`) or follow the cell that is tried (`same`).
        refine: Number of further passes, each exchanging one cell after the other.
        evaluations: Largest number of candidates that may be scored. Each step may score an equal share of those that
            the steps before left; where that is less than its cells, it takes them in random order.
    Raises:
        ConfigError: Refining passes are asked where all cells are one, or the space cannot be enumerated.
    """

    space: Space

    name = "spikenas"
    summary = "cell by cell, every distinct cell in each place"
    source = "Putra & Shafique 2024, arXiv 2402.11322, Algorithm 1"

    def __init__(
        self,
        problem: Problem,
        previous: Literal["fixed", "same"] = "fixed",
        refine: int = 0,
        evaluations: int | None = None,
    ) -> None:
        super().__init__(problem)
        if self.space.shared and refine:
            raise ConfigError(f"search.refine: {refine} asked, but with space.shared no cell can be exchanged alone")
        self.previous = previous
        self.refine = refine
        self._evaluations = evaluations
        self._steps_to_go = 1 if self.space.shared else max(1, self.space.cells - 1) + refine * self.space.cells
        self._scored: set[str] = set()
        self._last: Genotype | None = None  # what the step before found
        self._before = 0  # of those, how many in steps before
        self._share = self._fair_share()
        self._rng = random.Random(seed_of(problem.seed, self.name))
        self._walk = self._steps()
        self._step: _Step | None = next(self._walk)
        self._told: list[Trial] = []

    @classmethod
    def configured(cls, problem: Problem, settings: SearchConfig) -> Self:
        """Make the strategy with `search.previous`, `search.refine` and `search.evaluations` of the configuration."""
        return cls(problem, settings.previous, settings.refine, settings.evaluations)

    @property
    def expected(self) -> int:
        """Approximate number of proposals: those of the steps that are done, and a share for each step to come."""
        return self._before + self._steps_to_go * self._share

    def _fair_share(self) -> int:
        cells = len(self.space.distinct_cells)
        if self._evaluations is None:
            return cells
        return min(cells, max(1, (self._evaluations - len(self._scored)) // self._steps_to_go))

    def ask(self) -> Sequence[Proposal]:
        """Return the next of the step's candidates."""
        most = min(_BATCH, self._share - self._new)
        return self._step.proposals[len(self._told) :][:most] if self._step else ()

    @property
    def _new(self) -> int:
        return len(self._scored) - self._before

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the best of the step once it is complete, and go on from it.

        A later step without any candidate that fits and has a score goes on from what was found before.

        Raises:
            NothingFoundError: None of the first step's candidates fits and has a score.
        """
        self._told.extend(trials)
        self._scored |= {trial.genotype for trial in trials if trial.status == "scored"}
        if self._step and (len(self._told) == len(self._step.proposals) or self._new == self._share):
            self._last = best = self._best(self._step)
            self._told = []
            self._before = len(self._scored)
            self._steps_to_go -= 1
            if not self._steps_to_go:
                self._step = None
                return
            self._share = self._fair_share()
            self._step = self._walk.send(best)

    def _steps(self) -> Generator[_Step, Genotype]:
        n = self.space.cells
        found: tuple[Cell, ...] = ()
        for c in range(n if self.space.shared else min(2, n), n + 1):
            best = yield self._grow(c, found)
            found = best.cells[:c]
        for k in range(1, self.refine + 1):
            for c in range(n):
                best = yield self._exchange(k, c, found)
                found = best.cells

    def _grow(self, c: int, found: tuple[Cell, ...]) -> _Step:
        """Make the step of every cell in place c; earlier cells stay or follow, later ones are not searched yet."""
        name, open_cells = f"cell {c}", self.space.cells - c
        follow = not found or self.previous == "same"
        proposals = []
        for cell in self._tried():
            known = (cell,) * c if follow else (*found, cell)
            smallest = self._smallest_cells if open_cells else ()
            completions = tuple(Genotype(known + (small,) * open_cells) for small in smallest)
            proposals.append(Proposal(Genotype(known + (cell,) * open_cells), name, completions))
        return _Step(name, tuple(proposals))

    def _exchange(self, k: int, c: int, found: tuple[Cell, ...]) -> _Step:
        """Make the step of every cell in place c (from 0), with all others as found."""
        name = f"refine {k}, cell {c + 1}"
        candidates = (Genotype((*found[:c], cell, *found[c + 1 :])) for cell in self._tried())
        return _Step(name, tuple(Proposal(candidate, name) for candidate in candidates))

    def _tried(self) -> Sequence[Cell]:
        """Return the cells in the order in which a step tries them."""
        cells = self.space.distinct_cells
        return cells if self._share == len(cells) else self._rng.sample(cells, len(cells))

    @cached_property
    def _smallest_cells(self) -> tuple[Cell, ...]:
        """Return, for each limit of the budget, the cell that takes least of it."""
        if not self.problem.budget.has_limits:
            return self.space.distinct_cells[:1]
        costs = {cell: self.problem.cost(Genotype((cell,) * self.space.cells)) for cell in self.space.distinct_cells}
        budget = self.problem.budget
        names = ("params", "flash", "ram", *(["instructions"] if budget.limits_speed else []))
        figures = [FIGURES[name].of for name in names]
        return tuple(dict.fromkeys(min(costs, key=lambda cell: of(costs[cell], budget) or 0) for of in figures))

    def _best(self, step: _Step) -> Genotype:
        best: tuple[Genotype, float] | None = None
        fitting = 0
        for proposal, trial in zip(step.proposals, self._told, strict=False):
            fitting += trial.status == "scored"
            if trial.value is not None and (best is None or trial.value > best[1]):
                best = proposal.candidate, trial.value
        if best is None and self._last:
            return self._last
        if not fitting:
            raise NothingFoundError(f"no candidate of step '{step.name}' meets the budget; a narrower network may")
        if best is None:
            raise NothingFoundError(
                f"none of the {fitting} candidates of step '{step.name}' that fit has a score; more different images, "
                "more timesteps or other ops may help"
            )
        return best[0]
