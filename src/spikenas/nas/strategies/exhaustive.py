"""Exhaustive search tries every network of the space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product

from spikenas._util.errors import ConfigError
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy
from spikenas.space.space import Space

MOST_NETWORKS = 10**6
_BATCH = 64


class Exhaustive(Strategy):
    """Exhaustive search tries all combinations of distinct cells, the last cell varying fastest.

    Raises:
        ConfigError: There are more than a million networks.
    """

    space: Space

    name = "exhaustive"
    summary = "every distinct network"
    source = "no source needed"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        if self.expected > MOST_NETWORKS:
            raise ConfigError(
                f"search.strategy: exhaustive takes at most {MOST_NETWORKS:,} networks, this space has "
                f"{self.expected:,}; use fewer ops, nodes or cells, or space.shared=true"
            )
        self._left = map(self.space.network, product(self.space.distinct_cells, repeat=self.space.free_cells))

    @property
    def expected(self) -> int:
        """Number of distinct networks of the space."""
        return int(len(self.space.distinct_cells) ** self.space.free_cells)

    def ask(self) -> Sequence[Proposal]:
        """Return the next networks in the order of enumeration."""
        return [Proposal(genotype, "all") for genotype in islice(self._left, _BATCH)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Do nothing, since no proposal depends on the results."""
