"""A saved run is what a run folder holds, even of a run that was killed or goes on. Nothing is locked or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spikenas._util.class_figures import Figures, listed
from spikenas._util.frames import frame_of
from spikenas._util.markup import html_table
from spikenas._util.run_files import EXPORT
from spikenas._util.units import format_duration, format_energy, format_instructions, format_size, format_time
from spikenas.config import Config
from spikenas.memory import Footprint, footprint, sizes, speed
from spikenas.nas.store import Trial
from spikenas.pipeline.stages import State, next_stage
from spikenas.records import (
    EXPORTED_FILE,
    Analysis,
    Best,
    Data,
    Decided,
    EvaluationRecord,
    FootprintRecord,
    HistoryLine,
    MistakeRecord,
    Quantisation,
    RaceRecord,
)
from spikenas.reporting.verdict import ORDINARY, SPIKING, Comparison, Standing, verdict
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.plan import Plan
from spikenas.training.epochs import Epoch, kept_epoch, progress_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Tested:
    """What the network whose figures are shown did on the test set.

    Attributes:
        by: The network, in words.
        confusion: Numbers of items, [true class][class said].
        mistakes: Its worst mistakes, as evaluation.json has them.
        figures: Accuracy, balanced accuracy, and figures by class.
        digest: Digest of the network's file.
    """

    by: str
    confusion: list[list[int]]
    mistakes: list[MistakeRecord]
    figures: Figures
    digest: str | None


@dataclass(frozen=True, repr=False)
class SavedRun:
    """A saved run holds what is in a run folder; what is not there is None or empty.

    Attributes:
        folder: The run folder.
        config: Settings of the run; while it is undecided, those that were asked for.
        best: Values of best.json.
        race: Values of race.json, where designs raced.
        space: Values of space.json.
        analysis: Analysis of ops that `space` was made from.
        trials: All candidates, in order.
        epochs: Epochs of the training.
        evaluation: Values of evaluation.json, if it is of this model, without what it says of other integers than those
            of `quantisation`.
        quantisation: Values of quantise.json.
        measured: Values of the footprint.json of each device, by its name, if they are of these integers.
        history: A line for each stage that was done.
        mistakes: Pictures of `tested.mistakes`, as addresses that hold them; empty where they are another network's.
        data: Values of data.json.
        classes: Names of the classes, where they are known.
        plan: Plan of the network found, with the bits of its integers once they are made.
        unreadable: A line for each file that is there and cannot be used: what is wrong; what to do.
        undecided: Whether the space is not decided yet.
        twin: The ordinary network of the same plan, where it was trained too.
    """

    folder: Path
    config: Config
    best: Best | None = None
    race: RaceRecord | None = None
    space: Decided | None = None
    analysis: Analysis | None = None
    trials: list[Trial] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    evaluation: EvaluationRecord | None = None
    quantisation: Quantisation | None = None
    measured: dict[str, FootprintRecord] = field(default_factory=dict)
    history: list[HistoryLine] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    data: Data | None = None
    classes: tuple[str, ...] = ()
    plan: Plan | None = None
    unreadable: list[str] = field(default_factory=list)
    undecided: bool = False
    twin: SavedRun | None = None

    @property
    def name(self) -> str:
        """Name of the run, which is that of its folder."""
        return self.folder.resolve().name

    @property
    def frame(self) -> pandas.DataFrame:
        """Return the trials, a row each, in order.

        Raises:
            ConfigError: pandas is not installed.
        """
        return frame_of(self.trials, Trial)

    def __repr__(self) -> str:
        rows = {"run": str(self.folder), "status": self.status, **self.summary}
        if self.twin and self.twin.accuracy is not None:
            rows["accuracy with relu"] = f"{self.twin.accuracy:.2%}"
        width = max(map(len, rows)) + 2
        return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())

    def _repr_html_(self) -> str:
        picture = Genotype.parse(self.best["genotype"])._repr_svg_() if self.best else ""
        return html_table(("", ""), [(name, value) for name, value in self.summary.items()], self.name) + picture

    @property
    def summary(self) -> dict[str, str]:
        """Return the figures that say how good the network is and what it takes, in words."""
        found: dict[str, str] = {}
        evaluation, best = self.evaluation, self.best
        if evaluation and "quantised_test_accuracy" in evaluation:
            found["test accuracy of the integers"] = f"{evaluation['quantised_test_accuracy']:.2%}"
        if evaluation:
            found["test accuracy in floating point"] = f"{evaluation['test_accuracy']:.2%}"
        if self.tested and self.tested.figures.unequal:
            found["balanced test accuracy"] = f"{self.tested.figures.balanced_accuracy:.2%}"
        if self.tested:
            found["95 % interval of the accuracy"] = str(self.tested.figures.interval)
        if self.tested and self.tested.figures.never_said:
            found["classes never said"] = listed(self.tested.figures.never_said)
        if self.kept:
            found["validation accuracy"] = f"{self.kept.validation_accuracy:.2%}"
        if best:
            found["score"] = f"{best['score']:.5g} ({best['score_name']})"
            if self.race and "race" in best:
                seconds, raced = format_duration(best["race"]["seconds"]), len(self.race["entrants"])
                found["search"] = f"{seconds}, the best of {raced} designs that raced"
            widths = Design.parse(best["design"]).widths if "design" in best else (best["channels"],)
            found["width"] = f"{', '.join(map(str, widths))} channels"
            found["neurons, T"] = self.config.network.neurons
        if self.memory:
            found["params"] = f"{self.memory['params']:,}"
            found["flash, RAM"] = ", ".join(format_size(self.memory[key]) for key in ("flash_bytes", "ram_bytes"))
        if counted := {name: said["instructions"] for name, said in self.measured.items() if "linked" in said}:
            shown = (f"{number:,} ({name})" for name, number in counted.items())
            found["instructions an inference"] = ", ".join(shown)
        elif expected := self.figures.get("instructions"):
            found["instructions expected"] = format_instructions(expected)
        if times := {name: said["seconds"] for name, said in self.measured.items() if said.get("seconds")}:
            found["time an inference"] = ", ".join(f"{format_time(one or 0)} ({name})" for name, one in times.items())
        if joules := {name: said["joules"] for name, said in self.measured.items() if said.get("joules")}:
            found["energy an inference"] = ", ".join(
                f"{format_energy(one or 0)} ({name})" for name, one in joules.items()
            )
        if self.measured:
            operations = next(iter(self.measured.values()))["operations"]
            found["energy by operations"] = (
                f"{format_energy(operations['literature_joules'])}, with memory "
                f"{format_energy(operations['memory_joules'])}"
            )
        if evaluation and evaluation["synops"] is not None:
            found["synaptic operations an inference"] = f"{evaluation['synops']:,.0f}"
        if evaluation and evaluation["synops"] is None:
            found["multiplications an inference"] = f"{evaluation['macs']:,.0f}"
        if self.seconds:
            found["time"] = f"{sum(self.seconds.values()):,.0f} s"
        return found

    @cached_property
    def cost(self) -> Footprint | None:
        """Footprint of the network found; None where no network is known."""
        return footprint(self.plan) if self.plan else None

    @property
    def memory(self) -> dict[str, int] | None:
        """Params, flash and RAM of the network found, of its integers once they are made."""
        if self.cost:
            return sizes(self.cost)
        return {name: self.best[name] for name in ("params", "flash_bytes", "ram_bytes")} if self.best else None

    @cached_property
    def figures(self) -> dict[str, float | None]:
        """Figures that can be limited, by their names in records, counted where the firmware ran; None is not known."""
        budget = self.config.budget
        found = self.measured.get(State(self.folder, self.config).measured_as)
        expected = self.cost.instructions if self.cost else None
        counted = found["instructions"] if found and "linked" in found else expected
        return {**(self.memory or {}), **speed(counted, budget)}

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the test set, of the integers where they were evaluated."""
        return self.tested.figures.accuracy if self.tested else None

    @cached_property
    def tested(self) -> Tested | None:
        """What was found on the test set: by the integers where they were evaluated, else in floating point."""
        found = self.evaluation
        if found is None:
            return None
        if "quantised_confusion" in found:
            by, confusion, mistakes = "the integers", found["quantised_confusion"], found["quantised_mistakes"]
            digest = found["quantised_sha256"]
        else:
            by, confusion, mistakes = "the network in floating point", found["confusion"], found["mistakes"]
            digest = found["model_sha256"]
        return Tested(by, confusion, mistakes, Figures.of(confusion, self.classes), digest)

    @cached_property
    def verdict(self) -> list[Comparison]:
        """The network beside its twin, and on CIFAR-10 beside a published one; empty where it is not evaluated."""
        if not self.config.network.is_spiking or (own := self._standing(SPIKING, self)) is None:
            return []
        return verdict(own, self._standing(ORDINARY, self.twin) if self.twin else None, self.classes)

    def _standing(self, name: str, run: SavedRun) -> Standing | None:
        """Return what the network of a run reaches and takes on the device of this one."""
        if run.tested is None or run.memory is None:
            return None
        return Standing.of(name, run.tested.figures, run.memory, run.figures["instructions"], self.config.budget)

    @property
    def page(self) -> str | None:
        """The page that classifies pictures by these integers in a browser, as a path in the run folder, or None."""
        exported = self.folder / EXPORT / "wasm"
        said = State(exported, self.config).values(EXPORTED_FILE)
        current = self.quantisation and said and self.quantisation["quantised_sha256"] == said["integers"]
        return f"{EXPORT}/wasm/index.html" if current and (exported / "index.html").exists() else None

    @property
    def notes(self) -> list[str]:
        """What was noticed of the data when they were opened."""
        return self.data["notes"] if self.data else []

    @property
    def counts(self) -> dict[str, int]:
        """Number of items of each split, where data.json says it."""
        return {**self.data["items"]} if self.data else {}  # type: ignore[dict-item]

    @property
    def kept(self) -> Epoch | None:
        """Return the epoch whose weights were kept."""
        return kept_epoch(self.epochs, self.config.train) if self.epochs else None

    @property
    def status(self) -> str:
        """Return a text that says how far the run is."""
        stage = next_stage(State(self.folder, self.config))
        if stage is None:
            return "complete"
        said = {
            "search": f", {len(self.trials):,} candidates so far",
            "train": f", {progress_of(self.epochs, self.config.train)}",
        }
        return f"{stage.name} is next{said.get(stage.name, '')}"

    @property
    def commands(self) -> list[str]:
        """Return the commands that were typed, in order; one that was typed again counts once, at its last."""
        typed = [line["command"] for line in self.history]
        return [text for n, text in enumerate(typed) if text not in typed[n + 1 :]]

    @property
    def seconds(self) -> dict[str, float]:
        """Time by stage, over all commands."""
        found: dict[str, float] = {}
        for line in self.history:
            found[line["stage"]] = found.get(line["stage"], 0) + line["seconds"]
        return found
