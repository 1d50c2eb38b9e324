"""What the functions of the Python interface return."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikenas._util.frames import frame_of
from spikenas._util.markup import html_table
from spikenas._util.run_files import MODEL, QUANTISED
from spikenas._util.units import format_size
from spikenas.integers import IntegerNetwork
from spikenas.memory import Footprint, describe
from spikenas.nas import Trial, front
from spikenas.records import Raced, trained_front
from spikenas.reporting import SavedRun
from spikenas.space import Design, Genotype
from spikenas.task import Task
from spikenas.training.checkpoint import Model, load_model

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Found:
    """Holds what a search found.

    Attributes:
        task: What was searched, with the width decided.
        best: The genotype with the best score among those that fit; of a race the design that won.
        score: Its score; higher is better.
        candidates: All that were tried, in order.
        raced: The designs that were trained, the winner first; empty where none was.
    """

    task: Task
    best: Genotype | Design
    score: float
    candidates: tuple[Trial, ...]
    raced: tuple[Raced, ...] = ()

    @property
    def cost(self) -> Footprint:
        """Memory of the best."""
        return self.task.cost(self.best)

    @property
    def _genotype(self) -> Genotype:
        return self.best.genotype if isinstance(self.best, Design) else self.best

    @property
    def trials(self) -> pandas.DataFrame:
        """All candidates, a row each, in the order of the search; needs pandas."""
        return frame_of(self.candidates, Trial)

    @property
    def front(self) -> pandas.DataFrame:
        """What fits and no other one beats in flash and score, or of a race in flash and accuracy; needs pandas."""
        if self.raced:
            return frame_of(trained_front(self.raced), Raced)
        return frame_of(front((one for one in self.candidates if one.meets(self.task.limits)), "flash_bytes"), Trial)

    def __repr__(self) -> str:
        scored = sum(trial.status == "scored" for trial in self.candidates)
        score = f"score {self.score:.5g} ({self.task.config.search.score}), best of {scored} scored"
        if self.raced:
            accuracy = self.raced[0].accuracy or 0.0
            score = f"validation accuracy {accuracy:.1%}, best of {len(self.raced)} that raced, of {scored} scored"
        return f"{self.best}\n{score}\n{describe(self.cost)}"

    def _repr_html_(self) -> str:
        rows = [("score", f"{self.score:.5g}"), ("memory", describe(self.cost)), ("candidates", len(self.candidates))]
        return html_table(("", ""), rows, "Found") + self._genotype._repr_svg_()


@dataclass(frozen=True)
class Firmware:
    """Tells what is known of a firmware folder that was written.

    Attributes:
        folder: Holds the C sources.
        footprint: What footprint.json of a run says: `predicted`, and where it was built and run `linked`,
            `instructions`, `stack_bytes` and `outputs_equal`. Sizes are in bytes.
    """

    folder: Path
    footprint: dict[str, Any]

    def __repr__(self) -> str:
        built = self.footprint.get("linked")
        sizes = built or self.footprint["predicted"]
        said = ", ".join(f"{format_size(sizes[f'{kind}_bytes'])} {kind}" for kind in ("flash", "ram"))
        if built is None:
            return f"firmware in {self.folder}: {said} predicted, not built"
        run = f"{self.footprint['instructions']:,} instructions an inference, {self.footprint['images']} outputs equal"
        return f"firmware in {self.folder}: {said}, {run}"


class RunResult(SavedRun):
    """Shows what a run folder holds, and opens its networks."""

    @cached_property
    def model(self) -> Model:
        """The trained network, ready for inference.

        Raises:
            RunError: It is not trained yet, or its file is damaged.
        """
        return load_model(self.folder / MODEL)

    @cached_property
    def integers(self) -> IntegerNetwork:
        """The integers that the firmware computes with.

        Raises:
            RunError: They are not made yet, or their file is damaged.
        """
        return IntegerNetwork.load(self.folder / QUANTISED)
