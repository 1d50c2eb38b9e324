"""Random search draws networks as SNASNet does, and designs that fit."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spikenas._util.seeding import seed_of
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy

_BATCH = 16


class RandomSearch(Strategy):
    """Random search draws every edge uniformly, but the one from a cell's input to its output is never `none`.

    So every cell is connected unless that edge is feedback. Of designs it draws those that fit (`DesignSpace.draw`).
    """

    name = "random"
    summary = "edges drawn uniformly, the edge from input to output never none; of designs those that fit"
    source = "SNASNet's procedure: Kim et al. 2022, arXiv 2201.10355"
    of_designs = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._rng = random.Random(seed_of(problem.seed, self.name))

    def ask(self) -> Sequence[Proposal]:
        """Return independent draws."""
        drawn = (self.space.draw(self._rng, self.problem.fits) for _ in range(_BATCH))
        return [Proposal(candidate, "random") for candidate in drawn if candidate is not None]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Do nothing, since no proposal depends on the results."""
