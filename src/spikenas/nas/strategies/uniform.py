"""Random search draws networks as SNASNet does."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spikenas._util.seeding import seed_of
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy
from spikenas.space.cell import Cell, Edge, pairs
from spikenas.space.ops import NONE

_BATCH = 16


class RandomSearch(Strategy):
    """Random search draws every edge uniformly, but the one from a cell's input to its output is never `none`.

    So every cell is connected unless that edge is feedback.
    """

    name = "random"
    summary = "edges drawn uniformly, the edge from input to output never none"
    source = "SNASNet's procedure: Kim et al. 2022, arXiv 2201.10355"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._rng = random.Random(seed_of(problem.seed, self.name))
        whole = (0, self.space.nodes - 1)
        some = tuple(edge for edge in self.space.edges if edge.op != NONE)
        self._options = [some if pair == whole else self.space.edges for pair in pairs(self.space.nodes)]

    def ask(self) -> Sequence[Proposal]:
        """Return independent draws."""
        return [Proposal(self.space.network(self._cells()), "random") for _ in range(_BATCH)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Do nothing, since no proposal depends on the results."""

    def _cells(self) -> list[Cell]:
        return [Cell(self._edges(), self.space.nodes) for _ in range(self.space.free_cells)]

    def _edges(self) -> tuple[Edge, ...]:
        return tuple(self._rng.choice(options) for options in self._options)
