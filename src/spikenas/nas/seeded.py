"""A seeded strategy asks about given candidates first, then what another strategy asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from spikenas.nas.store import Trial
from spikenas.nas.strategy import Proposal, Strategy

_TOGETHER = 32  # candidates that are asked about at once


class SeededStrategy(Strategy):
    """A seeded strategy lets given candidates compete with those of another strategy, which is not told of them.

    Args:
        seeds: What it asks about first.
        then: The other strategy.
    """

    of_designs = True

    def __init__(self, seeds: Iterable[Proposal], then: Strategy) -> None:
        super().__init__(then.problem)
        self.name = then.name  # type: ignore[misc]
        self._then = then
        self._seeds = iter(seeds)
        self._asked: Sequence[Proposal] = ()

    @property
    def expected(self) -> int | None:
        """Approximate number of proposals of the other strategy; None where it never ends."""
        return self._then.expected

    def ask(self) -> Sequence[Proposal]:
        """Return some of the given candidates, or those of the other strategy."""
        self._asked = list(islice(self._seeds, _TOGETHER))
        return self._asked or self._then.ask()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell the other strategy, where it has asked."""
        if not self._asked:
            self._then.tell(trials)
