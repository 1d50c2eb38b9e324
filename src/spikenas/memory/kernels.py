"""Describes the kernels of a device, one record each: code, descriptors and tables of constants, and what they do.

Their C is in `deployment/c/firmware/`. What they compute are rows, by the kernel's name, of `integers.reference`,
`integers.tensors` and `integers.bounds`; how they are called is a row of `deployment.c.source`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Literal

from spikenas.space.plan import LayerSpec, Plan

if TYPE_CHECKING:
    from spikenas.memory.program import Program, Step

ALIGNMENT_BYTES = 4

BufferKind = Literal["input", "membrane", "spikes", "activations", "map", "feedback", "accumulator", "scratch"]


@dataclass(frozen=True)
class Table:
    """Describes the constants of one kind that a step reads.

    Attributes:
        layer: The layer, or the map, that they belong to.
        name: What they are: weight, ratio, bias, zero, threshold, neurons.
        integers: What an element is made of, by the names that an integer network's constants have.
        shape: Shape of each of these.
        bits: Bits of an element.
        filled: The shape in which a device has them, filled up with zeros; empty where nothing is.
    """

    layer: str
    name: str
    integers: tuple[str, ...]
    shape: tuple[int, ...]
    bits: int
    filled: tuple[int, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return the aligned size."""
        return aligned(-(-prod(self.filled or self.shape) * self.bits // 8))


@dataclass(frozen=True)
class Kernel:
    """Holds the facts of one kernel.

    Attributes:
        name: Its name in programs.
        reads: What the buffer that it reads holds; None where it reads none.
        writes: What the buffer that it writes holds: a map, spikes, activations or an accumulator.
        begins: Whether what was in the written buffer is lost; the others add to it.
        descriptor_bytes: Size of its descriptor, with pointers of 4 bytes; 0 where it is called without one.
        tables: For each table of the layer's constants what makes it.
        scalars: Single integers of the layer that its descriptor holds, by the names that a network's constants have.
        shares: The kernel whose descriptor type it uses; empty where it has its own.
        function: Name of its C function, where that is another; `{}` is the bits of its weights.
        planes: Whether numbers of spikes, in planes of bits, have a C function of their own.
        membrane: Whether it has membranes, whose potentials stay for the next timestep.
        reset: The C function that sets its membranes before the first timestep; None where they begin as 0.
        own_scale: Whether its sums are in a scale of their own, and not in that of the map that it writes.
        pools: Pixels whose mean is one pixel of the map.
        rounds: Whether it adds a rounded mean, which may be 1 beyond the bounds of what it reads.
        scratch: Elements of 16 bits that it works in, by its layer; None where it needs none.
    """

    name: str
    reads: BufferKind | None
    writes: BufferKind
    begins: bool
    descriptor_bytes: int
    tables: tuple[Callable[[LayerSpec], Table], ...] = ()
    scalars: tuple[str, ...] = ()
    shares: str = ""
    function: str = ""
    planes: bool = False
    membrane: bool = False
    reset: str | None = None
    own_scale: bool = False
    pools: int = 1
    rounds: bool = False
    scratch: Callable[[LayerSpec], int] | None = None

    @property
    def fires(self) -> bool:
        """Return whether it computes neurons: spikes or activations."""
        return self.writes in ("spikes", "activations")

    @property
    def weighted(self) -> bool:
        """Return whether it has weights."""
        return not _WEIGHTS.isdisjoint(self.tables)

    @property
    def struct(self) -> str | None:
        """Return the C type of its descriptor; None where it is called without one."""
        return f"snn_{self.shares or self.name}_t" if self.descriptor_bytes else None


def rounded_up(number: int, to: int) -> int:
    """Round up to a multiple."""
    return -(-number // to) * to


def aligned(size_bytes: int) -> int:
    """Round up to a multiple of what buffers and tables begin at."""
    return rounded_up(size_bytes, ALIGNMENT_BYTES)


def _weight(layer: LayerSpec) -> Table:
    window = (layer.in_shape[0] // layer.groups, layer.kernel, layer.kernel)
    inputs = window if layer.kind == "conv" else (prod(layer.in_shape),)
    return Table(layer.name, "weight", ("weight",), (layer.shape[0], *inputs), layer.bits)


def _rows(layer: LayerSpec) -> Table:
    """Return the weights of each input and place of a window: those of all outputs in whole words."""
    outputs = rounded_up(layer.shape[0], 32 // layer.bits)
    return replace(_weight(layer), filled=(_window(layer), outputs))


def _pairs(layer: LayerSpec) -> Table:
    """Return the weights of two outputs each, of windows that fill whole units."""
    return replace(_weight(layer), filled=(-(-layer.shape[0] // 2), 2, _columns(layer) // 2))


def _ratio(layer: LayerSpec) -> Table:
    return Table(layer.name, "ratio", ("shift", "mul"), _outputs(layer), 32)


def _bias(layer: LayerSpec) -> Table:
    return Table(layer.name, "bias", ("bias",), _outputs(layer), 32)


def _outputs(layer: LayerSpec) -> tuple[int, ...]:
    return layer.in_shape if layer.kind == "vote" else layer.shape[:1]


def _zero(layer: LayerSpec) -> Table:
    return Table(layer.name, "zero", (), layer.in_shape[:1], 16)


def _threshold(layer: LayerSpec) -> Table:
    return Table(layer.name, "threshold", ("threshold",), layer.shape[:1], 16)


def _neurons(layer: LayerSpec) -> Table:
    return Table(layer.name, "neurons", ("threshold", "reset", "sign"), layer.shape[:1], 48)


def _window(layer: LayerSpec) -> int:
    """Return the inputs that one output of the layer depends on."""
    return layer.in_shape[0] * layer.kernel * layer.kernel


def _columns(layer: LayerSpec) -> int:
    """Return the inputs of two outputs, each in whole units of what is multiplied at a time."""
    return 2 * rounded_up(_window(layer), unit_of(layer.bits))


def unit_of(bits: int) -> int:
    """Return the inputs that are multiplied at a time, with weights of so many bits."""
    return max(8, 32 // bits)


def _list(layer: LayerSpec) -> int:
    """Return the room for the spikes around a row of outputs, and for where each column of them begins."""
    channels, _, width = layer.in_shape
    column = layer.kernel * channels
    return width + 1 + max(layer.kernel * column, min(width * column, LISTED))


LISTED = 960  # spikes that are listed at a time where there are so many, unless those around one output can be more
_WEIGHTS = {_weight, _rows, _pairs}
_SUMS = (_pairs, _ratio)
KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("stem", "input", "map", True, 40, (*_SUMS, _zero), own_scale=True, scratch=_columns),
        Kernel("fill", None, "map", True, 16),
        Kernel("add", "map", "map", False, 20),
        Kernel("avgpool", "map", "map", False, 20, rounds=True),
        Kernel("lif", "map", "spikes", True, 24, (_threshold,), ("drop",), membrane=True),
        Kernel("lif_bn", "map", "spikes", True, 24, (_neurons,), ("drop",), "lif", membrane=True, reset="lif_bn_reset"),
        Kernel("lif_wide", "accumulator", "spikes", True, 24, (_threshold,), ("drop", "shift"), membrane=True),
        Kernel("ilif", "map", "spikes", True, 32, (_ratio,), membrane=True),
        Kernel("ilif_bn", "map", "spikes", True, 32, (_ratio, _bias), shares="ilif", function="ilif", membrane=True),
        Kernel("ilif_once", "map", "spikes", True, 24, (_ratio,)),
        Kernel("ilif_once_bn", "map", "spikes", True, 24, (_ratio, _bias), shares="ilif_once", function="ilif_once"),
        Kernel("relu", "map", "activations", True, 24, (_ratio,)),
        Kernel("relu_bn", "map", "activations", True, 24, (_ratio, _bias), shares="relu", function="relu"),
        Kernel("conv", "spikes", "map", False, 32, (_rows,), function="conv{}", scratch=_list),
        Kernel("conv_pool", "spikes", "map", False, 32, (_rows,), (), "conv", "conv{}", pools=4, scratch=_list),
        Kernel("depthwise", "spikes", "map", False, 32, (_weight,), shares="conv", planes=True),
        Kernel("dense", "activations", "map", False, 32, _SUMS, function="dense{}", own_scale=True, scratch=_columns),
        Kernel(
            "dense_pool",
            "activations",
            "map",
            False,
            32,
            _SUMS,
            (),
            "dense",
            "dense{}",
            own_scale=True,
            pools=4,
            scratch=_columns,
        ),
        Kernel("dense_depthwise", "activations", "map", False, 32, (_weight, _ratio), shares="dense", own_scale=True),
        Kernel("pointwise", "map", "map", False, 28, _SUMS, function="pointwise{}", own_scale=True, scratch=_columns),
        Kernel("count", "spikes", "accumulator", False, 16, planes=True),
        Kernel("total", "activations", "accumulator", False, 16),
        Kernel("linear", "spikes", "accumulator", False, 28, (_weight,), own_scale=True),
        Kernel("scores", "accumulator", "accumulator", True, 28, (_weight, _ratio, _bias), own_scale=True),
        Kernel("votes", "accumulator", "accumulator", True, 20, (_ratio, _bias)),
        Kernel("zero", None, "accumulator", True, 0, function="memset"),
        Kernel("copy", "map", "map", True, 0, function="memcpy"),
    )
}


def scratch_elements(plan: Plan, step: Step) -> int:
    """Return the elements of 16 bits that a step works in."""
    make = step.record.scratch
    return make(plan.by_name[step.layer]) if make else 0


def bit_planes(plan: Plan) -> int:
    """Return how many bits hold the number of spikes that a neuron sends in one timestep."""
    return plan.levels.bit_length()


def kernel_name(plan: Plan, step: Step) -> str:
    """Return the C function of a step; convolutions have one each for weights of 8, 4 and 2 bits."""
    return function_of(step.record, plan.by_name[step.layer].bits, bit_planes(plan))


def function_of(kernel: Kernel, bits: int, planes: int) -> str:
    """Return the C function of a kernel, for weights of so many bits, and so many bit planes."""
    name = (kernel.function or kernel.name).format(bits)
    return f"{name}_planes" if kernel.planes and planes > 1 else name


def tables(plan: Plan, step: Step) -> dict[str, Table]:
    """Return the tables of a step by name: its kernel's, and the biases that it puts into a map."""
    layer = plan.by_name[step.layer]
    found = [make(layer) for make in step.record.tables]
    if step.biases:
        found.append(Table(step.writes, "bias", ("bias",), layer.shape[:1], 16))
    return {table.name: table for table in found}


def weight_halvings(plan: Plan, step: Step) -> int:
    """Return how often weights of few bits, which are the high bits of 8, are halved where they are added to a map.

    Those that are averaged over pixels count so many times less, or they would be coarser than the others of their map;
    and those that several spikes of a neuron add, or the worst sums would leave no room for them in 16 bits.
    """
    if step.record.own_scale:
        return 0
    halvings = (step.record.pools.bit_length() - 1) + (bit_planes(plan) - 1 if step.record.reads == "spikes" else 0)
    return min(8 - plan.by_name[step.layer].bits, halvings)


def weight_steps(program: Program) -> dict[str, int]:
    """Return by layer what neighbouring weights differ by, in units of their map, or of their sum."""
    plan = program.plan
    return {
        step.layer: 1 << 8 - plan.by_name[step.layer].bits - weight_halvings(plan, step)
        for step in program.steps
        if step.record.weighted
    }
