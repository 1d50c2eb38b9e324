"""From a trained network to integers: bits, grid, fine-tuning, rounding."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from spikenas._util.errors import ConfigError
from spikenas._util.run_files import MODEL
from spikenas.integers.folding import fold
from spikenas.integers.integer_evaluation import input_scale
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.rounding import make_grid, quantise
from spikenas.integers.tuning import RoundedNetwork, Tuning, with_bits
from spikenas.task import Task
from spikenas.training.checkpoint import Model, load_model
from spikenas.training.loop import Progress, train

_NONE = Tuning()


def make_integers(
    model: Model,
    task: Task | None,
    bits: int,
    tuning: Tuning = _NONE,
    folder: Path | None = None,
    progress: Progress = lambda done, total, epochs: None,
) -> tuple[IntegerNetwork, Model]:
    """Make integers of a trained network, after fine-tuning it with rounded weights where that is asked for.

    Args:
        model: The trained network.
        task: The data that it was trained on; None for images, where nothing is tuned.
        bits: Bits of a weight, 2, 4 or 8.
        tuning: How long it is fine-tuned.
        folder: Keeps the checkpoints of fine-tuning, which goes on from there; None keeps none.
        progress: Shows the fine-tuning; see `train`.
    Returns:
        The integers, and the network whose weights were rounded.
    Raises:
        ConfigError: Event frames or fine-tuning without a task.
        RunError: The network is one that integers cannot hold.
    """
    if task is None and (tuning or not model.network.plan.input.static):
        raise ConfigError("fine-tuning, and the scale of event frames, need the data: give the task")
    scale = 1 / 255 if task is None else input_scale(task.dataset)
    model = with_bits(model, bits)
    grid = make_grid(fold(model), scale)
    if task and tuning:
        rounded = RoundedNetwork(model, grid, scale)
        config = task.config.but(
            tuning.settings
            | {
                "train.lr": task.config.quantise.lr,
                "train.optimiser": "sgd",
                "train.momentum": 0.9,
                "train.warmup": 0.0,
                "train.keep": "best",
                "train.precision": "no",
            }
        )
        with nullcontext(folder) if folder else TemporaryDirectory() as place:
            train(model.network.plan, task.dataset, model.statistics, config, Path(place), progress, rounded)
            model = with_bits(load_model(Path(place) / MODEL), bits)
    return quantise(fold(model), scale, model.classes, grid), model
