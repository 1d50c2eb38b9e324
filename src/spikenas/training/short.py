"""A short training takes the place of a score: validation accuracy after a few epochs on few items."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikenas._util.errors import DivergedError
from spikenas._util.seeding import digest_of, seed_of
from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.scores.batch import resized, side_of
from spikenas.scores.engine import ScoreResult
from spikenas.space.building import make_plan
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec
from spikenas.task import Task
from spikenas.task.designs import design_space_of
from spikenas.training.entrants import Entrant, EntrantTrainer, Trained, entrant_trainer
from spikenas.training.epochs import judged_by
from spikenas.training.loop import train

_WARMUP = 0.06


class ShortTraining:
    """A short training trains each genotype from the same seed, and scores it by its accuracy on validation images.

    The accuracy is that after the last epoch; with `train.class_weights` it is the balanced one.

    Args:
        config: The configuration, with the settings of the short training in their places; `network`, `train`, `seed`
            and `device` are read.
        dataset: The images; the test split is not touched.
        statistics: Mean and standard deviation of each channel.
    """

    def __init__(self, config: Config, dataset: DataSet, statistics: Statistics) -> None:
        self.config = config
        self.dataset = dataset
        self.statistics = statistics
        self.input = InputSpec(*dataset.shape, len(dataset.classes), dataset.static)

    def __call__(self, genotype: Genotype) -> ScoreResult:
        """Train one genotype with one thread.

        Returns:
            The validation accuracy, with `train.class_weights` the balanced one; -inf without a path from input to
            output, or where training diverges.
        """
        start = time.perf_counter()
        if not genotype.connected:
            return ScoreResult(-math.inf, 0.0)
        settings = self.config.network.of_cells(len(genotype.cells))
        try:
            plan = make_plan(genotype, settings, self.input)
            epochs = train(plan, self.dataset, self.statistics, self.config, None)
        except DivergedError:
            return ScoreResult(-math.inf, time.perf_counter() - start)
        return ScoreResult(judged_by(epochs[-1], self.config.train), time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class TrainingFactory:
    """A training factory builds a `ShortTraining`, also in another process; it can be pickled."""

    config: Config
    classes: tuple[str, ...]
    timesteps: int | None
    statistics: Statistics
    train: tuple[NDArray[Any], NDArray[np.int64]]
    validation: tuple[NDArray[Any], NDArray[np.int64]]

    def __call__(self) -> ShortTraining:
        """Build a new short training."""
        (images, labels), (held_out, held_out_labels) = self.train, self.validation
        splits = Split(labels, images), Split(held_out_labels, held_out)
        dataset = DataSet.untested(self.config.data.name, self.classes, self.timesteps, *splits)
        return ShortTraining(self.config, dataset, self.statistics)

    @cached_property
    def digest(self) -> str:
        """The digest is equal for equal recipes of one version of the package."""
        config = self.config
        settings = config.network, config.train, config.seed, config.device, self.statistics, self.classes
        arrays = [array.tobytes() for array in (*self.train, *self.validation)]
        return digest_of(version("spikenas"), *map(repr, settings), *arrays)

    def sharing_order(self, genotypes: Sequence[Genotype]) -> list[int]:
        """Return the positions of the genotypes in their order, since trainings share nothing."""
        return list(range(len(genotypes)))


def training_factory(task: Task) -> TrainingFactory:
    """Make the factory of the short training that a task asks for, on shares of training and validation images."""
    config, dataset, settings = task.config, task.dataset, task.config.short_training
    side = side_of(settings.image_size, config, task.input)
    images = _share(dataset.train, settings.images, side, seed_of(config.seed, "short training"))
    held_out = _share(dataset.validation, settings.validation, side, seed_of(config.seed, "short validation"))
    changes: dict[str, Any] = {
        "network.channels": settings.channels,
        "network.widths": config.network.at_width(settings.channels).widths,
        "network.stem_stride": 1 if config.network.stem_stride == "auto" else config.network.stem_stride,
        "train.time": None,
        "train.epochs": _epochs(task, len(images[1])),
        "train.batch": settings.batch,
        "train.lr": settings.lr,
        "train.optimiser": "sgd",
        "train.momentum": 0.9,
        "train.weight_decay": 5e-4,
        "train.warmup": _WARMUP,
        "train.crop": 0,
        "train.flip": False,
        "train.keep": "last",
        "train.precision": "no",
        "train.tensorboard": False,
        "threads": 1,
    }
    if dataset.static and settings.timesteps:
        changes["network.timesteps"] = min(settings.timesteps, config.network.timesteps)
    return TrainingFactory(config.but(changes), dataset.classes, dataset.timesteps, task.statistics, images, held_out)


@dataclass(frozen=True, eq=False)
class DesignTrainingFactory:
    """A design training factory makes a function that trains designs, also in another process; it can be pickled.

    Attributes:
        trainer: Trains them, each with the recipe and at the settings of its own.
        epochs: Length of a training.
    """

    trainer: EntrantTrainer
    epochs: int

    def __call__(self) -> Callable[[Design], Trained]:
        """Return the function."""
        return self._train

    def _train(self, design: Design) -> Trained:
        return self.trainer(Entrant(design, None, (self.epochs,)))

    @property
    def digest(self) -> str:
        """The digest is equal for equal recipes of one version of the package."""
        return digest_of(self.trainer.digest, str(self.epochs))

    def sharing_order(self, designs: Sequence[Design]) -> list[int]:
        """Return the positions of the designs in their order, since trainings share nothing."""
        return list(range(len(designs)))


def design_training_factory(task: Task) -> DesignTrainingFactory:
    """Make the factory of short trainings of designs, with as many items and epochs as `short_training` says."""
    settings, space = task.config.short_training, design_space_of(task, task.asked)
    any_design = space.sample(random.Random(0))
    inputs = [replace(any_design, image=image, colours=colours) for image in space.images for colours in space.colours]
    trainer = entrant_trainer(task, task.asked, inputs, False, (settings.images, settings.validation))
    return DesignTrainingFactory(trainer, _epochs(task, trainer.count))


def _epochs(task: Task, count: int) -> int:
    """Return the epochs with a number of training items: more where these are few, so that as many are seen."""
    settings = task.config.short_training
    return max(settings.epochs, round(settings.epochs * settings.images / count))


def _share(split: Split, count: int, side: tuple[int, int], seed: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Draw about as many items, stratified, and decode and resize them."""
    some = split.some(count, [seed]).load()
    small = resized(torch.from_numpy(some.items).float(), side)
    pixels = small.round().to(torch.uint8) if some.items.dtype == np.uint8 else small
    return pixels.numpy(), some.labels
