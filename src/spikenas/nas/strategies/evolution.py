"""Regularised evolution keeps a population of networks in which the oldest die."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from spikenas._util.seeding import seed_of
from spikenas.nas.candidates import Candidate
from spikenas.nas.store import Trial
from spikenas.nas.strategy import CandidateSpace, Problem, Proposal, Strategy


class Evolution(Strategy):
    """Evolution keeps a population: the best of a random few has a child with one option changed, and the oldest die.

    Networks without a score do not enter the population. The paper's population is 100 and its sample 25, for 20,000
    networks; ours are for hundreds. Its identity mutation is left out.

    Args:
        problem: Space and seed.
        population: Number of living networks.
        sample: Number of them, drawn with replacement, of which the best is a parent.
        batch: Number of children that are proposed at once.
    """

    name = "evolution"
    summary = "regularised evolution: tournament, one mutation, the oldest die"
    source = "Real et al. 2019, arXiv 1802.01548, Algorithm 1"
    of_designs = True

    def __init__(self, problem: Problem, population: int = 20, sample: int = 5, batch: int = 4) -> None:
        super().__init__(problem)
        self.sample = sample
        self.batch = batch
        self._rng = random.Random(seed_of(problem.seed, self.name))
        self._population: deque[tuple[float, Candidate]] = deque(maxlen=population)
        self._size = population
        self._asked: list[Candidate] = []

    def ask(self) -> Sequence[Proposal]:
        """Return random networks until the population is complete, then children."""
        missing = self._size - len(self._population)
        if missing:
            self._asked = [self.space.sample(self._rng) for _ in range(missing)]
        else:
            self._asked = [mutate(self.space, self._parent(), self._rng) for _ in range(self.batch)]
        return [Proposal(candidate, "first generation" if missing else "child") for candidate in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add the networks with a score to the population; as many of the oldest die."""
        for candidate, trial in zip(self._asked, trials, strict=True):
            if trial.value is not None:
                self._population.append((trial.value, candidate))

    def _parent(self) -> Candidate:
        drawn = self._rng.choices(self._population, k=self.sample)
        return max(drawn, key=lambda member: member[0])[1]


def mutate(space: CandidateSpace, candidate: Candidate, rng: random.Random) -> Candidate:
    """Return the candidate with another option at one random position that counts; the same where it has only one."""
    vector = list(space.encode(candidate))
    position = rng.choice([k for k, counts in enumerate(space.active(vector)) if counts])
    others = [option for option in range(space.choices[position]) if option != vector[position]]
    if others:
        vector[position] = rng.choice(others)
    mutated: Candidate = space.decode(vector)
    return mutated
