"""Designs are trained as the final one would be, with one thread and for less long; in a race from where each was."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from spikenas._util.errors import DivergedError, RunError, TooShortError
from spikenas._util.run_files import CHECKPOINT, MODEL
from spikenas._util.seeding import digest_of, seed_of
from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.space.design import Design
from spikenas.space.plan import InputSpec
from spikenas.task import Task
from spikenas.task.designs import settings_of
from spikenas.training.checkpoint import load_tensors
from spikenas.training.epochs import Epoch, behind, judged_by
from spikenas.training.loop import train


@dataclass(frozen=True)
class Entrant:
    """An entrant is a design in a race.

    Attributes:
        design: The design.
        folder: Keeps its training; None where nothing is kept.
        lengths: Where the training ends in each rung up to this one, what went before included; seconds or epochs.
    """

    design: Design
    folder: Path | None
    lengths: tuple[float, ...]

    def __str__(self) -> str:
        return str(self.design)


@dataclass(frozen=True)
class Trained:
    """What a training of an entrant came to.

    Attributes:
        score: Validation accuracy, a share, with class weights the balanced one; -inf where there is none.
        seconds: Time of the training up to this length, what went before included.
        note: Why there is no accuracy, or why it was trained anew; empty where all went well.
        synops: Not known.
    """

    score: float
    seconds: float
    note: str = ""
    synops: float | None = None


@dataclass(frozen=True, eq=False)
class _Items:
    """Training and validation items as designs of one input see them."""

    train: Split
    validation: Split
    statistics: Statistics
    timesteps: int | None


def _nothing() -> None:
    """Let a training go on."""


@dataclass(frozen=True, eq=False)
class EntrantTrainer:
    """An entrant trainer trains designs with the recipe of the final training; it can be pickled.

    Attributes:
        config: Configuration of the task.
        classes: Names of the classes.
        input: What a network of the task is given.
        items: Items by the width, height and channels that they are decoded to.
        timed: Whether lengths are seconds rather than epochs.
        asked: What was set before anything was decided.
        check: Called after each step, to end the training by an exception; picklable where the trainer is pickled.
    """

    config: Config
    classes: tuple[str, ...]
    input: InputSpec
    items: Mapping[tuple[int, int, int], _Items]
    timed: bool
    asked: Config
    check: Callable[[], None] = _nothing

    @property
    def count(self) -> int:
        """Number of training items."""
        return len(next(iter(self.items.values())).train)

    @cached_property
    def digest(self) -> str:
        """Digest that is equal for equal trainers of one version of the package."""
        config, all_items = self.config, self.items.values()
        recipe = config.network, config.train, self.asked.train, config.seed, config.device, self.classes, self.timed
        statistics = (items.statistics for items in all_items)
        splits = [split for items in all_items for split in (items.train, items.validation)]
        arrays = (array.tobytes() for split in splits for array in (split.items, split.labels))
        return digest_of(version("spikenas"), *map(repr, (*recipe, *statistics)), *arrays)

    def __call__(self, entrant: Entrant) -> Trained:
        """Train an entrant up to its last length, from where it is; what is damaged is trained anew, rung by rung.

        Raises:
            RunError: Its folder cannot be written, or the device lacks the precision.
        """
        note = ""
        if entrant.folder and (note := _damage(entrant.folder)):
            shutil.rmtree(entrant.folder)
        start = time.perf_counter()
        try:
            for length in entrant.lengths:  # those that are behind it cost nothing
                epochs = self._train(entrant, length)
        except (DivergedError, TooShortError) as error:
            return Trained(-math.inf, time.perf_counter() - start, str(error))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return Trained(-math.inf, time.perf_counter() - start, f"device {self.config.device}: out of memory")
        reached = self._reached(epochs, entrant.lengths[-1])
        return Trained(judged_by(reached[-1], self.config.train), behind(reached, timed=True), note)

    def _train(self, entrant: Entrant, length: float) -> list[Epoch]:
        design = entrant.design
        config = self.config.but(self._settings(design, length))
        items = self.items[(*design.image, design.colours)]
        dataset = DataSet.untested(config.data.name, self.classes, items.timesteps, items.train, items.validation)
        plan = design.plan(config.network, self.input)
        return train(plan, dataset, items.statistics, config, entrant.folder, lambda *told: self.check())

    def _settings(self, design: Design, length: float) -> dict[str, Any]:
        return {
            **settings_of(design, self.input.static, self.asked),
            **({"train.time": length} if self.timed else {"train.epochs": round(length)}),
            "train.tensorboard": False,
            "threads": 1,
        }

    def _reached(self, epochs: list[Epoch], length: float) -> list[Epoch]:
        """The epochs up to a length, where a survivor is further already."""
        ends = (end for end in range(1, len(epochs)) if behind(epochs[:end], self.timed) >= length)
        return epochs[: next(ends, len(epochs))]


def entrant_trainer(
    task: Task, asked: Config, designs: Sequence[Design], timed: bool, most: tuple[int, int] | None = None
) -> EntrantTrainer:
    """Make the trainer of designs; their items are decoded here, once for each input.

    Args:
        task: The task.
        asked: What was set before anything was decided.
        designs: Of each input that a design to be trained may have one at least.
        timed: Whether lengths are seconds rather than epochs.
        most: Most training and validation items; None is all.
    """
    seeds = seed_of(task.config.seed, "short training"), seed_of(task.config.seed, "short validation")
    items: dict[tuple[int, int, int], _Items] = {}
    for design in designs:
        if (key := (*design.image, design.colours)) not in items:
            seen = task.but(design.settings()) if task.input.static else task
            data = seen.dataset
            splits = data.train, data.validation
            if most:
                splits = data.train.some(most[0], [seeds[0]]), data.validation.some(most[1], [seeds[1]])
            items[key] = _Items(splits[0].load(), splits[1].load(), seen.statistics, data.timesteps)
    return EntrantTrainer(task.config, task.classes, task.input, items, timed, asked)


def _damage(folder: Path) -> str:
    """A line that says what of a training is damaged; empty where nothing is, or none has begun."""
    try:
        for path in (folder / MODEL, folder / CHECKPOINT):
            if path.exists():
                load_tensors(path)
    except RunError as error:
        return f"{str(error).partition(';')[0]}; trained anew"
    return ""
