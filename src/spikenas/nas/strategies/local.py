"""Local search moves to better neighbours, and restarts where there are none."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spikenas._util.seeding import seed_of
from spikenas.nas.candidates import Candidate
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy


class LocalSearch(Strategy):
    """Local search goes from a random network to a better neighbour until there is none, then starts from another.

    This is first improvement. Neighbours differ in one edge, or one setting of a design. They are proposed in random
    order, a few at once; the search moves to the best of these if it is better than the network they are neighbours of.

    Args:
        problem: Space and seed.
        batch: Number of neighbours that are proposed at once.
    """

    name = "local"
    summary = "to a better neighbour until there is none, then from a new random network"
    source = "White et al. 2021, Exploring the loss landscape in neural architecture search, arXiv 2005.02960"
    of_designs = True

    def __init__(self, problem: Problem, batch: int = 4) -> None:
        super().__init__(problem)
        self.batch = batch
        self._rng = random.Random(seed_of(problem.seed, self.name))
        self._score: float | None = None
        self._neighbours: list[Candidate] = []
        self._asked: list[Candidate] = []

    def ask(self) -> Sequence[Proposal]:
        """Return a random network to start from, or the next neighbours."""
        if self._neighbours:
            self._asked, self._neighbours = self._neighbours[: self.batch], self._neighbours[self.batch :]
            return [Proposal(candidate, "neighbour") for candidate in self._asked]
        self._score = None
        self._asked = [self.space.sample(self._rng)]
        return [Proposal(self._asked[0], "start")]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Move to the best of the proposed networks if it is better."""
        for candidate, trial in zip(self._asked, trials, strict=True):
            if trial.value is not None and (self._score is None or trial.value > self._score):
                self._score = trial.value
                self._neighbours = list(self.space.neighbours(candidate))
                self._rng.shuffle(self._neighbours)
