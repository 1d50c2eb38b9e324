"""Define sets of designs: what each setting may be, sampling, neighbours, encoding."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import Any

from spikenas._util.errors import ConfigError
from spikenas.config import Bits, Neuron
from spikenas.space.cell import Cell, pairs
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.space import Space

_EVEN = 2  # what widths are a multiple of, but the first
_NARROWER, _APART = 2, 2  # usual designs beside the widest, and their distance in widths


@dataclass(frozen=True)
class DesignSpace:
    """A space of designs says what each setting may be; one that is fixed has a single option.

    Attributes:
        wiring: Ops and nodes of each cell.
        images: Width and height of the input.
        colours: Channels of the input.
        stem_strides: Stride of the stem.
        cells: Number of cells.
        widths: Channels of the first cell.
        growths: Factor of the channels at each reduction.
        neurons: Kind of neuron, and T.
        levels: D of `ilif` neurons; 0 are those that are usual for the widths and bits.
        bits: Weight bits of each cell and of the reduction before it.
        membrane_bits: Bits of a membrane potential.

    Raises:
        ConfigError: A setting has no option, or one twice.
    """

    wiring: Space
    images: tuple[tuple[int, int], ...]
    colours: tuple[int, ...] = (3,)
    stem_strides: tuple[int, ...] = (1, 2)
    cells: tuple[int, ...] = (1, 2, 3)
    widths: tuple[int, ...] = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
    growths: tuple[float, ...] = (1.0, 1.5, 2.0)
    neurons: tuple[tuple[Neuron, int], ...] = (("ilif", 1),)
    levels: tuple[int, ...] = (0,)
    bits: tuple[Bits, ...] = (8, 4)
    membrane_bits: tuple[int, ...] = (16,)

    def __post_init__(self) -> None:
        for field in fields(self):
            options = getattr(self, field.name)
            if field.name != "wiring" and (not options or len(set(options)) != len(options)):
                raise ConfigError(f"{field.name}: expected at least one option, each once; got {list(options)}")

    @property
    def most_cells(self) -> int:
        """Largest number of cells."""
        return max(self.cells)

    @cached_property
    def _macro(self) -> tuple[tuple[Any, ...], ...]:
        """Options of the settings that are encoded first, one each."""
        return (
            *(self.images, self.colours, self.stem_strides, self.cells, self.widths),
            *(self.neurons, self.levels, self.membrane_bits),
            *(self.growths,) * (self.most_cells - 1),
            *(self.bits,) * self.most_cells,
        )

    @cached_property
    def choices(self) -> tuple[int, ...]:
        """Number of options at each position of the encoding: macro settings, then the edges of all cells.

        Positions of cells that a design has not, and of bits and growths that go with them, are 0.
        """
        edges = len(pairs(self.wiring.nodes)) * self.most_cells
        return (*map(len, self._macro), *(len(self.wiring.edges),) * edges)

    @property
    def size(self) -> int:
        """Number of encodings that differ in what a design has; equal networks count separately."""
        cell, grown = self.wiring.cell_count * len(self.bits), len(self.growths)
        macro = prod(map(len, (*self._macro[:3], self.widths, self.neurons, self.levels, self.membrane_bits)))
        return int(macro * sum(cell**cells * grown ** (cells - 1) for cells in self.cells))

    def decode(self, vector: Sequence[int]) -> Design:
        """Return the design that takes the given option at each position of `choices`.

        Raises:
            ConfigError: The number of options is wrong, or one is out of range.
        """
        if len(vector) != len(self.choices) or not all(
            0 <= option < n for option, n in zip(vector, self.choices, strict=True)
        ):
            raise ConfigError(f"{len(self.choices)} options within {list(self.choices)} make a design, got {vector}")
        macro = [options[option] for options, option in zip(self._macro, vector, strict=False)]
        image, colours, stride, count, width, (neuron, timesteps), levels, membrane = macro[:8]
        growths, bits = macro[8 : 7 + count], macro[7 + self.most_cells :][:count]
        each, edges = len(pairs(self.wiring.nodes)), vector[len(self._macro) :]
        cells = [self._cell(tuple(edges[k * each : (k + 1) * each])) for k in range(count)]
        return Design(
            Genotype(tuple(cells)),
            _grown(width, growths),
            tuple(bits),
            image,
            colours,
            stride,
            neuron,
            levels,
            timesteps,
            membrane,
        )

    def encode(self, design: Design) -> tuple[int, ...]:
        """Return the option that a design takes at each position of `choices`; 0 at those that do not count.

        Raises:
            ConfigError: It is not of this space.
        """
        growths = [
            next((g for g in self.growths if _grown(before, [g])[1] == width), None)
            for before, width in pairwise(design.widths)
        ]
        levels = next((d for d in self.levels if replace(design, levels=d) == design), None)
        membrane = next((bits for bits in self.membrane_bits if replace(design, membrane_bits=bits) == design), None)
        first = next((bits for bits in self.bits if replace(design, bits=(bits, *design.bits[1:])) == design), None)
        rest = self.most_cells - design.cells
        macro: list[Any] = [
            *(design.image, design.colours, design.stem_stride, design.cells, design.widths[0]),
            *((design.neuron, design.timesteps), levels, membrane),
            *(*growths, *self.growths[:1] * rest),
            *(first, *design.bits[1:], *self.bits[:1] * rest),
        ]
        edges = [edge for cell in design.genotype.cells for edge in cell.edges]
        padding = self.wiring.edges[:1] * (rest * len(pairs(self.wiring.nodes)))
        try:
            chosen = [options.index(value) for options, value in zip(self._macro, macro, strict=True)]
            vector = (*chosen, *(self.wiring.edges.index(edge) for edge in (*edges, *padding)))
            if len(vector) != len(self.choices):
                raise ValueError
        except ValueError:
            raise ConfigError(f"design '{design}' is not of this space") from None
        return vector

    def __contains__(self, design: object) -> bool:
        try:
            return isinstance(design, Design) and design.has_pixels and bool(self.encode(design))
        except ConfigError:
            return False

    def _cell(self, options: tuple[int, ...]) -> Cell:
        """Return a cell, the same object for the same options, so that its canonical form is found once."""
        if options not in self._known_cells:
            self._known_cells[options] = Cell(tuple(self.wiring.edges[k] for k in options), self.wiring.nodes)
        return self._known_cells[options]

    @cached_property
    def _known_cells(self) -> dict[tuple[int, ...], Cell]:
        return {}

    def sample_vector(self, rng: random.Random) -> tuple[int, ...]:
        """Draw an encoding with every option uniform; a cell may have no path, and the image too few pixels."""
        return tuple(int(rng.random() * options) for options in self.choices)

    def sample(self, rng: random.Random) -> Design:
        """Draw a design as `sample_vector` does."""
        return self.decode(self.sample_vector(rng))

    def draw(self, rng: random.Random, fits: Callable[[Design], bool]) -> Design | None:
        """Draw a design that fits: all but its width at random among connected cells, then one of the widths that fit.

        What a network takes rises with its width, so that the widest that fits is found by halving.

        Args:
            rng: Draws.
            fits: Says whether a design meets the limits; False where its image is too small for its cells.
        Returns:
            The design; None where not even the narrowest fits.
        """
        count, (neuron, timesteps) = rng.choice(self.cells), rng.choice(self.neurons)
        image, colours, stride = rng.choice(self.images), rng.choice(self.colours), rng.choice(self.stem_strides)
        levels, membrane = rng.choice(self.levels), rng.choice(self.membrane_bits)
        growths = [rng.choice(self.growths) for _ in range(count - 1)]
        bits = tuple(rng.choice(self.bits) for _ in range(count))
        genotype = Genotype(tuple(rng.choice(self.wiring.distinct_cells) for _ in range(count)))

        at = self._of_width(genotype, growths, bits, image, colours, stride, neuron, levels, timesteps, membrane)
        fitting = self._fitting(at, fits)
        return at(rng.randrange(fitting)) if fitting else None

    def usual(self, rng: random.Random, fits: Callable[[Design], bool]) -> Iterator[Design]:
        """Iterate over the designs of usual cells that fit, all with one growth and one number of bits, in any order.

        Of each set of other settings these are the widest, and narrower ones down to about a quarter of its parameters;
        where none of usual cells fits they are of plain ones.

        Args:
            rng: Draws the order.
            fits: Says whether a design meets the limits.
        """
        settings = [
            (count, growth, *rest)
            for count in self.cells
            for growth in (self.growths if count > 1 else self.growths[:1])
            for rest in product(
                self.bits, self.images, self.colours, self.stem_strides, self.neurons, self.levels, self.membrane_bits
            )
        ]
        rng.shuffle(settings)
        for count, growth, bits, image, colours, stride, (neuron, timesteps), levels, membrane in settings:
            macro = (bits,) * count, image, colours, stride, neuron, levels, timesteps, membrane
            for cell in (self.wiring.usual_cell, self.wiring.plain_cell):
                at = self._of_width(Genotype((cell,) * count), [growth] * (count - 1), *macro)
                widest = self._fitting(at, fits) - 1
                for position in range(widest, max(-1, widest - _NARROWER * _APART - 1), -_APART):
                    yield at(position)
                if widest >= 0:
                    break

    def _of_width(self, genotype: Genotype, growths: Sequence[float], *macro: Any) -> Callable[[int], Design]:
        """Return what makes a design of the width at a position."""
        return lambda position: Design(genotype, _grown(self.widths[position], growths), *macro)

    def _fitting(self, at: Callable[[int], Design], fits: Callable[[Design], bool]) -> int:
        """Return how many of the widths fit, from the narrowest on."""
        low, high = 0, len(self.widths)  # those below `low` fit, from `high` on none does
        while low < high:
            middle = (low + high) // 2
            if fits(at(middle)):
                low = middle + 1
            else:
                high = middle
        return low

    def neighbours(self, design: Design) -> Iterator[Design]:
        """Iterate over the designs that differ in one option that counts."""
        vector = self.encode(design)
        for position, (options, counts) in enumerate(zip(self.choices, self.active(vector), strict=True)):
            for option in range(options if counts else 0):
                if option != vector[position]:
                    yield self.decode((*vector[:position], option, *vector[position + 1 :]))

    def active(self, vector: Sequence[int]) -> tuple[bool, ...]:
        """Say of each position whether it counts, given the number of cells."""
        count = self.cells[vector[3]]
        each = len(pairs(self.wiring.nodes))
        return (
            *(True,) * 8,
            *(k < count - 1 for k in range(self.most_cells - 1)),
            *(k < count for k in range(self.most_cells)),
            *(k < count for k in range(self.most_cells) for _ in range(each)),
        )


def _grown(width: int, growths: Sequence[float]) -> tuple[int, ...]:
    widths = [width]
    for growth in growths:
        widths.append(widths[-1] if growth == 1 else _EVEN * round(widths[-1] * growth / _EVEN))
    return tuple(widths)
