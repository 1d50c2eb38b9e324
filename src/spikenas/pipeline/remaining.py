"""Predicts what comes after a training, so that the time of the whole is kept: integers, evaluation, firmware."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikenas._util.run_files import LOG
from spikenas._util.threads import threads
from spikenas.integers import evaluate_integers, make_integers, tuning_of
from spikenas.task import Task
from spikenas.training.checkpoint import load_model
from spikenas.training.epochs import read_log
from spikenas.training.evaluation import evaluate

_WARM, _ITEMS = 8, 256  # validation items that are run, before the time counts and in all
_FIRMWARE_SECONDS = 5.0  # to write, compile and emulate it


class Remaining(NamedTuple):
    """What comes after a training.

    Attributes:
        seconds: About how long integers, evaluations and firmware take.
        tuned: Share of the training's time that fine-tuning has: none where all weights have 8 bits.
    """

    seconds: float
    tuned: float


def remaining(model: Path, task: Task) -> Remaining:
    """Predict what comes after the training of a network, by running a few items.

    Args:
        model: File of a network of the plan, trained for a while.
        task: The task, with the settings of that network.
    """
    config = task.config
    network = replace(load_model(model), task=task)
    tuning = tuning_of(config.but({"train.time": 1.0}), network.plan)
    some = task.validation.select(np.arange(len(task.validation)) < _ITEMS).load()
    few = some.select(np.arange(len(some)) < _WARM)

    def seconds_an_item(run: Callable[..., object], made: object) -> float:
        run(made, few, config.device)
        start = time.perf_counter()
        run(made, some, config.device)
        return (time.perf_counter() - start) / len(some)

    with threads(config.threads):
        integers = make_integers(network, task, config.quantise.weight_bits or config.network.weight_bits).network
        by_integers, real = seconds_an_item(evaluate_integers, integers), seconds_an_item(evaluate, network)
    validation, test = sum(task.counts["validation"]), sum(task.counts["test"])
    epoch = max(epoch.seconds for epoch in read_log(model.parent / LOG))
    validations = validation * (3 if tuning else 1)
    seconds = tuning.epochs * epoch + (validations + test) * by_integers + (validation + test) * real
    return Remaining(seconds + (_FIRMWARE_SECONDS if config.budget.target else 0.0), tuning.seconds or 0.0)
