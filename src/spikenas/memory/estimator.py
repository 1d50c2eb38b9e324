"""Estimates what designs take by what their parts take, for a million of them to be compared with limits.

Where nothing outlives a timestep, a network is a chain of parts that share one map or one buffer of spikes each: stem,
cell, reduction, cell, ..., head. What a part takes follows from a few numbers: its channels, its pixels, and for a cell
its graph, whose buffers, tables and calls are read once from a program of two sizes. Other networks are computed whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from math import prod
from typing import NamedTuple

from spikenas.config import DEFAULT_THRESHOLD, NetworkConfig
from spikenas.memory.kernels import KERNELS, BufferKind, Kernel, aligned, function_of, rounded_up, tables, unit_of
from spikenas.memory.lowering import make_program
from spikenas.memory.model import STACK_BYTES, code_sizes, footprint, params
from spikenas.memory.placement import place
from spikenas.memory.program import Buffer, bytes_of
from spikenas.space.building import make_plan
from spikenas.space.cell import Cell
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.plan import InputSpec, LayerSpec

_SKIP = Cell.parse("0-3:skip")
_SIZES = 8, 16  # channels at which a cell is looked at
_KEPT = 100_000  # parts of cells that are remembered
_first: dict[CellGraph, Cell] = {}


class MemoryFigures(NamedTuple):
    """Memory figures are what a network takes, as a `Footprint` says it.

    Attributes:
        params: Learnable parameters.
        flash_bytes: Read-only memory.
        ram_bytes: Working memory.
        instructions: Instructions of one inference; None where they were not asked for.
    """

    params: int
    flash_bytes: int
    ram_bytes: int
    instructions: float | None = None


class Estimator:
    """An estimator says what designs take: params and flash as the memory model does, and RAM nearly so.

    Buffers of a whole program are placed one by one, and so here those of each part. The arena of the whole is that of
    its largest part, unless the order in which it is filled leaves or closes a gap.

    Args:
        network: What designs do not decide.
        input: Classes, and how images are fitted.
        timed: Whether instructions are said too, which takes a plan of each design.
    """

    def __init__(self, network: NetworkConfig, input: InputSpec, timed: bool = False) -> None:
        self._network, self._input, self._timed = network, input, timed

    def __call__(self, design: Design) -> MemoryFigures:
        """Return what a design takes.

        Raises:
            ConfigError: Its image is too small for its cells, or its neurons cannot have its T.
            GenotypeError: A cell has no path from input to output.
        """
        if self._timed or not self._has_parts(design):
            cost = footprint(design.plan(self._network, self._input))
            instructions = cost.instructions if self._timed else None
            return MemoryFigures(cost.params, cost.flash_bytes, cost.ram_bytes, instructions)
        params = flash = arena = 0
        functions: set[str] = set()
        for part, arena_bytes in self._chain(design):
            params += part.params
            flash += part.constant_bytes
            functions |= part.functions
            arena = max(arena, arena_bytes)
        flash += _code(frozenset(functions), design.membrane_bits, self._network.core)
        return MemoryFigures(params, flash, arena + STACK_BYTES)

    def _has_parts(self, design: Design) -> bool:
        """Whether nothing outlives a timestep but what the head counts, and every part has pixels."""
        return (
            self._network.kind == "compact"
            and self._input.static
            and design.timesteps == 1
            and design.neuron != "lif"
            and self._network.v_threshold == DEFAULT_THRESHOLD
            and design.has_pixels
            and all(cell.canonical.connected and not cell.has_feedback for cell in design.genotype.cells)
        )

    def _chain(self, design: Design) -> Iterator[tuple[_Part, int]]:
        """The parts, and the arena while each is computed."""
        core, planes = self._network.core, 0 if design.neuron == "relu" else design.levels.bit_length()
        counted = bytes_of("accumulator", design.widths[-1], 1, 1)
        width, height = (-(-side // design.stem_stride) for side in design.image)
        before, classes = design.widths[0], self._input.classes
        yield (
            _stem(design.colours, before, core),
            _stem_arena(design.image, design.colours, before, width * height, counted),
        )
        for number, cell in enumerate(map(_representative, design.genotype.cells)):
            channels, bits, sent = design.widths[number], design.bits[number], _sent(before, width * height, planes)
            if number:
                wide, width, height = width, width // 2, height // 2
                yield (
                    _reduction(before, channels, bits, planes, core),
                    counted
                    + sent
                    + bytes_of("map", channels, width * height, 1)
                    + _scratch("conv_pool" if planes else "dense_pool", before, 3, wide, bits),
                )
            yield (
                _cell(cell, number == 0, channels, bits, planes, core),
                _arena(cell, number == 0, channels, bits, (width, height), planes, counted),
            )
            before = channels
        sent = _sent(before, width * height, planes)
        yield _head(before, classes, planes, core), counted + max(sent, bytes_of("accumulator", classes, 1, 1))


class _Part(NamedTuple):
    """What a part adds to params and flash, and the C functions that it calls."""

    params: int
    constant_bytes: int
    functions: frozenset[str]


class _Polynomial(NamedTuple):
    """A number that depends on channels: `square * C * C + linear * C`."""

    square: int
    linear: int

    @classmethod
    def through(cls, small: int, large: int) -> _Polynomial:
        """Return the one that has these values at `_SIZES`."""
        few, many = _SIZES
        square, rest = divmod(large * few - small * many, few * many * (many - few))
        linear, more = divmod(small - square * few * few, few)
        if rest or more:
            raise ValueError(f"{small} and {large} at {few} and {many} channels are no such polynomial")
        return cls(square, linear)

    def __call__(self, channels: int) -> int:
        return (self.square * channels + self.linear) * channels


class _Structure(NamedTuple):
    """What a cell consists of, for any number of channels and pixels.

    Attributes:
        params: Learnable parameters.
        kernels: What is called, in order.
        tables: Elements of each table, their bits, 0 for those of the cell's weights, and how many sides it has where a
            device fills it up: 2, rows of outputs, or 3, pairs of outputs; else 0.
        buffers: What each buffer holds, the first and last call that it is needed at, the first one's kernel, and the
            side of its windows.
        begin: The first call that is repeated at every timestep, from which on the head's accumulators are there.
    """

    params: _Polynomial
    kernels: tuple[Kernel, ...]
    tables: tuple[tuple[_Polynomial, int, int], ...]
    buffers: tuple[tuple[BufferKind, int, int, str, int], ...]
    begin: int


@cache
def _structure(cell: Cell, is_first: bool, dense: bool) -> _Structure:
    """Read a cell from two networks that have it in their last place.

    Its calls are those behind the stem or the reduction, and before what the head counts.
    """
    neuron = "relu" if dense else "ilif"
    genotype = Genotype((cell,)) if is_first else Genotype((_SKIP, cell))
    side = 8 if is_first else 16
    looked = []
    for channels in _SIZES:
        widths = (channels,) * len(genotype.cells)
        settings = NetworkConfig(cells=len(widths), channels=channels, widths=widths, stem_stride=1, neuron=neuron)
        plan = make_plan(genotype, settings, InputSpec(1, side, side, 2))
        program = make_program(plan)
        names = [step.kernel for step in program.steps]
        start = 1 + names.index("stem" if is_first else "dense_pool" if dense else "conv_pool")
        end = names.index("total" if dense else "count")
        steps = program.steps[start:end]
        sizes = [
            (prod(t.shape), 0 if t.name == "weight" else t.bits, len(t.filled))
            for s in steps
            for t in tables(plan, s).values()
        ]
        own = sum(params(layer) for layer in plan.stages.get(f"cell{len(widths)}", ()))
        looked.append((own, sizes))
    (few, small), (many, large) = looked
    buffers = [
        (
            *(one.kind, max(0, one.first - start), one.last - start),
            *(program.steps[one.first].kernel, plan.by_name[one.layer].kernel),
        )
        for one in program.buffers
        if one.first < end and one.last >= start and one.name not in program.begin_as_zero
    ]
    return _Structure(
        _Polynomial.through(few, many),
        tuple(step.record for step in steps),
        tuple(
            (_Polynomial.through(few, many), bits, filled)
            for (few, bits, filled), (many, _, _) in zip(small, large, strict=True)
        ),
        tuple((kind, first, min(last, end - start - 1), kernel, side) for kind, first, last, kernel, side in buffers),
        next(number for number, step in enumerate(steps) if step.phase == "each"),
    )


@cache
def _representative(cell: Cell) -> Cell:
    """Return the first cell that was asked about of those that are equal networks."""
    return _first.setdefault(cell.canonical, cell)


@lru_cache(_KEPT)
def _cell(cell: Cell, is_first: bool, channels: int, bits: int, planes: int, core: str) -> _Part:
    found = _structure(cell, is_first, planes == 0)
    constants = _calls(found.kernels, core) + sum(
        aligned(-(-(_filled(count, channels, bits, filled) if filled else count(channels)) * (own or bits) // 8))
        for count, own, filled in found.tables
    )
    functions = frozenset(function_of(kernel, bits, planes) for kernel in found.kernels)
    return _Part(found.params(channels), constants, functions)


def _filled(count: _Polynomial, channels: int, bits: int, sides: int) -> int:
    """Return the weights of a convolution as a device has them."""
    if sides == 2:
        return count.square * channels * rounded_up(channels, 32 // bits)
    return rounded_up(channels, 2) * rounded_up(count.square * channels, unit_of(bits))


def _arena(
    cell: Cell, is_first: bool, channels: int, bits: int, image: tuple[int, int], planes: int, counted: int
) -> int:
    if is_first and _structure(cell, is_first, planes == 0).begin:
        return _placed(cell, is_first, channels, bits, image, planes, counted)
    return counted + _placed(cell, is_first, channels, bits, image, planes, 0)


@lru_cache(_KEPT)
def _placed(
    cell: Cell, is_first: bool, channels: int, bits: int, image: tuple[int, int], planes: int, counted: int
) -> int:
    found = _structure(cell, is_first, planes == 0)
    sizes = (
        _scratch(kernel, channels, side, image[0], bits)
        if kind == "scratch"
        else bytes_of(kind, channels, prod(image), planes)
        for kind, _, _, kernel, side in found.buffers
    )
    buffers = [
        Buffer(str(number), "", kind, size, first, last)
        for number, (size, (kind, first, last, *_)) in enumerate(zip(sizes, found.buffers, strict=True))
    ]
    zeroed = Buffer("counted", "", "accumulator", counted, found.begin, len(found.kernels))
    return place(buffers, [zeroed], {"counted": 0})[0]


@cache
def _code(functions: frozenset[str], membrane_bits: int, core: str) -> int:
    """Return the bytes of code but for calls: of the base, and of these C functions."""
    sizes = code_sizes()[core]
    kernels = sizes[str(membrane_bits)]
    return sizes["base"]["base"] + sum(kernels.get(name, 0) for name in functions)


@cache
def _stem(colours: int, channels: int, core: str) -> _Part:
    kernel, layer = KERNELS["stem"], _conv(colours, channels, 8)
    constants = _calls((kernel,), core) + _tables(kernel, layer) + _biases(channels)
    return _Part(layer.weights + 2 * channels, constants, frozenset({kernel.name}))


@cache
def _stem_arena(image: tuple[int, int], colours: int, channels: int, pixels: int, counted: int) -> int:
    """The image is there once, the accumulators of the head from the first timestep on, and the map at both."""
    buffers = [
        Buffer("input", "", "input", bytes_of("input", colours, prod(image), 1), 0, 0),
        Buffer("window", "", "scratch", _worked_in(KERNELS["stem"], _conv(colours, channels, 8)), 0, 0),
        Buffer("map", "", "map", bytes_of("map", channels, pixels, 1), 0, 1),
    ]
    return place(buffers, [Buffer("counted", "", "accumulator", counted, 1, 1)], {"counted": 0})[0]


@cache
def _reduction(before: int, channels: int, bits: int, planes: int, core: str) -> _Part:
    kernel, layer = KERNELS["conv_pool" if planes else "dense_pool"], _conv(before, channels, bits)
    kernels = KERNELS["fill"], kernel
    return _Part(
        2 * before + layer.weights + 2 * channels,
        _calls(kernels, core) + _tables(kernel, layer) + _biases(channels),
        frozenset({"fill", function_of(kernel, bits, planes)}),
    )


@cache
def _head(channels: int, classes: int, planes: int, core: str) -> _Part:
    kernels = KERNELS["count" if planes else "total"], KERNELS["scores"]
    layer = LayerSpec("", "linear", (), (channels,), (classes,), "", False, bias=True)
    return _Part(
        2 * channels + params(layer),
        _calls(kernels, core) + _tables(kernels[1], layer),
        frozenset(function_of(kernel, 8, planes) for kernel in kernels),
    )


def _sent(channels: int, pixels: int, planes: int) -> int:
    return bytes_of("spikes" if planes else "activations", channels, pixels, planes)


@cache
def _scratch(kernel: str, channels: int, side: int, width: int, bits: int) -> int:
    """Return the bytes that a convolution of so many channels works in."""
    shape = (channels, 1, width)
    layer = LayerSpec("", "conv", (), shape, shape, "", False, kernel=side, bits=bits)
    return _worked_in(KERNELS[kernel], layer)


def _worked_in(kernel: Kernel, layer: LayerSpec) -> int:
    return aligned(2 * kernel.scratch(layer)) if kernel.scratch else 0


def _conv(before: int, channels: int, bits: int) -> LayerSpec:
    return LayerSpec("", "conv", (), (before, 1, 1), (channels, 1, 1), "", False, kernel=3, bits=bits)


def _calls(kernels: tuple[Kernel, ...], core: str) -> int:
    return code_sizes()[core]["base"]["call"] * len(kernels) + sum(kernel.descriptor_bytes for kernel in kernels)


def _tables(kernel: Kernel, layer: LayerSpec) -> int:
    return sum(make(layer).size_bytes for make in kernel.tables)


def _biases(channels: int) -> int:
    return aligned(2 * channels)
