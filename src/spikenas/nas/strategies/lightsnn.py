"""LightSNN prunes a supernet; here any evaluator can guide it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import fmean

from spikenas._util.seeding import seed_of
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy

_MOST_DRAWS = 10


class LightSNN(Strategy):
    """LightSNN prunes a supernet with all ops on every edge, by one op an edge and round, until each edge has one op.

    The original builds the supernet and prunes the ops whose absence harms its SAHD least. A supernet has no place in a
    table of trained networks, nor a footprint to be held against a budget. So here each round draws networks from the
    supernet, each op of an edge equally often, and prunes from every edge the op whose networks have the lowest mean
    score. An op without a scored network, because none of its networks fits for example, is pruned first; ties are
    broken at random. The last candidate is the network that is left; the search keeps the best of all candidates.

    Args:
        problem: Space and seed.
        samples: Number of networks scored in a round; where many are over budget or outside the space, up to ten times
            as many are proposed.
    """

    name = "lightsnn"
    summary = "prune a supernet op by op, by the mean score of networks drawn from it"
    source = "after Abdennadher et al. 2025, arXiv 2503.21846"
    of_designs = True

    def __init__(self, problem: Problem, samples: int = 20) -> None:
        super().__init__(problem)
        self.samples = samples
        self._rng = random.Random(seed_of(problem.seed, self.name))
        self._left = [list(range(count)) for count in self.space.choices]
        self._asked: list[tuple[int, ...]] = []
        self._round: list[tuple[tuple[int, ...], Trial]] = []
        self._number = 1
        self._done = False

    @property
    def expected(self) -> int:
        """Number of networks of all rounds, and the one that is left."""
        return (max(self.space.choices) - 1) * self.samples + 1

    def ask(self) -> Sequence[Proposal]:
        """Return networks of the supernet, or the one that is left."""
        if self._done:
            return ()
        self._done = all(len(options) == 1 for options in self._left)
        self._asked = self._draw(1 if self._done else self.samples)
        step = "last" if self._done else f"round {self._number}"
        return [Proposal(self.space.decode(vector), step) for vector in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Prune the supernet once enough networks of the round are scored."""
        self._round += zip(self._asked, trials, strict=True)
        scored = sum(trial.status == "scored" for _, trial in self._round)
        if not self._done and (scored >= self.samples or len(self._round) >= _MOST_DRAWS * self.samples):
            self._left = [self._pruned(position, options) for position, options in enumerate(self._left)]
            self._round = []
            self._number += 1

    def _draw(self, count: int) -> list[tuple[int, ...]]:
        columns = []
        for options in self._left:
            column = [options[k % len(options)] for k in range(count)]
            self._rng.shuffle(column)
            columns.append(column)
        return list(zip(*columns, strict=True))

    def _pruned(self, position: int, options: list[int]) -> list[int]:
        """Return the options of an edge without the worst one."""
        if len(options) == 1:
            return options

        def worth(option: int) -> tuple[float, float]:
            scores = [
                trial.value for vector, trial in self._round if vector[position] == option and trial.value is not None
            ]
            return fmean(scores) if scores else -math.inf, self._rng.random()

        worst = min(options, key=worth)
        return [option for option in options if option != worst]
