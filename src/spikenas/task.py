"""A configuration with its data: what every stage starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spikenas.config import Config
from spikenas.data import DataSet, Statistics, load
from spikenas.data.transforms import normalise
from spikenas.errors import ConfigError, RunError
from spikenas.score import Scorer, ScorerFactory, find_score
from spikenas.search import resolve_width
from spikenas.seeding import seed_of
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.space.space import Space

LAST_MAP = 8  # side of the last cell's maps at the automatic image size of a score
_NO_FLIP = ("digits", "idx")  # a mirrored digit is another sign, or none


@dataclass(frozen=True)
class Task:
    """A configuration with everything in it decided, and the data it speaks of."""

    config: Config
    dataset: DataSet

    @property
    def input(self) -> InputSpec:
        """What the network sees."""
        return InputSpec(*self.dataset.shape, len(self.dataset.classes), self.dataset.static)

    @property
    def space(self) -> Space:
        """Where the search looks."""
        settings = self.config.space
        return Space.of(settings.ops, self.config.network.cells, settings.nodes, settings.feedback, settings.shared)

    def plan(self, genotype: Genotype) -> Plan:
        """The network of a genotype."""
        return make_plan(genotype, self.config.network, self.input)


def prepare(config: Config) -> Task:
    """Open the data and decide what the configuration leaves open: image size and channels, T of
    events, augmentation, width.

    Raises:
        DataError: the data cannot be used.
        BudgetError: nothing of the space meets the budget.
        RunError: no such device.
    """
    task = open_data(config)
    network = resolve_width(task.config.network, task.input, task.space, config.budget)
    return Task(task.config.model_copy(update={"network": network}), task.dataset)


def open_data(config: Config) -> Task:
    """Open the data and write what follows from them into the configuration, the width still open.

    Raises:
        DataError: the data cannot be used.
        RunError: no such device.
    """
    check_device(config.device)
    dataset = load(config.data, config.seed)
    channels, height, width = dataset.shape
    network = config.network
    if dataset.static:
        size = {"channels": channels, "image_size": height if height == width else None}
        data = config.data.model_copy(update=size)
    else:
        data = config.data
        network = network.model_copy(update={"timesteps": dataset.timesteps})
    train = config.train
    if train.crop is None:
        train = train.model_copy(update={"crop": min(height, width) // 8})
    if train.flip is None:
        train = train.model_copy(update={"flip": dataset.static and config.data.name.partition(":")[0] not in _NO_FLIP})
    return Task(config.model_copy(update={"data": data, "network": network, "train": train}), dataset)


def check_device(device: str) -> None:
    """See that PyTorch can compute there.

    Raises:
        RunError: it cannot.
    """
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        available = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise RunError(f"device {device!r} cannot be used by PyTorch here; available: {', '.join(available)}") from None


def make_scorer(task: Task, statistics: Statistics, *names: str) -> Scorer:
    """A scorer on a seeded batch of training images, at the configuration's fidelity."""
    return scorer_factory(task, statistics, *names)()


def scorer_factory(task: Task, statistics: Statistics, *names: str) -> ScorerFactory:
    """The recipe of that scorer, for other processes; names and settings are checked here, not in a worker."""
    for name in names:
        find_score(name)
    config = task.config
    train = task.dataset.train
    if len(train) < config.fidelity.batch:
        raise ConfigError(f"fidelity.batch: {config.fidelity.batch} images asked, {len(train)} training images there")
    rng = np.random.default_rng(seed_of(config.seed, "score batch"))
    chosen = np.sort(rng.choice(len(train), config.fidelity.batch, replace=False))
    images = normalise(torch.from_numpy(train.fetch(chosen)), *statistics)
    if not task.dataset.static:
        T = config.fidelity.timesteps or config.network.timesteps
        if images.shape[1] < T:
            raise ConfigError(f"fidelity.timesteps: {T} asked, the event frames have {images.shape[1]}")
        images = images.transpose(0, 1)[:T]
    return ScorerFactory(
        names,
        config.network,
        task.input,
        resized(images, side_of(config.fidelity.image_size, config, task.input)).numpy(),
        train.labels[chosen].astype(np.int64),
        config.fidelity,
        config.seed,
        config.device,
    )


def side_of(size: int | str, config: Config, input: InputSpec) -> tuple[int, int]:
    """Height and width of the images that a candidate is judged on; see `fidelity.image_size`."""
    if size == "data":
        return input.height, input.width
    if isinstance(size, int):
        return size, size
    stride = 2 if config.network.stem_stride == 2 else 1
    side = LAST_MAP * stride * 2 ** (config.network.cells - 1)
    scale = min(1.0, side / min(input.height, input.width))
    return round(input.height * scale), round(input.width * scale)


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images or event frames [..., C, H, W] brought to a height and width by averaging areas."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images.flatten(0, -4), size, mode="area").view(*images.shape[:-2], *size)
