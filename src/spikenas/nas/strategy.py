"""A search strategy asks about candidates, which are genotypes or designs, and is told what became of them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from spikenas._util.errors import ConfigError, SpikeNASError
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.memory import Footprint, MemoryFigures, violations
from spikenas.nas.candidates import Candidate
from spikenas.nas.store import Trial
from spikenas.space.design_space import DesignSpace

Cost = Callable[[Any], Footprint | MemoryFigures]


class CandidateSpace(Protocol):
    """What a strategy needs of a space; `Space` and `DesignSpace` have it."""

    @property
    def choices(self) -> tuple[int, ...]:
        """Number of options at each position of the encoding."""

    def active(self, vector: Sequence[int]) -> tuple[bool, ...]:
        """Say of each position whether it counts."""

    def encode(self, candidate: Any, /) -> tuple[int, ...]:
        """Return the option that a candidate takes at each position."""

    def decode(self, vector: Sequence[int]) -> Any:
        """Return the candidate that takes these options."""

    def sample(self, rng: random.Random) -> Any:
        """Draw a candidate with every option uniform."""

    def draw(self, rng: random.Random, fits: Callable[[Any], bool]) -> Any:
        """Draw a candidate as random search does; None where nothing fits."""

    def neighbours(self, candidate: Any, /) -> Iterator[Any]:
        """Iterate over the candidates that differ in one option."""

    def __contains__(self, candidate: object, /) -> bool: ...


@dataclass(frozen=True)
class Problem:
    """A problem is what every strategy is given.

    Attributes:
        space: The space to search.
        budget: Limits on the network that is found.
        cost: Function that computes what a candidate takes.
        seed: Seed of every random choice.
    """

    space: CandidateSpace
    budget: BudgetConfig
    cost: Cost
    seed: int = 0

    def fits(self, candidate: Candidate) -> bool:
        """Say whether a candidate can be built and meets the budget."""
        try:
            return not violations(self.cost(candidate), self.budget)
        except SpikeNASError:
            return False


@dataclass(frozen=True)
class Proposal:
    """A proposal is a candidate that a strategy asks about.

    Attributes:
        candidate: A genotype or design.
        step: Name of the step that it belongs to, for people.
        completions: Networks of which at least one must meet each limit, for a candidate with cells that are still
            open. Where there are none, the candidate itself must meet them.
    """

    candidate: Any
    step: str
    completions: tuple[Any, ...] = ()


class Strategy(ABC):
    """A strategy is a way through the space.

    `ask` and `tell` take turns. A strategy must not depend on anything but the problem, its own arguments and what it
    was told: a search is resumed by asking it again from the start.

    Attributes:
        name: Name of the strategy, as in `search.strategy`.
        summary: Description in one line, for people.
        source: Publication or software that it is from.
        of_designs: Whether it goes through designs too; those that go by cells do not.

    Raises:
        ConfigError: The space is one of designs, and the strategy does not go through them.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    of_designs: ClassVar[bool] = False
    space: CandidateSpace

    @classmethod
    def configured(cls, problem: Problem, settings: SearchConfig) -> Self:
        """Make the strategy with what the configuration says about it."""
        return cls(problem)

    def __init__(self, problem: Problem) -> None:
        if isinstance(problem.space, DesignSpace) and not self.of_designs:
            raise ConfigError(f"search.strategy: {self.name} goes by cells, and does not search designs; random does")
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
