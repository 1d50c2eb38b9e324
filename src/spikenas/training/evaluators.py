"""Evaluators are made by name: a training-free score, or a short training, each with its initialisations."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikenas._util.errors import ConfigError
from spikenas.config import NetworkConfig
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import Executor, open_executor
from spikenas.scores import SCORES, TRAINING
from spikenas.scores.batch import scorer_factory
from spikenas.scores.designs import DesignScorerFactory, design_scorer_factory
from spikenas.scores.engine import ScorerFactory
from spikenas.space.genotype import NetworkKey
from spikenas.task import Task
from spikenas.training.short import DesignTrainingFactory, TrainingFactory, design_training_factory, training_factory

VALUES_FOLDER = "scores"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluator:
    """An evaluator says how good a candidate is.

    Attributes:
        name: Name for people and in results.
        identity: Digest of all that its answers depend on.
        executor: Executor that runs it.
        known: Networks that it has an answer for; None is all networks.
    """

    name: str
    identity: str
    executor: Executor
    known: Container[NetworkKey] | None = None


@dataclass(frozen=True)
class EvaluatorFactory:
    """An evaluator factory makes the evaluators of a name.

    Args:
        task: The task that gives data, fidelity, executor and seed.
    """

    task: Task

    def make(
        self, name: str, network: NetworkConfig, folder: Path, initialisations: int = 1, candidates: int | None = None
    ) -> list[Evaluator]:
        """Make the evaluators of a name: a score or a training has one for each initialisation.

        Args:
            name: A score, or `train`.
            network: Settings of the network that will be built; designs have their own.
            folder: Keeps what scores and trainings said, each network once over all runs of a command.
            initialisations: Number of initialisations, with the configuration's seed and those after it.
            candidates: Approximate number of networks that a score will be asked for; None where it is not known.
        Returns:
            An evaluator for each initialisation.
        Raises:
            ConfigError: The name is unknown.
            DataError: The data cannot be used.
        """
        if not needs_images(name):
            raise ConfigError(f"evaluator {name!r}: no score; without a table there are only {known_evaluators()}")
        return [self._seeded(name, number, network, folder, candidates) for number in range(initialisations)]

    def _seeded(
        self, name: str, number: int, network: NetworkConfig, folder: Path, candidates: int | None
    ) -> Evaluator:
        of_designs = self.task.config.searches_designs
        task = self.task.repeated(self.task.config.seed + number, {} if of_designs else {"network": network})
        make = _design_factory(task, name) if of_designs else _factory(task, name)
        (folder / VALUES_FOLDER).mkdir(parents=True, exist_ok=True)
        path = folder / VALUES_FOLDER / f"{name}-{task.config.seed}-{make.digest}.csv"

        def open_() -> Executor:
            few = None if name == TRAINING else candidates
            return open_executor(task.config.executor, make, _log.warning, few)

        return Evaluator(name, make.digest, CachedExecutor(open_, make.sharing_order, path))


def _factory(task: Task, name: str) -> TrainingFactory | ScorerFactory:
    if name == TRAINING:
        return training_factory(task)
    return scorer_factory(task, name, synops=task.config.search.front == "synops")


def _design_factory(task: Task, name: str) -> DesignTrainingFactory | DesignScorerFactory:
    return design_training_factory(task) if name == TRAINING else design_scorer_factory(task, name)


def needs_images(name: str) -> bool:
    """Tell whether an evaluator needs images, rather than a table or file."""
    return name in SCORES or name == TRAINING


def known_evaluators() -> str:
    """List the evaluators that need no table, for messages."""
    return f"{', '.join(SCORES)}, {TRAINING}"


def short_name(name: str) -> str:
    """Return the name of an evaluator for names of files; for a CSV it is the stem of its path."""
    return Path(name).stem if name.lower().endswith(".csv") else name


def require_distinct(names: Sequence[str]) -> None:
    """Check that no evaluator is named twice.

    Raises:
        ConfigError: An evaluator is named twice.
    """
    short = [short_name(name) for name in names]
    if twice := [name for name in short if short.count(name) > 1]:
        raise ConfigError(f"evaluator {twice[0]!r} is there twice")
