"""A seeded strategy asks about given candidates first, then what another strategy asks."""

from __future__ import annotations

from collections.abc import Sequence

from spikenas.nas.candidates import Candidate
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Proposal, Strategy


class SeededStrategy(Strategy):
    """A seeded strategy lets given candidates compete with those of another strategy, which is not told of them.

    Args:
        seeds: The candidates.
        step: What their step is called.
        then: The other strategy.
    """

    of_designs = True

    def __init__(self, seeds: Sequence[Candidate], step: str, then: Strategy) -> None:
        super().__init__(then.problem)
        self.name = then.name  # type: ignore[misc]
        self._then = then
        self._seeds: Sequence[Proposal] = [Proposal(seed, step) for seed in seeds]

    @property
    def expected(self) -> int | None:
        """Approximate number of proposals; None where the other strategy never ends."""
        expected = self._then.expected
        return None if expected is None else expected + len(self._seeds)

    def ask(self) -> Sequence[Proposal]:
        """Return the given candidates, or those of the other strategy."""
        return self._seeds or self._then.ask()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell the other strategy, where it has asked."""
        if self._seeds:
            self._seeds = ()
        else:
            self._then.tell(trials)
