"""The sections of a configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from spikenas._util.errors import ConfigError, SettingError
from spikenas._util.units import Duration
from spikenas.config.section import Section
from spikenas.config.values import (
    Bits,
    Fit,
    ImageSize,
    LayerBits,
    Neuron,
    Precision,
    positive_or,
    two_numbers,
)
from spikenas.targets import Core

USUAL_LEVELS = 7
_LARGEST_SUMS = {8: 33_000, 4: 20_000, 2: 12_000}  # D times inputs of a map, by bits; of 8 tried untrained
USUAL_TIMESTEPS: Mapping[Neuron, int] = {"lif": 5, "ilif": 1, "relu": 1}
FREE_WIDTH = 32  # where nothing limits it
_USUAL_BATCHES = 16, 32, 64, 128
_USUAL_STEPS = {"muon": {"lr": 0.1, "momentum": 0.6}, "sgd": {"lr": 0.8, "momentum": 0.9}}
_LEAST_STEPS = 10  # of an epoch; with few images a large batch learns less in as many epochs
SNASNET_RECIPE = {"optimiser": "sgd", "lr": 0.1, "momentum": 0.9, "batch": 64}  # what is published was trained so
DEFAULT_THRESHOLD = 1.0  # of a neuron, where neither network nor op say another one

# The most that a number can be: well above what the field uses, well below what makes a machine stand still.
MOST_CELLS = 64
MOST_CHANNELS = 4_096
MOST_TIMESTEPS = 1_000
MOST_SIDE = 4_096  # pixels
MOST_LEVELS = 15  # which four bits hold
LEAST_THRESHOLD, MOST_THRESHOLD = 1e-6, 1e6
MOST_CLASSES = 10_000
MOST_EPOCHS = 100_000
MOST_ITEMS = 10_000_000
MOST_BATCH = 65_536
MOST_REPETITIONS = 1_000  # of a measurement with other seeds or weights
MOST_DRAWS = 10_000
MOST_VECTORS = 1_000  # an emulator needs a second for one
MOST_VERIFIED = 100_000
MOST_WORKERS = 4_096
_MOST_OPS = 256
_MOST_RATE = 100.0


class DataConfig(Section):
    """Which images, and how they are brought to the network's input.

    `name` is `digits`, `cifar10`, `cifar100`, `tinyimagenet:FOLDER`, `idx:FOLDER`, `events:FOLDER` or an image folder.
    """

    name: str = "digits"
    root: str = Field("~/.cache/spikenas", description="folder of the data sets that torchvision downloads")
    download: bool = Field(False, description="fetch cifar10 or cifar100 when they are not in root")
    image_size: ImageSize | None = Field(
        None, description="side in pixels, or 'WIDTHxHEIGHT'; chosen by the images and the limits when absent"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; grey when absent if all images are")
    fit: Fit = Field("stretch", description="how images of another aspect ratio are brought to the size")
    value_range: Annotated[tuple[float, float], BeforeValidator(two_numbers)] | None = Field(
        None, description="values of 16-bit and float pixels that become 0 and 255; by what is seen when absent"
    )
    validation_share: float = Field(0.1, gt=0, lt=1, description="share of the training images held out, stratified")
    test_share: float = Field(0.2, gt=0, lt=1, description="share split off as test set where the data have none")
    skip_broken: bool = Field(False, description="leave out images that cannot be decoded instead of stopping")

    @property
    def size(self) -> tuple[int, int] | None:
        """Return width and height in pixels; None where they are not chosen."""
        if self.image_size is None:
            return None
        if isinstance(self.image_size, int):
            return self.image_size, self.image_size
        width, _, height = self.image_size.partition("x")
        return int(width), int(height)

    @property
    def short_name(self) -> str:
        """Name for people and folders: the last part of a path."""
        return Path(self.name.rpartition(":")[2]).resolve().name


class NetworkConfig(Section):
    """Everything of a network but its genotype (design, section 6)."""

    following = frozenset({"neuron", "timesteps", "levels"})

    kind: Literal["compact", "snasnet"] = "compact"
    cells: int = Field(2, ge=1, le=MOST_CELLS, description="number of cells; snasnet has two")
    channels: Annotated[int | Literal["auto"], positive_or("auto", most=MOST_CHANNELS)] = Field(
        "auto", description="C1, doubled at reductions but for widths"
    )
    widths: tuple[Annotated[int, Field(ge=1, le=MOST_CHANNELS)], ...] = Field(
        (), max_length=MOST_CELLS, description="channels of each cell, the first C1; absent: doubled at reductions"
    )
    stem_stride: Literal[1, 2, "auto"] = Field("auto", description="auto: 1, or 2 where that doubles the width")
    neuron: Neuron = Field(
        "ilif", description="ilif: integer-valued; lif: binary, of snasnet; relu: the twin that does not spike"
    )
    levels: int = Field(
        USUAL_LEVELS, ge=1, le=MOST_LEVELS, description="D, most spikes of an ilif neuron in one timestep; wide: fewer"
    )
    timesteps: int = Field(
        1, ge=1, le=MOST_TIMESTEPS, description="T; 5 for lif where it is not set; of events that of the data"
    )
    tau: float = Field(4 / 3, gt=1, le=10_000, description="membrane time constant in timesteps")
    v_threshold: float = Field(DEFAULT_THRESHOLD, ge=LEAST_THRESHOLD, le=MOST_THRESHOLD)
    v_reset: float = Field(0.0, ge=-MOST_THRESHOLD, le=MOST_THRESHOLD)
    surrogate_alpha: float = Field(2.0, gt=0, le=1_000, description="ATan surrogate gradient")
    pool: int = Field(2, ge=1, le=64, description="snasnet: kernel of the average pooling before the hidden layer")
    hidden: int = Field(1024, ge=1, le=65_536, description="snasnet: width of the hidden layer")
    votes: int = Field(10, ge=1, le=1_000, description="snasnet: outputs per class that are averaged")
    dropout: float = Field(0.5, ge=0, lt=1, description="snasnet: before the hidden layer")
    weight_bits: Bits = Field(8, description="of a weight on the device; the first and the last layer have 8")
    layer_bits: tuple[LayerBits, ...] = Field(
        (), max_length=1_000, description="of stages or layers, such as cell1=4, head.linear=2"
    )
    membrane_bits: Literal[8, 16] = Field(16, description="of a membrane potential on the device")
    core: Core = Field("cortex-m4", description="of the device, whose code is counted")

    def follow(self, known: Collection[str] = ()) -> None:
        """Fill in what follows from the kind of network and of neuron.

        Raises:
            SettingError: The network has no such neurons.
        """
        values = self.__dict__
        if "neuron" not in self.model_fields_set:
            values["neuron"] = "lif" if self.kind == "snasnet" else type(self).model_fields["neuron"].default
        if "timesteps" not in self.model_fields_set:
            values["timesteps"] = USUAL_TIMESTEPS[self.neuron]
        if "levels" not in self.model_fields_set:
            last = self.cell_widths[-1] if self.neuron == "ilif" and isinstance(self.channels, int) else 0
            values["levels"] = usual_levels(last, self.weight_bits)
        if self.widths and (len(self.widths), self.widths[0]) != (self.cells, self.channels):
            problem = (
                f"expected {self.cells} numbers, as network.cells says, the first {self.channels} (network.channels)"
            )
            raise SettingError("network.widths", f"{problem}; got {list(self.widths)}")
        if self.kind == "snasnet" and self.neuron != "lif":
            raise SettingError("network.neuron", f"snasnet has lif neurons, got {self.neuron}")

    @classmethod
    def of_header(cls, values: Mapping[str, Any]) -> Self:
        """Read what the header of a file has, which says everything.

        Raises:
            ConfigError: It is none, or a setting is missing, as in a file of another version.
        """
        found = cls.model_validate(values)
        if missing := cls.model_fields.keys() - found.model_fields_set:
            raise ConfigError(f"no {min(missing)} is named")
        return found

    @property
    def is_spiking(self) -> bool:
        """Whether the neurons send spikes, as all but those of the twin do."""
        return self.neuron != "relu"

    @property
    def without_effect(self) -> list[str]:
        """Keys that have another value than the usual one, and that a network of this kind and neurons ignores."""
        ignored = {"pool", "hidden", "votes", "dropout"} if self.kind == "compact" else set()
        if self.neuron != "ilif":
            ignored.add("levels")
        if self.neuron != "lif":
            ignored |= {"v_reset", "surrogate_alpha"}
        if not self.is_spiking:
            ignored.add("v_threshold")
        if not self.has_membranes:
            ignored |= {"membrane_bits", "tau"}
        usual = type(self).model_fields
        return sorted(key for key in ignored if getattr(self, key) != usual[key].get_default())

    @property
    def has_membranes(self) -> bool:
        """Whether the neurons have potentials on the device; those of ilif do not outlive their timestep."""
        return has_membranes(self.neuron, self.timesteps)

    @property
    def neurons(self) -> str:
        """The neurons and T, in words."""
        return neurons_in_words(self.neuron, self.levels, self.timesteps)

    @property
    def cell_widths(self) -> tuple[int, ...]:
        """Channels of each cell; `channels` is a number."""
        return self.widths or tuple(int(self.channels) << cell for cell in range(self.cells))

    def at_width(self, channels: int) -> Self:
        """Return a copy of other channels, the widths of all cells in proportion."""
        widths = tuple(max(1, round(width * channels / self.widths[0])) for width in self.widths)
        return self.but({"channels": channels, "widths": widths})

    def of_cells(self, cells: int) -> Self:
        """Return a copy of another number of cells, whose widths are doubled where they are not those of as many."""
        return self.but({"cells": cells, "widths": self.widths if len(self.widths) == cells else ()})

    @property
    def free_channels(self) -> int:
        """The width; an automatic one as it is without a budget."""
        return FREE_WIDTH if self.channels == "auto" else self.channels


def has_membranes(neuron: Neuron, timesteps: int) -> bool:
    """Say whether neurons have potentials that outlive a timestep on the device."""
    return neuron == "lif" or (neuron == "ilif" and timesteps > 1)


def usual_levels(channels: int, weight_bits: int) -> int:
    """Return D of a network whose last cell has so many channels: 7, or fewer where sums of spikes get too large.

    Maps have 16 bits and hold the worst input: the sums of three convolutions 3x3 and of the reduction, averaged over
    2x2 pixels, D times each. Weights are coarsened until these fit; what is left of their bits has to suffice.
    """
    largest = 45 * channels  # 3 * 9 of the cell, 4 * 9 of the reduction, which reads half of the channels
    return max(1, min(USUAL_LEVELS, _LARGEST_SUMS[weight_bits] // max(1, largest)))


def neurons_in_words(neuron: Neuron, levels: int, timesteps: int) -> str:
    """Return what the neurons of a network are, such as `ilif, D = 4, T = 1`."""
    kinds = {"lif": "lif", "ilif": f"ilif, D = {levels}", "relu": "relu (not spiking)"}
    return f"{kinds[neuron]}, T = {timesteps}"


class SpaceConfig(Section):
    """Says what each cell may be."""

    name: str | None = Field(None, description="a named space, which sets ops, and of a benchmark the network too")
    ops: tuple[str, ...] = Field(("skip", "conv3x3"), max_length=_MOST_OPS)
    nodes: int = Field(4, ge=2, le=7)
    feedback: bool = False
    shared: bool = Field(False, description="all places of a network hold the same cell")


class SearchConfig(Section):
    """Says how candidates are chosen and evaluated. `previous` and `refine` are read by the strategy spikenas alone."""

    strategy: str = Field("spikenas", description="random where designs are searched and it is not set")
    evaluations: int | None = Field(
        None,
        ge=1,
        le=MOST_ITEMS,
        description="most candidates scored; absent: no limit where a strategy ends by itself, else 100",
    )
    score: str = Field("cmrr", description="capacity where designs are searched and it is not set")
    time: Duration | None = Field(
        None, description="search designs for so long: draw, score, race; absent: the share of the time of the whole"
    )
    previous: Literal["fixed", "same"] = "fixed"
    refine: int = Field(0, ge=0, le=100, description="further passes over the cells, one at a time")
    front: Literal["params", "flash", "ram", "synops"] | None = Field(
        None, description="write the Pareto front of the score against this"
    )


class EnhancementConfig(Section):
    """Says how what is left open of the space is decided before the search."""

    enabled: bool = Field(True, description="decide ops, cells and sharing; false searches the space as configured")
    analysis: str | None = Field(None, description="folder of 'spikenas analyze', whose ops are taken")
    by: str | None = Field(None, description="evaluator: a score, or train; search.score when absent")
    seeds: int = Field(30, ge=5, le=MOST_REPETITIONS, description="repetitions")
    draws: int = Field(12, ge=2, le=MOST_DRAWS, description="networks of each space and seed")
    tolerance: float = Field(0.25, ge=0, le=5, description="loss that is accepted, in standard deviations")
    confidence: float = Field(0.95, ge=0.5, lt=1, description="of all intervals together")


class FidelityConfig(Section):
    """Says at what size a candidate is scored, apart from the network that will be built; as that one where absent."""

    channels: Annotated[int | Literal["network"], positive_or("network", most=MOST_CHANNELS)] = Field(
        16, description="C1, or as the network"
    )
    neuron: Literal[Neuron, "network"] = Field("lif", description="or as the network")
    timesteps: int | None = Field(
        None,
        ge=1,
        le=MOST_TIMESTEPS,
        description="T; absent: as the network where it has this neuron, else 5 for lif and 1; all of events",
    )
    image_size: Annotated[int | Literal["auto", "data"], positive_or("auto", "data", most=MOST_SIDE)] = Field(
        "auto", description="side; auto: the last cell sees 8x8 maps, or as the data where those are smaller"
    )
    batch: int = Field(32, ge=2, le=MOST_BATCH, description="training images a candidate sees")
    repeats: int = Field(2, ge=1, le=MOST_REPETITIONS, description="initialisations; the score is their mean")


class ShortTrainingConfig(Section):
    """Says how a candidate is trained where a short training evaluates it, without augmentation; else as in `train`."""

    epochs: int = Field(
        5, ge=1, le=MOST_EPOCHS, description="more where there are fewer images, so that as many are seen"
    )
    images: int = Field(4000, ge=1, le=MOST_ITEMS, description="training images, stratified; all where there are fewer")
    validation: int = Field(
        3000, ge=1, le=MOST_ITEMS, description="validation images, stratified; all where there are fewer"
    )
    channels: int = Field(8, ge=1, le=MOST_CHANNELS, description="C1")
    timesteps: int | None = Field(
        2, ge=1, le=MOST_TIMESTEPS, description="T of images where the network has more; events have all"
    )
    image_size: Annotated[int | Literal["auto", "data"], positive_or("auto", "data", most=MOST_SIDE)] = Field(
        "auto", description="side; as fidelity.image_size"
    )
    batch: int = Field(32, ge=1, le=MOST_BATCH)
    lr: float = Field(0.2, gt=0, le=_MOST_RATE)


class ExecutorConfig(Section):
    """Says where candidates are evaluated; the results are the same (docs/executors.md)."""

    kind: Literal["auto", "in-process", "pool", "ray"] = Field(
        "auto", description="auto: ray with an address, in-process with one worker, else pool"
    )
    workers: int | None = Field(
        None, ge=1, le=MOST_WORKERS, description="absent: threads, or a core each; ray: a CPU of the cluster each"
    )
    address: str | None = Field(None, description="ray: cluster to join; absent: a Ray of its own on this machine")


class TrainConfig(Section):
    """Surrogate-gradient training: Muon or SGD, a linear warm-up, half a cosine down to 0."""

    following = frozenset({"lr", "momentum"})

    epochs: int = Field(60, ge=1, le=MOST_EPOCHS)
    time: Duration | None = Field(
        None, description="seconds, or a text such as '20m', in the place of epochs: training ends when they are over"
    )
    batch: int | None = Field(
        None, ge=1, le=MOST_BATCH, description="images a step; absent: 128, or 16, 32, 64 for ten steps an epoch"
    )
    optimiser: Literal["muon", "sgd"] = Field(
        "muon", description="muon: orthogonal steps of the convolutions; sgd: with Nesterov momentum"
    )
    lr: float = Field(_USUAL_STEPS["muon"]["lr"], gt=0, le=_MOST_RATE, description="0.8 for sgd where it is not set")
    momentum: float = Field(_USUAL_STEPS["muon"]["momentum"], ge=0, lt=1, description="0.9 for sgd where it is not set")
    weight_decay: float = Field(5e-4, ge=0, le=1)
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the training in which the rate rises to lr")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    spike_penalty: float = Field(
        0.0, ge=0, le=1_000, description="added to the loss where each neuron sends one spike a timestep: fewer spikes"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: in the loss each class counts the same, however many images it has"
    )
    crop: int | None = Field(
        None, ge=0, le=MOST_SIDE, description="padding of the random crop; absent: an eighth of the side; 0: off"
    )
    flip: bool | None = Field(None, description="mirror images at random; absent: not digits, idx and events")
    keep: Literal["best", "last"] = Field("best", description="weights kept: of a good epoch among good ones, or last")
    precision: Precision = Field("auto", description="auto: bf16 where the device has it, but not for lif")
    tensorboard: bool = False

    def follow(self, known: Collection[str] = ()) -> None:
        """Fill in the rate and momentum of the optimiser."""
        decided = self.model_fields_set | set(known)
        usual = _USUAL_STEPS[self.optimiser]
        self.__dict__.update({key: value for key, value in usual.items() if key not in decided})


def usual_crop(height: int, width: int) -> int:
    """Return the padding of the random crop of images of so many pixels where that is not set."""
    return min(height, width) // 8


def usual_batch(images: int) -> int:
    """Return how many of so many training images a step takes where that is not set."""
    return max((batch for batch in _USUAL_BATCHES if _LEAST_STEPS * batch <= images), default=_USUAL_BATCHES[0])


class QuantiseConfig(Section):
    """From the trained network to integers of `network.weight_bits`."""

    weight_bits: Bits | None = Field(None, description="others than network.weight_bits, which the search budgets for")
    epochs: int | None = Field(
        None,
        ge=0,
        le=MOST_EPOCHS,
        description="of fine-tuning; absent: none where all weights have 8 bits, else a tenth of the training",
    )
    lr: float = Field(0.01, gt=0, le=_MOST_RATE, description="of fine-tuning")
    vectors: int = Field(20, ge=1, le=MOST_VECTORS, description="validation images that the firmware is tested with")
    verify: int = Field(0, ge=0, le=MOST_VERIFIED, description="test images that the firmware classifies too")
