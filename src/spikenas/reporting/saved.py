"""A saved run is what a run folder holds, even of a run that was killed or goes on. Nothing is locked or written."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from spikenas._util.errors import ConfigError, SpikeNASError
from spikenas._util.files import read_text
from spikenas._util.frames import frame_of
from spikenas._util.markup import html_table
from spikenas._util.run_files import (
    ANALYSIS,
    ASKED,
    BEST,
    CONFIG,
    DATA,
    EVALUATION,
    FIRMWARE,
    FOOTPRINT,
    HISTORY,
    LOG,
    MISTAKES,
    MODEL,
    QUANTISATION,
    SPACE,
    TRIALS,
)
from spikenas._util.units import format_size
from spikenas.config import Config, NetworkConfig
from spikenas.data.pictures import cut
from spikenas.memory import Footprint, footprint, sizes
from spikenas.nas.store import Trial, read_trials
from spikenas.pipeline.stages import State, next_stage
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.training.epochs import Epoch, kept_epoch, read_log

if TYPE_CHECKING:
    import pandas

_HISTORY = {"ended", "stage", "seconds", "command", "versions", "machine"}
_SIZES = ("params", "flash_bytes", "ram_bytes", "channels")


@dataclass(frozen=True, repr=False)
class SavedRun:
    """A saved run holds what is in a run folder; what is not there is None or empty.

    Attributes:
        folder: The run folder.
        config: Settings of the run; while it is undecided, those that were asked for.
        best: Values of best.json.
        space: Values of space.json.
        analysis: Analysis of ops that `space` was made from.
        trials: All candidates, in order.
        epochs: Epochs of the training.
        evaluation: Values of evaluation.json, if it is of this model, without what it says of other integers than those
            of `quantisation`.
        quantisation: Values of quantise.json.
        measured: Values of the footprint.json of each device, by its name, if they are of these integers.
        history: A line for each stage that was done.
        mistakes: Pictures of `evaluation["mistakes"]`, as addresses that hold them.
        classes: Names of the classes, where they are known.
        plan: Plan of the network found, with the bits of its integers once they are made.
        unreadable: A line for each file that is there and cannot be used.
        undecided: Whether the space is not decided yet.
    """

    folder: Path
    config: Config
    best: dict[str, Any] | None = None
    space: dict[str, Any] | None = None
    analysis: dict[str, Any] | None = None
    trials: list[Trial] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    evaluation: dict[str, Any] | None = None
    quantisation: dict[str, Any] | None = None
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    plan: Plan | None = None
    unreadable: list[str] = field(default_factory=list)
    undecided: bool = False

    @property
    def name(self) -> str:
        """Name of the run, which is that of its folder."""
        return self.folder.resolve().name

    @property
    def frame(self) -> pandas.DataFrame:
        """Return the trials, a row each, in the order of the search.

        Raises:
            ConfigError: pandas is not installed.
        """
        return frame_of(self.trials, Trial)

    def __repr__(self) -> str:
        rows = {"run": str(self.folder), "status": self.status, **self.summary}
        width = max(map(len, rows)) + 2
        return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())

    def _repr_html_(self) -> str:
        best = self.best or {}
        picture = Genotype.parse(best["genotype"])._repr_svg_() if best else ""
        return html_table(("", ""), [(name, value) for name, value in self.summary.items()], self.name) + picture

    @property
    def summary(self) -> dict[str, str]:
        """Return the figures that say how good the network is and what it takes, in words."""
        found: dict[str, str] = {}
        evaluation, best = self.evaluation or {}, self.best
        if "quantised_test_accuracy" in evaluation:
            found["test accuracy of the integers"] = f"{evaluation['quantised_test_accuracy']:.2%}"
        if evaluation:
            found["test accuracy in floating point"] = f"{evaluation['test_accuracy']:.2%}"
        if self.kept:
            found["validation accuracy"] = f"{self.kept.validation_accuracy:.2%}"
        if best:
            found["score"] = f"{best['score']:.5g} ({best['score_name']})"
            found["width, T"] = f"{best['channels']} channels, {self.config.network.timesteps} timesteps"
        if self.memory:
            found["params"] = f"{self.memory['params']:,}"
            found["flash, RAM"] = ", ".join(format_size(self.memory[key]) for key in ("flash_bytes", "ram_bytes"))
        if counted := {name: said["instructions"] for name, said in self.measured.items() if "linked" in said}:
            shown = (f"{number:,} ({name})" for name, number in counted.items())
            found["instructions an inference"] = ", ".join(shown)
        if evaluation:
            found["synaptic operations an inference"] = f"{evaluation['synops']:,.0f}"
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
        return sizes(self.cost) if self.cost else self.best

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the test set, of the integers where they were evaluated."""
        found = self.evaluation or {}
        return found.get("quantised_test_accuracy", found.get("test_accuracy"))

    @property
    def kept(self) -> Epoch | None:
        """Return the epoch whose weights were kept."""
        return kept_epoch(self.epochs, self.config.train.keep) if self.epochs else None

    @property
    def status(self) -> str:
        """Return a text that says how far the run is."""
        stage = next_stage(State(self.folder, self.config))
        if stage is None:
            return "complete"
        said = {
            "search": f", {len(self.trials):,} candidates so far",
            "train": f", {len(self.epochs)} of {self.config.train.epochs} epochs",
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


def load_run(folder: str | Path) -> SavedRun:
    """Read a run folder.

    Raises:
        ConfigError: The folder has no configuration that can be used, so that it is no run folder, or not yet.
    """
    folder = Path(folder)
    if not any((folder / name).exists() for name in (CONFIG, ASKED)):
        raise ConfigError(f"{folder}: no run folder, it has no {CONFIG}")
    undecided = not (folder / CONFIG).exists() and (folder / ASKED).exists()
    config = Config.load(folder / (ASKED if undecided else CONFIG))
    reader = _Reader(folder)
    best = reader.json(
        BEST, **dict.fromkeys(("genotype", "score_name"), str), score=(int, float), **dict.fromkeys(_SIZES, int)
    )
    evaluation = reader.json(EVALUATION, test_accuracy=float, confusion=list, firing_rates=dict)
    quantisation = reader.json(QUANTISATION, weight_bits=int, quantised_sha256=str)
    state = State(folder, config)
    measured = {name: reader.json(f"{FIRMWARE}/{name}/{FOOTPRINT}", predicted=dict) for name in state.firmware}
    integers = state.integers
    if quantisation and quantisation["quantised_sha256"] != integers:
        quantisation = None
    if evaluation and evaluation.get("model_sha256") != state.digest(MODEL):
        evaluation = None
    if evaluation and evaluation.get("quantised_sha256") != integers:
        evaluation.pop("quantised_test_accuracy", None)
    made = {"weight_bits": quantisation["weight_bits"]} if quantisation else {}
    classes, plan = reader.network(config.network.but(made), best)
    return SavedRun(
        folder=folder,
        config=config,
        best=best,
        space=reader.json(SPACE, decisions=list),
        analysis=reader.json(ANALYSIS, effects=list),
        trials=reader.trials(),
        epochs=reader.epochs(),
        evaluation=evaluation,
        quantisation=quantisation,
        measured={name: said for name, said in measured.items() if said and said.get("quantised_sha256") == integers},
        history=reader.history(),
        mistakes=reader.pictures(len((evaluation or {}).get("mistakes", []))),
        classes=classes,
        plan=plan,
        unreadable=reader.unreadable,
        undecided=undecided,
    )


class _Reader:
    """A reader reads what is there, and keeps a line for what cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unreadable: list[str] = []

    def json(self, name: str, **kinds: Any) -> dict[str, Any] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            values = json.loads(read_text(path))
            wrong = [key for key, kind in kinds.items() if not isinstance(values.get(key), kind)]
        except (SpikeNASError, ValueError, AttributeError):
            values, wrong = None, []
        if values is None or wrong:
            self.unreadable.append(f"{name}: {f'{wrong[0]} is missing' if wrong else 'not valid JSON'}")
            return None
        found: dict[str, Any] = values
        return found

    def trials(self) -> list[Trial]:
        try:
            return read_trials(self.folder / TRIALS)
        except SpikeNASError as error:
            self.unreadable.append(str(error))
            return []

    def epochs(self) -> list[Epoch]:
        try:
            return read_log(self.folder / LOG)
        except SpikeNASError as error:
            self.unreadable.append(str(error))
            return []

    def history(self) -> list[dict[str, Any]]:
        path = self.folder / HISTORY
        lines = []
        for text in read_text(path).splitlines() if path.exists() else []:
            try:
                line = json.loads(text)
            except ValueError:  # cut off when the process was killed
                continue
            if isinstance(line, dict) and line.keys() >= _HISTORY:
                lines.append(line)
        return lines

    def network(self, network: NetworkConfig, best: dict[str, Any] | None) -> tuple[tuple[str, ...], Plan | None]:
        data = self.json(DATA, classes=list, input=dict)
        if data is None:
            return (), None
        classes = tuple(map(str, data["classes"]))
        if best is None:
            return classes, None
        try:
            return classes, make_plan(Genotype.parse(best["genotype"]), network, InputSpec(**data["input"]))
        except (SpikeNASError, TypeError) as error:
            self.unreadable.append(f"{BEST}: {error}")
            return classes, None

    def pictures(self, count: int) -> list[str]:
        path = self.folder / MISTAKES
        if not count or not path.exists():
            return []
        try:
            with Image.open(path) as picture:
                return [_address(part) for part in cut(picture.convert("RGB"), count)]
        except OSError:
            self.unreadable.append(f"{MISTAKES}: not a picture")
            return []


def _address(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
