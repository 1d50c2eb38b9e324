"""A short training in the place of a score: validation accuracy after a few epochs on few, small images."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.errors import DivergedError
from spikenas.score import ScoreResult
from spikenas.seeding import digest_of, seed_of
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec
from spikenas.task import Task, resized, side_of
from spikenas.train import train

_WARMUP_EPOCHS = 0.3


class ShortTraining:
    """Trains each genotype from the same seed; the score is its accuracy on validation images after the last epoch.

    Args:
        config: With the settings of the short training in their places; `network`, `train`, `seed` and `device` are
            read.
        dataset: The images; its test split is not touched.
        statistics: Of their channels.
    """

    def __init__(self, config: Config, dataset: DataSet, statistics: Statistics) -> None:
        self.config = config
        self.dataset = dataset
        self.statistics = statistics
        self.input = InputSpec(*dataset.shape, len(dataset.classes), dataset.static)

    def __call__(self, genotype: Genotype) -> ScoreResult:
        """Train one genotype with one thread; -inf without a path from input to output, or where training diverges."""
        start = time.perf_counter()
        if not genotype.connected:
            return ScoreResult(-math.inf, 0.0)
        settings = self.config.network.model_copy(update={"cells": len(genotype.cells)})
        before = torch.get_num_threads()
        try:
            plan = make_plan(genotype, settings, self.input)
            epochs = train(plan, self.dataset, self.statistics, self.config, None)
        except DivergedError:
            return ScoreResult(-math.inf, time.perf_counter() - start)
        finally:
            torch.set_num_threads(before)
        return ScoreResult(epochs[-1].validation_accuracy, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class TrainingFactory:
    """What it takes to build a `ShortTraining` in another process; can be pickled."""

    config: Config
    classes: tuple[str, ...]
    timesteps: int | None
    statistics: Statistics
    train: tuple[NDArray[Any], NDArray[np.int64]]
    validation: tuple[NDArray[Any], NDArray[np.int64]]

    def __call__(self) -> ShortTraining:
        """A new one."""
        (images, labels), (held_out, held_out_labels) = self.train, self.validation
        split = Split(held_out_labels, held_out)
        shape = images.shape[-3], images.shape[-2], images.shape[-1]
        dataset = DataSet(
            self.config.data.name, self.classes, shape, self.timesteps, Split(labels, images), split, lambda: split
        )
        return ShortTraining(self.config, dataset, self.statistics)

    @cached_property
    def digest(self) -> str:
        """Equal for equal recipes of one version of the package."""
        config = self.config
        settings = config.network, config.train, config.seed, config.device, self.statistics, self.classes
        arrays = [array.tobytes() for array in (*self.train, *self.validation)]
        return digest_of(version("spikenas"), *map(repr, settings), *arrays)

    def sharing_order(self, genotypes: Sequence[Genotype]) -> list[int]:
        """As they are: trainings share nothing."""
        return list(range(len(genotypes)))


def training_factory(task: Task, statistics: Statistics) -> TrainingFactory:
    """The recipe of the short training that a configuration asks for, on shares of training and validation images."""
    config, dataset, settings = task.config, task.dataset, task.config.short_training
    side = side_of(settings.image_size, config, task.input)
    network = config.network.model_copy(update={"channels": settings.channels, "stem_stride": _stride(config)})
    if dataset.static and settings.timesteps:
        network = network.model_copy(update={"timesteps": settings.timesteps})
    images = _share(dataset.train, settings.images, side, seed_of(config.seed, "short training"))
    held_out = _share(dataset.validation, settings.validation, side, seed_of(config.seed, "short validation"))
    training = config.train.model_copy(
        update={
            "epochs": max(settings.epochs, round(settings.epochs * settings.images / len(images[1]))),
            "batch": settings.batch,
            "lr": settings.lr,
            "warmup_epochs": _WARMUP_EPOCHS,
            "crop": 0,
            "flip": False,
            "keep": "last",
            "tensorboard": False,
        }
    )
    short = config.model_copy(update={"network": network, "train": training, "threads": 1})
    return TrainingFactory(short, dataset.classes, dataset.timesteps, statistics, images, held_out)


def _stride(config: Config) -> int:
    return 1 if config.network.stem_stride == "auto" else config.network.stem_stride


def _share(split: Split, count: int, side: tuple[int, int], seed: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """About as many items, stratified, decoded and resized."""
    if count < len(split):
        _, split = split.divide(count / len(split), [seed], keep=0)
    items = split.load().items
    small = resized(torch.from_numpy(items).float(), side)
    pixels = small.round().to(torch.uint8) if items.dtype == np.uint8 else small
    return pixels.numpy(), split.labels
