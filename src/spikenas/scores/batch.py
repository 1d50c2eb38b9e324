"""Choose the images that candidates are scored on, and make the scorers that use them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spikenas._util.seeding import seed_of
from spikenas.config import Config
from spikenas.data.transforms import normalise
from spikenas.scores.catalogue import SCORES
from spikenas.scores.engine import Scorer, ScorerFactory
from spikenas.space.plan import InputSpec
from spikenas.task import Task

LAST_MAP = 8  # side of the last cell's maps at the automatic image size of a score


def make_scorer(task: Task, *names: str) -> Scorer:
    """Make a scorer on a seeded batch of training images, at the configuration's fidelity.

    Args:
        task: Task whose training images and configuration are used.
        names: Names of the scores; the first is the one that a search follows.

    Raises:
        ScoreError: A name is unknown.
    """
    return scorer_factory(task, *names)()


def scorer_factory(task: Task, *names: str, synops: bool = True) -> ScorerFactory:
    """Make the factory of that scorer, for other processes; names and settings are checked here, not in a worker.

    Args:
        task: Task whose training images and configuration are used.
        names: Names of the scores; the first is the one that a search follows.
        synops: Whether results have synaptic operations.

    Raises:
        ScoreError: A name is unknown.
    """
    for name in names:
        SCORES.find(name)
    config = task.config
    train = task.dataset.train
    rng = np.random.default_rng(seed_of(config.seed, "score batch"))
    chosen = np.sort(rng.choice(len(train), min(config.fidelity.batch, len(train)), replace=False))
    images = normalise(torch.from_numpy(train.fetch(chosen)), *task.statistics)
    if not task.dataset.static:
        images = images.transpose(0, 1)[: config.fidelity.timesteps or config.network.timesteps]
    return ScorerFactory(
        names,
        config.network,
        task.input,
        resized(images, side_of(config.fidelity.image_size, config, task.input)).numpy(),
        train.labels[chosen].astype(np.int64),
        config.fidelity,
        config.seed,
        config.device,
        synops=synops,
    )


def side_of(size: int | str, config: Config, input: InputSpec) -> tuple[int, int]:
    """Return the height and width in pixels of the images that a candidate is evaluated on.

    Args:
        size: Setting `fidelity.image_size`: a side in pixels, `auto` or `data`.
        config: Configuration, whose cells and stem stride decide `auto`.
        input: Shape of the data, which is the size for `data` and the most for `auto`.
    """
    if size == "data":
        return input.height, input.width
    if isinstance(size, int):
        return size, size
    stride = 2 if config.network.stem_stride == 2 else 1
    side = LAST_MAP * stride * 2 ** (config.network.cells - 1)
    scale = min(1.0, side / min(input.height, input.width))
    return round(input.height * scale), round(input.width * scale)


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images or event frames [..., C, H, W] at another height and width, by averaging areas."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images.flatten(0, -4), size, mode="area").view(*images.shape[:-2], *size)
