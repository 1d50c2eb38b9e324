"""One of each kind that a package can bring."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikenas.config import DataConfig
from spikenas.data import DataSource, Split
from spikenas.data.listing import Listing
from spikenas.nas import Problem, Proposal, Strategy, Trial
from spikenas.scores.probe import PlanScore
from spikenas.targets import Target

WIDE = PlanScore(
    "wide", "largest number of channels", "this test", lambda plan: max(one.shape[0] for one in plan.layers)
)

TEAPOT = Target(
    name="teapot", title="A teapot", source="its handbook", core="cortex-m0", flash="64KiB", ram="32KiB"
)  # fmt: skip


class Backwards(Strategy):
    """Asks about the last cells of the space first."""

    name = "backwards"
    summary = "the last cells first"
    source = "this test"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._cells = list(problem.space.distinct_cells)

    def ask(self) -> Sequence[Proposal]:
        """See `Strategy`."""
        return [Proposal(self.space.network((self._cells.pop(),) * self.space.free_cells), "backwards")]

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Strategy`."""


class Stripes(DataSource):
    """Small pictures of lines, along or across."""

    mirrored = True

    def open(self, place: Path, config: DataConfig) -> Listing:
        """See `DataSource`."""
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 60, (80, 1, 8, 8), dtype=np.uint8)
        labels = np.arange(80) % 2
        pixels[labels == 0, :, ::2] += 180
        pixels[labels == 1, :, :, ::2] += 180
        return Listing("stripes", ("along", "across"), Split(labels.astype(np.int64), pixels), None)
