"""From a trained network to integers: bits, grid, fine-tuning, rounding."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from spikenas._util.class_figures import Figures
from spikenas._util.errors import ConfigError, DivergedError
from spikenas._util.run_files import MODEL
from spikenas.integers.folding import fold
from spikenas.integers.integer_evaluation import evaluate_integers, input_scale
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.rounding import make_grid, quantise
from spikenas.integers.tuning import RoundedNetwork, Tuning, with_bits
from spikenas.task import Task
from spikenas.training.checkpoint import Model, load_model
from spikenas.training.loop import Clock, Progress, train

_NONE = Tuning()

_log = logging.getLogger(__name__)


class MadeIntegers(NamedTuple):
    """Made integers are what becomes of a trained network.

    Attributes:
        network: The integers.
        model: The network whose weights were rounded.
        tuned: Whether that is the fine-tuned one.
        harmed: Whether it was fine-tuned, and that did harm.
    """

    network: IntegerNetwork
    model: Model
    tuned: bool
    harmed: bool = False


def make_integers(
    model: Model,
    task: Task | None,
    bits: int,
    tuning: Tuning = _NONE,
    folder: Path | None = None,
    progress: Progress = lambda done, total, epochs: None,
    clock: Clock = time.perf_counter,
) -> MadeIntegers:
    """Make integers of a trained network, after fine-tuning it with rounded weights where that is asked for.

    Where it diverges, or the integers are surely worse on the validation images after it, they are made without it, and
    a warning says so.

    Args:
        model: The trained network.
        task: The data that it was trained on; None for images, where nothing is tuned.
        bits: Bits of a weight, 2, 4 or 8.
        tuning: How long it is fine-tuned.
        folder: Keeps the checkpoints of fine-tuning, which goes on from there; None keeps none.
        progress: Shows the fine-tuning; see `train`.
        clock: Measures its time; see `train`.
    Raises:
        ConfigError: Event frames or fine-tuning without a task.
        RunError: The network is one that integers cannot hold.
    """
    if task is None and (tuning or not model.network.plan.input.static):
        raise ConfigError("fine-tuning, and the scale of event frames, need the data: give the task")
    scale = 1 / 255 if task is None else input_scale(task.dataset)
    model = with_bits(model, bits)
    folded = fold(model)
    grid = make_grid(folded, scale)
    plain = MadeIntegers(quantise(folded, scale, model.classes, grid), model, tuned=False)
    if not (task and tuning):
        return plain
    try:
        with nullcontext(folder) if folder else TemporaryDirectory() as place:
            tuned = _tuned(RoundedNetwork(model, grid, scale), model, task, tuning, Path(place), progress, clock)
    except DivergedError as error:
        harm = str(error).partition(";")[0]
    else:
        better = MadeIntegers(quantise(fold(tuned), scale, model.classes, grid), tuned, tuned=True)
        before, after = (_validated(made.network, task) for made in (plain, better))
        if not _is_worse(after, before):
            return better
        harm = f"{after.accuracy:.2%} of the validation images right with it, {before.accuracy:.2%} without"
    lr = task.config.quantise.lr
    remedy = f"a smaller quantise.lr than {lr:g}, or more epochs (--tuning), may help"
    _log.warning("fine-tuning did harm, so the integers are made without it: %s; %s", harm, remedy)
    return plain._replace(harmed=True)


def _tuned(
    rounded: RoundedNetwork, model: Model, task: Task, tuning: Tuning, place: Path, progress: Progress, clock: Clock
) -> Model:
    recipe = {
        "train.lr": task.config.quantise.lr,
        "train.optimiser": "sgd",
        "train.momentum": 0.9,
        "train.warmup": 0.0,
        "train.keep": "best",
        "train.precision": "no",
    }
    config = task.config.but(tuning.settings | recipe)
    train(model.network.plan, task.dataset, model.statistics, config, place, progress, rounded, clock)
    return with_bits(load_model(place / MODEL), model.network.plan.network.weight_bits)


def _validated(network: IntegerNetwork, task: Task) -> Figures:
    return evaluate_integers(network, task.dataset.validation, task.config.device).figures


def _is_worse(after: Figures, before: Figures) -> bool:
    """Whether fewer items, or fewer of the average class, are right, by more than chance explains."""
    least_balanced = before.balanced_accuracy - before.balanced_half_width
    return after.accuracy < before.interval.low or after.balanced_accuracy < least_balanced
