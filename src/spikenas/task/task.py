"""Define a task: the data that are learnt from, and the limits of what may be built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from spikenas._util.errors import ConfigError, DataError
from spikenas._util.markup import html_table
from spikenas._util.units import format_size
from spikenas.config import BudgetConfig, Config, usual_batch, usual_crop
from spikenas.data import DataSet, Decoding, Manifest, OpenedData, Split, Statistics
from spikenas.memory import FIGURES, Footprint, footprint, limits_of
from spikenas.memory.width import resolve_width
from spikenas.space.building import make_plan
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.space.space import Space
from spikenas.space.texts import parse_candidate
from spikenas.task.choice import choose_input, space_of


class Task:
    """A task is what a network is searched, trained and built for: data and limits.

    It owns the data, their splits and statistics, the limits, the space and the cost of its networks. The data are
    opened once, and their statistics counted once, however many tasks are derived by `but`.

    Args:
        data: Name of a data set, as `--data` takes it, or a folder of images.
        target: Name or file of a device, which sets flash, RAM and core.
        params: Most learnable parameters: a number, or a text such as `1.2M`.
        flash: Most flash: bytes, or a text such as `96KiB`.
        ram: Most RAM: bytes, or a text such as `96KiB`.
        instructions: Most instructions of one inference, such as `20M`.
        latency: Longest time of one inference on the device: seconds, or a text such as `50ms`.
        energy: Most energy of one inference on the device: joules, or a text such as `2mJ`.
        image_size: Side in pixels that images are brought to, or a text `WIDTHxHEIGHT`; chosen when absent.
        fit: How the aspect ratio is changed to it: `stretch`, `crop` or `pad`.
        seed: Seed of every random choice.
        device: Device of PyTorch that computes.
        settings: Further settings: a `Config`, a TOML file, or values by dotted key such as `{"train.epochs": 5}`.

    Attributes:
        asked: Configuration as it was asked for.
        config: Configuration with what follows from the data.

    Raises:
        ConfigError: A setting is wrong.
        DataError: The data cannot be used.
    """

    def __init__(
        self,
        data: str | Path | None = None,
        *,
        target: str | None = None,
        params: int | str | None = None,
        flash: int | str | None = None,
        ram: int | str | None = None,
        instructions: int | str | None = None,
        latency: float | str | None = None,
        energy: float | str | None = None,
        image_size: int | str | None = None,
        fit: str | None = None,
        seed: int | None = None,
        device: str | None = None,
        settings: Config | str | Path | Mapping[str, Any] | None = None,
    ) -> None:
        words = words_of(
            data=data,
            target=target,
            params=params,
            flash=flash,
            ram=ram,
            instructions=instructions,
            latency=latency,
            energy=energy,
            image_size=image_size,
            fit=fit,
            seed=seed,
            device=device,
        )
        self._set_up(base_config(settings).but(words))

    @classmethod
    def of(cls, config: Config, manifest: Manifest | None = None) -> Task:
        """Make the task of a configuration.

        Args:
            config: The configuration.
            manifest: Which file is in which split, of a run that has begun.

        Raises:
            DataError: The data cannot be used, or are not those of the manifest.
        """
        task = cls.__new__(cls)
        task._set_up(config, manifest=manifest)
        return task

    def _set_up(
        self,
        asked: Config,
        config: Config | None = None,
        opened: OpenedData | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        is_new = opened is None
        self._opened = opened = opened or OpenedData(asked.data, asked.seed, manifest, asked.searches_designs)
        whole_name = {} if asked.data.name == opened.name else {"data.name": opened.name}
        self.asked = asked.but(whole_name)
        self.config, self._reason = _with_derived_settings((config or asked).but(whole_name), opened)
        for key in self.config.network.without_effect if is_new else ():
            _log.warning("network.%s: %s does not use it", key, self.config.network.neurons)
        for key in self.config.for_designs if is_new and not self.config.searches_designs else ():
            _log.warning(
                "%s: designs are searched with --time, search.time or race.epochs, without which it is not used", key
            )
        self._decoding = _decoding(self.config, opened)

    def _derived(self, asked: Config, config: Config | None, opened: OpenedData | None) -> Task:
        task = type(self).__new__(type(self))
        task._set_up(asked, config, opened)
        return task

    @property
    def dataset(self) -> DataSet:
        """Labelled items of the task, divided by the seed."""
        return self._opened.divide(self.config.seed, self._decoding)

    @property
    def train(self) -> Split:
        """Training items without the validation share."""
        return self.dataset.train

    @property
    def validation(self) -> Split:
        """Share of the training items that is held out."""
        return self.dataset.validation

    @property
    def test(self) -> Split:
        """Test items, for evaluation alone."""
        return self.dataset.test

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a label is a position in it."""
        return self.dataset.classes

    @property
    def statistics(self) -> Statistics:
        """Mean and standard deviation of the channels, counted at the first use."""
        return self._opened.statistics(self.config.seed, self._decoding)

    @statistics.setter
    def statistics(self, counted: Statistics) -> None:
        self._opened.use_statistics(self.config.seed, self._decoding, counted)

    @property
    def input(self) -> InputSpec:
        """Shape and classes of what the network is given."""
        data = self.config.data
        return InputSpec(*self.dataset.shape, len(self.classes), self.dataset.static, data.fit, data.value_range)

    @property
    def common_size(self) -> tuple[int, int]:
        """Width and height that most images have, in pixels."""
        return self._opened.survey.common_size

    @property
    def counts(self) -> dict[str, list[int]]:
        """By split the number of items of each class."""
        return self._opened.counts(self.config.seed, self._decoding)

    @property
    def has_files(self) -> bool:
        """Whether each item is a file."""
        return self._opened.of_files

    @property
    def notes(self) -> list[str]:
        """What a user should know of the data, a line each."""
        return self._opened.notes

    def manifest(self) -> Manifest:
        """Return which file is in which split; every file is read for its digest.

        Raises:
            DataError: A file cannot be read.
        """
        return self._opened.manifest(self._decoding)

    def check_files(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode every item, which is done once in a process.

        Args:
            progress: Function that is called now and then with the numbers of items done and in all.

        Raises:
            BrokenFilesError: Some cannot be decoded; it names all.
        """
        self._opened.check_files(self._decoding, progress)

    @property
    def limits(self) -> BudgetConfig:
        """Limits on what a network may take."""
        return self.config.budget

    @cached_property
    def space(self) -> Space:
        """Space of the genotypes that are searched."""
        return space_of(self.config)

    def plan(self, genotype: Genotype | Design | str) -> Plan:
        """Return the plan of a genotype, at the width that suits the limits where none is set, or of a design.

        Raises:
            BudgetError: Nothing meets the limits.
            ConfigError: A design contradicts itself.
            GenotypeError: It has another number of cells, or cannot be built.
        """
        network = self.config.network
        if isinstance(genotype, str):
            genotype = parse_candidate(genotype)
        if isinstance(genotype, Design):
            return genotype.plan(network, self.input)
        if "auto" in (network.channels, network.stem_stride):
            network = self.sized().config.network
        return make_plan(genotype, network, self.input)

    def cost(self, genotype: Genotype | Design | str) -> Footprint:
        """Return the parameters and the memory that a genotype or a design takes.

        Raises:
            GenotypeError: It has another number of cells, or cannot be built.
        """
        return footprint(self.plan(genotype))

    def sized(self) -> Task:
        """Return the task with width and stem stride as numbers at which something of the space meets the limits.

        Raises:
            BudgetError: Nothing does; the message names the smallest footprint and what would make room.
        """
        network = resolve_width(self.config.network, self.input, self.space, self.config.budget)
        if network == self.config.network:
            return self
        return self._derived(self.asked, self.config.but({"network": network}), self._opened)

    def but(self, changes: Mapping[str, Any]) -> Task:
        """Return the task with some settings changed; the data are opened again if they or the seed change.

        Size, colour and fit of the images are no reason.

        Args:
            changes: Values by dotted key, such as `network.cells`.

        Raises:
            ConfigError: A key is unknown or a value is wrong.
            DataError: The settings of the data change, and the data cannot be used.
        """
        asked, config = self.asked.but(changes), self.config.but(changes)
        if asked.data != self.asked.data or asked.seed != self.asked.seed:
            config = config.like(asked, _FROM_DATA)
        items = asked.data.but({key: getattr(self.asked.data, key) for key in _OF_DECODING})
        same = items == self.asked.data and asked.seed == self.asked.seed
        return self._derived(asked, config, self._opened if same else None)

    def repeated(self, seed: int, changes: Mapping[str, Any]) -> Task:
        """Return the task for a repetition of a measurement: the test items stay, another validation share is drawn.

        Args:
            seed: Seed of the repetition.
            changes: Values by dotted key.
        """
        again = {**changes, "seed": seed}
        return self._derived(self.asked.but(again), self.config.but(again), self._opened)

    def with_config(self, config: Config) -> Task:
        """Return the task of another configuration; it shares these data where their settings are the same.

        Raises:
            DataError: The configuration names other data, and they cannot be used.
        """
        same = config.data in (self.config.data, self.asked.data) and config.seed == self.config.seed
        return self._derived(config, None, self._opened if same else None)

    def __repr__(self) -> str:
        return "\n".join(f"{name:<11}{value}" for name, value in self._rows)

    def _repr_html_(self) -> str:
        return html_table(("", ""), self._rows, "Task")

    @property
    def _rows(self) -> list[tuple[str, str]]:
        names = ", ".join(self.classes[:6]) + (", ..." if len(self.classes) > 6 else "")
        limits = limits_of(self.limits).items()
        shown = ", ".join(f"{FIGURES[name].title} {FIGURES[name].said(limit)}" for name, limit in limits) or "none"
        return [
            *self.description.items(),
            ("classes", f"{len(self.classes)}: {names}"),
            ("limits", shown + (f" ({self.limits.target})" if self.limits.target else "")),
        ]

    @property
    def description(self) -> dict[str, str]:
        """What the data are and how they are used, in words: name, items, what they look like, what becomes of them."""
        data, spec, survey = self.dataset, self.input, self._opened.survey
        seen = [survey.sizes_in_words, *survey.facts]
        becomes = f"{spec.channels}x{spec.height}x{spec.width}"
        if spec.static:
            becomes += f" ({'grey' if spec.channels == 1 else 'colour'}"
            becomes += f", {spec.fit})" if set(survey.sizes) != {(spec.width, spec.height)} else ")"
        if self._reason:
            becomes += f": {self._reason}"
        counts = {"train": data.train, "validate": data.validation, "test": data.test}
        return {
            "data": f"{self.config.data.short_name}: "
            + ", ".join(f"{len(split):,} to {name}" for name, split in counts.items()),
            "images" if spec.static else "events": "; ".join(seen),
            "input": f"{becomes}; {format_size(self._opened.decoded_bytes(self._decoding))} decoded",
        }


_log = logging.getLogger(__name__)

_OF_DECODING = ("image_size", "channels", "fit", "value_range")  # how items are decoded, not which
_FROM_DATA = (
    *("fidelity.batch", "fidelity.timesteps"),
    *("data.channels", "data.image_size", "data.value_range", "network.timesteps", "train.crop", "train.flip"),
    "train.batch",
)
_KEYS = {
    "data": "data.name",
    "target": "budget.target",
    "params": "budget.params",
    "flash": "budget.flash",
    "ram": "budget.ram",
    "instructions": "budget.instructions",
    "latency": "budget.latency",
    "energy": "budget.energy",
    "image_size": "data.image_size",
    "fit": "data.fit",
    "seed": "seed",
    "device": "device",
}


def words_of(**given: Any) -> dict[str, Any]:
    """Return settings by dotted key, from arguments with the names that `Task` uses; None is left out."""
    words = {_KEYS[name]: value for name, value in given.items() if value is not None}
    if "data.name" in words:
        words["data.name"] = str(words["data.name"])
    return words


def base_config(settings: Config | str | Path | Mapping[str, Any] | None) -> Config:
    """Return the configuration that settings stand for: that of a file, of values by key, or the defaults.

    Raises:
        ConfigError: The settings are not a configuration.
    """
    if isinstance(settings, Config):
        return settings
    if isinstance(settings, str | Path):
        return Config.load(settings)
    if settings is not None and not isinstance(settings, Mapping):
        raise ConfigError(f"settings: expected a Config, a TOML file or values by key, got {type(settings).__name__}")
    return Config().but(settings or {})


def _with_derived_settings(config: Config, opened: OpenedData) -> tuple[Config, str]:
    """Return a configuration with what follows from the data, and why its image size was chosen.

    What follows are image size, channels and range of values, T of events, and augmentation. What asks for more than
    the data have is brought down to them, and that is said.
    """
    changes, reason = choose_input(config, opened)
    frames = opened.survey.shape
    if frames is not None:
        if config.data.image_size is not None or config.data.channels is not None:
            raise DataError(
                f"{config.data.name}: event frames of shape [T, C, H, W] = {list(frames)} are not converted; leave "
                "data.image_size and data.channels out"
            )
        if "timesteps" in config.network.model_fields_set and config.network.timesteps != frames[0]:
            _log.warning("network.timesteps: %d asked, all %d frames are taken", config.network.timesteps, frames[0])
        changes["network.timesteps"] = frames[0]
    if config.train.flip is None:
        changes["train.flip"] = opened.mirrored
    config = config.but(changes)
    if config.train.crop is None:
        config = config.but({"train.crop": usual_crop(*_decoding(config, opened).shape[1:])})
    data = opened.divide(config.seed, _decoding(config, opened))
    if config.train.batch is None:
        config = config.but({"train.batch": usual_batch(len(data.train))})
    most = {"fidelity.batch": (max(2, len(data.train)), "training images")}
    if data.timesteps is not None:
        most["fidelity.timesteps"] = (data.timesteps, "timesteps of the event frames")
    for key, (there, what) in most.items():
        given = config.value(key)
        if given is not None and given > there:
            _log.warning("%s: %d asked, all %d %s are taken", key, given, there, what)
            config = config.but({key: there})
    return config, reason


def _decoding(config: Config, opened: OpenedData) -> Decoding:
    """Return what items are decoded to, of a configuration that is complete."""
    if opened.survey.shape is not None:
        _, channels, height, width = opened.survey.shape
        return Decoding((channels, height, width))
    width, height = config.data.size or opened.survey.common_size
    return Decoding((config.data.channels or opened.channels, height, width), config.data.fit, config.data.value_range)
