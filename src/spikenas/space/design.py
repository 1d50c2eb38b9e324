"""Define designs: all that a search may decide of a network, with a text form.

The text form names the input, the macro settings that are not as usual, and the cells, each with its channels:

    3x32x32 stride=2 / 24 0-1:conv3x3 0-3:skip 1-3:conv3x3 / 48 bits=4 0-3:skip

    design = input { setting } { "/" cell } ;     input = COLOURS "x" HEIGHT "x" WIDTH ;
    setting = "stride=" N | neuron | "levels=" D | "timesteps=" T | "membrane_bits=" N ;
    neuron = "lif" | "ilif" | "relu" ;            cell = CHANNELS [ "bits=" N ] cell of a genotype ;
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, get_args

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import MOST_CELLS, USUAL_TIMESTEPS, Bits, NetworkConfig, Neuron, has_membranes, usual_levels
from spikenas.space.building import make_plan
from spikenas.space.cell import Cell
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan

_LONGEST = 100_000  # characters of a text
_BITS = frozenset(get_args(Bits))
_INPUT = re.compile(r"(\d{1,4})x(\d{1,4})x(\d{1,4})")  # colours, height, width
_SETTINGS = {"stride": "stem_stride", "levels": "levels", "timesteps": "timesteps", "membrane_bits": "membrane_bits"}


@dataclass(frozen=True, repr=False)
class Design:
    """A design is a genotype with its macro settings.

    What has no effect is as usual: the levels of other neurons than `ilif`, the bits of membranes where there are none,
    and those of a first cell without weights. Levels of 0 are those that are usual for the widths and bits.

    Attributes:
        genotype: Cells of the network.
        widths: Channels of each cell.
        bits: Weight bits of each cell and of the reduction before it.
        image: Width and height of the input in pixels.
        colours: Channels of the input.
        stem_stride: Stride of the stem.
        neuron: Kind of neuron.
        levels: D, most spikes of an `ilif` neuron in one timestep.
        timesteps: T.
        membrane_bits: Bits of a membrane potential on the device.

    Raises:
        ConfigError: It contradicts itself.
    """

    genotype: Genotype
    widths: tuple[int, ...]
    bits: tuple[Bits, ...]
    image: tuple[int, int]
    colours: int = 3
    stem_stride: int = 1
    neuron: Neuron = "ilif"
    levels: int = 0
    timesteps: int = 1
    membrane_bits: int = 16

    def __post_init__(self) -> None:
        cells = len(self.genotype.cells)
        if not len(self.widths) == len(self.bits) == cells:
            raise ConfigError(
                f"a design has channels and bits for each cell: {cells} cells, {len(self.widths)} channels, "
                f"{len(self.bits)} bits"
            )
        if not _BITS.issuperset(self.bits):
            raise ConfigError(f"weights have 2, 4 or 8 bits, got {list(self.bits)}")
        if not self.genotype.cells[0].has_weights:
            object.__setattr__(self, "bits", (8, *self.bits[1:]))
        if self.neuron != "ilif":
            object.__setattr__(self, "levels", 1)
        elif not self.levels:
            object.__setattr__(self, "levels", usual_levels(self.widths[-1], min(self.bits)))
        if not has_membranes(self.neuron, self.timesteps):
            object.__setattr__(self, "membrane_bits", 16)

    @classmethod
    def of_plan(cls, plan: Plan) -> Design:
        """Return the design of a plan."""
        network, spec = plan.network, plan.input
        weights = {layer.stage: layer.bits for layer in plan.layers if layer.weights}
        names = range(1, network.cells + 1)
        bits = [weights.get(f"cell{k}", weights.get(f"reduction{k - 1}", network.weight_bits)) for k in names]
        return cls(
            plan.genotype,
            network.cell_widths,
            tuple(bits),  # type: ignore[arg-type]
            (spec.width, spec.height),
            spec.channels,
            int(network.stem_stride),
            network.neuron,
            network.levels,
            network.timesteps,
            network.membrane_bits,
        )

    @classmethod
    def parse(cls, text: str) -> Design:
        """Read the text form.

        Raises:
            ConfigError: It cannot be read, or contradicts itself; the message names the part.
        """
        if len(text) > _LONGEST or text.count("/") > MOST_CELLS:
            raise ConfigError(f"a design has at most {MOST_CELLS} cells of 7 nodes")
        macro, *parts = text.split("/")
        try:
            values = _macro(macro.split())
            cells = [_cell(part, number) for number, part in enumerate(parts, start=1)]
            if not cells:
                raise ConfigError("expected cells behind '/', such as '/ 24 0-1:conv3x3 1-3:conv3x3'")
            widths, bits, read = zip(*cells, strict=True)
            return cls(Genotype(read), widths, bits, **values)
        except ConfigError as error:
            raise ConfigError(f"design {text.strip()!r}: {error}") from None

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.widths)

    @property
    def connected(self) -> bool:
        """Whether every cell has a path from its input to its output."""
        return self.genotype.connected

    @property
    def has_pixels(self) -> bool:
        """Whether the image is large enough for its cells."""
        return min(-(-side // self.stem_stride) for side in self.image) >> self.cells - 1 > 0

    @cached_property
    def canonical(self) -> Hashable:
        """Key that is equal for designs that are one network."""
        macro = self.image, self.colours, self.stem_stride, self.neuron, self.levels, self.timesteps, self.membrane_bits
        return macro, self.widths, self.bits, self.genotype.canonical

    @property
    def network(self) -> dict[str, Any]:
        """The settings of the section `network` that it decides, by key."""
        usual: Bits = Counter(self.bits).most_common(1)[0][0]
        stages = [
            f"{name}={bits}"
            for number, bits in enumerate(self.bits, start=1)
            for name in ([f"reduction{number - 1}"] if number > 1 else [])
            + [f"cell{number}"] * self.genotype.cells[number - 1].has_weights
            if bits != usual
        ]
        doubled = tuple(self.widths[0] << cell for cell in range(self.cells))
        return {
            "cells": self.cells,
            "channels": self.widths[0],
            "widths": () if self.widths == doubled else self.widths,
            "stem_stride": self.stem_stride,
            "neuron": self.neuron,
            "levels": self.levels,
            "timesteps": self.timesteps,
            "weight_bits": usual,
            "layer_bits": tuple(stages),
            "membrane_bits": self.membrane_bits,
        }

    def settings(self, static: bool = True) -> dict[str, Any]:
        """Return all that it decides but its cells, by the dotted keys of a configuration.

        Args:
            static: Whether its input is an image; events are as the data say.
        """
        width, height = self.image
        of_data = {"data.image_size": f"{width}x{height}", "data.channels": self.colours} if static else {}
        return of_data | {f"network.{key}": value for key, value in self.network.items()}

    def input(self, like: InputSpec) -> InputSpec:
        """Return the input that it is given, where that of other designs of the data is like this one."""
        return replace(like, channels=self.colours, width=self.image[0], height=self.image[1])

    def plan(self, network: NetworkConfig, input: InputSpec) -> Plan:
        """Return its plan.

        Args:
            network: What it does not decide.
            input: Classes, and how images are fitted.

        Raises:
            ConfigError: Its image is too small for its cells, or its neurons cannot have its T.
            GenotypeError: A cell has no path from input to output.
        """
        return make_plan(self.genotype, network.but(self.network), self.input(input))

    def __repr__(self) -> str:
        return f"Design.parse({str(self)!r})"

    def __str__(self) -> str:
        words = [f"{self.colours}x{self.image[1]}x{self.image[0]}", f"stride={self.stem_stride}", self.neuron]
        if self.neuron == "ilif":
            words.append(f"levels={self.levels}")
        if self.timesteps != USUAL_TIMESTEPS[self.neuron]:
            words.append(f"timesteps={self.timesteps}")
        if self.membrane_bits != 16:
            words.append(f"membrane_bits={self.membrane_bits}")
        cells = (
            f"{width} bits={bits} {cell}" if bits != 8 else f"{width} {cell}"
            for width, bits, cell in zip(self.widths, self.bits, self.genotype.cells, strict=True)
        )
        return " / ".join([" ".join(words), *cells])


def _macro(words: list[str]) -> Mapping[str, Any]:
    if not words or not (match := _INPUT.fullmatch(words[0])):
        given = repr(words[0]) if words else "nothing"
        raise ConfigError(f"expected an input such as 3x32x32 first, of at most four digits each, got {given}")
    colours, height, width = map(int, match.groups())
    found: dict[str, Any] = {"image": (width, height), "colours": colours}
    for word in words[1:]:
        name, _, number = word.partition("=")
        key = "neuron" if word in get_args(Neuron) else _SETTINGS.get(name)
        if key is None or (key != "neuron" and not re.fullmatch(r"\d{1,4}", number)):
            known = ", ".join([*get_args(Neuron), *(f"{one}=N" for one in _SETTINGS)])
            raise ConfigError(f"{word!r} is none of {known}")
        if key in found:
            raise ConfigError(f"{word!r}: {key} is there twice")
        found[key] = word if key == "neuron" else int(number)
    found.setdefault("timesteps", USUAL_TIMESTEPS[found.get("neuron", "ilif")])
    _check(found)
    return found


def _check(values: Mapping[str, Any]) -> None:
    """Check settings against the ranges that a configuration has.

    Raises:
        ConfigError: One is beyond its own, or they contradict each other.
    """
    given = {key: value for key, value in values.items() if key not in ("image", "colours")}
    NetworkConfig.parse(given, "network", {key: f"{key}={value}" for key, value in given.items()})
    if values.get("neuron", "ilif") != "ilif" and "levels" in values:
        raise ConfigError(f"levels={values['levels']}: {values['neuron']} neurons have none")
    if not min(values["image"]) or not values["colours"]:
        raise ConfigError("an input has at least one pixel and one colour")


def _cell(text: str, number: int) -> tuple[int, Bits, Cell]:
    match = re.fullmatch(r"\s*(\d{1,4})(?:\s+bits=(\S+))?\s+(\S.*?)\s*", text, re.DOTALL)
    if not match or int(match[1]) < 1:
        raise ConfigError(f"cell {number}: expected channels and edges such as '24 0-1:conv3x3', got {text.strip()!r}")
    if match[2] not in (None, *map(str, get_args(Bits))):
        raise ConfigError(f"cell {number}: bits={match[2]}: expected one of {', '.join(map(str, get_args(Bits)))}")
    try:
        cell = Cell.parse(match[3])
    except GenotypeError as error:
        raise ConfigError(f"cell {number}: {error}") from None
    return int(match[1]), int(match[2] or 8), cell  # type: ignore[return-value]
