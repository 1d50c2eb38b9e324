"""SpikeNAS's search, Algorithm 1: cell by cell, the memory filter before the score.

Source: Putra & Shafique 2024, arXiv 2402.11322, Algorithm 1. Ours: equal networks are one candidate; the filter asks
for the smallest completion of a candidate; `refine` passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from spikenas.config import BudgetConfig, SearchConfig
from spikenas.errors import BudgetError, RunError, ScoreError
from spikenas.memory import Footprint, violations
from spikenas.search.store import Trial, TrialStore
from spikenas.space.genotype import Cell, Genotype
from spikenas.space.space import Space


class Evaluation(Protocol):
    """What an evaluator returns."""

    @property
    def score(self) -> float:
        """Higher is better; -inf when it cannot be computed."""

    @property
    def seconds(self) -> float:
        """What it took."""


Evaluator = Callable[[Genotype], Evaluation]
Cost = Callable[[Genotype], Footprint]


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        genotype: The best that fits.
        score: Its score.
        trials: Number of candidates looked at.
        scored: Number of them that were scored.
    """

    genotype: Genotype
    score: float
    trials: int
    scored: int


@dataclass(frozen=True)
class _Step:
    name: str
    candidates: tuple[Genotype, ...]
    smallest: tuple[tuple[Genotype, ...], ...]  # for each candidate, completions that bound every limit from below


def search(
    space: Space,
    settings: SearchConfig,
    budget: BudgetConfig,
    cost: Cost,
    evaluate: Evaluator,
    store: TrialStore,
    on_trial: Callable[[Trial, int], None] = lambda trial, total: None,
) -> SearchResult:
    """Find the genotype with the best score whose footprint meets the budget.

    Args:
        space: Where to look; its distinct cells are the candidates of each step.
        settings: Reading of "previous", number of refining passes.
        budget: Limits.
        cost: Footprint of a genotype.
        evaluate: Score of a genotype; called only for candidates that some completion of fits.
        store: Trials it already holds are not computed again.
        on_trial: Called after each trial with it and the expected number of all trials.
    Raises:
        BudgetError: nothing fits.
        ScoreError: nothing that fits has a score.
        RunError: the store holds trials of another search.
    """
    return _Search(space, settings, budget, cost, evaluate, store, on_trial).run()


@dataclass
class _Search:
    space: Space
    settings: SearchConfig
    budget: BudgetConfig
    cost: Cost
    evaluate: Evaluator
    store: TrialStore
    on_trial: Callable[[Trial, int], None]
    trials: int = 0
    scored: int = 0

    def run(self) -> SearchResult:
        n = self.space.cells
        found: tuple[Cell, ...] = ()
        score = -math.inf
        for c in range(min(2, n), n + 1):
            best, score = self._best(self._grow(c, found))
            found = best.cells[:c]
        for k in range(1, self.settings.refine + 1):
            for c in range(n):
                best, score = self._best(self._exchange(k, c, found))
                found = best.cells
        return SearchResult(Genotype(found), score, self.trials, self.scored)

    @cached_property
    def _expected(self) -> int:
        steps = max(1, self.space.cells - 1) + self.settings.refine * self.space.cells
        return steps * len(self.space.distinct_cells)

    @cached_property
    def _smallest_cells(self) -> tuple[Cell, ...]:
        """For each limit of the budget, the cell that takes least of it."""
        if self.budget == BudgetConfig():
            return self.space.distinct_cells[:1]
        costs = {cell: self.cost(Genotype((cell,) * self.space.cells)) for cell in self.space.distinct_cells}
        keys: list[Callable[[Footprint], int]] = [
            lambda footprint: footprint.params,
            lambda footprint: footprint.flash_bytes,
            lambda footprint: footprint.ram_bytes,
        ]
        return tuple(dict.fromkeys(min(costs, key=lambda cell: key(costs[cell])) for key in keys))

    def _grow(self, c: int, found: tuple[Cell, ...]) -> _Step:
        """Every cell in place c; earlier cells stay or follow, later ones are not searched yet."""
        n = self.space.cells
        follow = c <= 2 or self.settings.previous == "same"
        candidates, smallest = [], []
        for cell in self.space.distinct_cells:
            known = (cell,) * c if follow else (*found, cell)
            candidates.append(Genotype(known + (cell,) * (n - c)))
            smallest.append(tuple(Genotype(known + (small,) * (n - c)) for small in self._smallest_cells))
        return _Step(f"cell {c}", tuple(candidates), tuple(smallest))

    def _exchange(self, k: int, c: int, found: tuple[Cell, ...]) -> _Step:
        """Every cell in place c (from 0), all others as found."""
        candidates = tuple(Genotype((*found[:c], cell, *found[c + 1 :])) for cell in self.space.distinct_cells)
        return _Step(f"refine {k}, cell {c + 1}", candidates, tuple((genotype,) for genotype in candidates))

    def _best(self, step: _Step) -> tuple[Genotype, float]:
        best: tuple[Genotype, float] | None = None
        fitting = 0
        for genotype, trial in self._trials(step):
            if trial.score is not None:
                fitting += 1
                if trial.score > (best[1] if best else -math.inf):
                    best = genotype, trial.score
        if not fitting:
            raise BudgetError(f"no candidate of step '{step.name}' meets the budget; a narrower network may")
        if best is None:
            raise ScoreError(
                f"none of the {fitting} candidates of step '{step.name}' that fit has a score; more different images, "
                "more timesteps or other ops may help"
            )
        return best

    def _trials(self, step: _Step) -> Iterator[tuple[Genotype, Trial]]:
        for genotype, completions in zip(step.candidates, step.smallest, strict=True):
            trial = self.store.get(self.trials)
            if trial is None:
                trial = self._look_at(step.name, genotype, completions)
                self.store.add(trial)
            elif (trial.step, trial.genotype) != (step.name, str(genotype)):
                raise RunError(
                    f"{self.store.path}: trial {trial.position} is {trial.genotype!r} of step {trial.step!r}, not "
                    f"{str(genotype)!r} of step {step.name!r}: the store belongs to another search"
                )
            self.trials += 1
            self.scored += trial.score is not None
            self.on_trial(trial, self._expected)
            yield genotype, trial

    def _look_at(self, step: str, genotype: Genotype, completions: tuple[Genotype, ...]) -> Trial:
        footprints = [self.cost(completion) for completion in completions]
        fits = all(
            any(limit not in violations(footprint, self.budget) for footprint in footprints)
            for limit in BudgetConfig.model_fields
        )
        footprint = self.cost(genotype) if fits else footprints[0]
        result = self.evaluate(genotype) if fits else None
        return Trial(
            self.trials,
            step,
            str(genotype),
            "scored" if result else "over budget",
            (result.score if math.isfinite(result.score) else -math.inf) if result else None,
            footprint.params,
            footprint.flash_bytes,
            footprint.ram_bytes,
            result.seconds if result else 0.0,
        )
