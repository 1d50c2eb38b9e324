"""A search strategy asks about genotypes and is told what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from spikenas.config import BudgetConfig, SearchConfig
from spikenas.memory import Footprint
from spikenas.nas.store import Trial
from spikenas.space.genotype import Genotype
from spikenas.space.space import Space

Cost = Callable[[Genotype], Footprint]


@dataclass(frozen=True)
class Problem:
    """A problem is what every strategy is given.

    Attributes:
        space: The space to search.
        budget: Limits on the network that is found.
        cost: Function that computes the footprint of a genotype.
        seed: Seed of every random choice.
    """

    space: Space
    budget: BudgetConfig
    cost: Cost
    seed: int = 0


@dataclass(frozen=True)
class Proposal:
    """A proposal is a genotype that a strategy asks about.

    Attributes:
        genotype: The candidate.
        step: Name of the step that it belongs to, for people.
        completions: Networks of which at least one must meet each limit, for a candidate with cells that are still
            open. Where there are none, the candidate itself must meet them.
    """

    genotype: Genotype
    step: str
    completions: tuple[Genotype, ...] = ()


class Strategy(ABC):
    """A strategy is a way through the space.

    `ask` and `tell` take turns. A strategy must not depend on anything but the problem, its own arguments and what it
    was told: a search is resumed by asking it again from the start.

    Attributes:
        name: Name of the strategy, as in `search.strategy`.
        summary: Description in one line, for people.
        source: Publication or software that it is from.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]

    @classmethod
    def configured(cls, problem: Problem, settings: SearchConfig) -> Self:
        """Make the strategy with what the configuration says about it."""
        return cls(problem)

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.space = problem.space

    @property
    def expected(self) -> int | None:
        """Approximate number of proposals until the strategy ends by itself; None when it never does."""
        return None

    @abstractmethod
    def ask(self) -> Sequence[Proposal]:
        """Return the next candidates, any number at once; none when there is nothing left to do."""

    @abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None:
        """Take note of what became of the candidates that were asked last, in their order.

        A candidate equal to an earlier one comes with the earlier one's trial. `trial.value` is None for what is
        outside the space, over budget or without a score.
        """
