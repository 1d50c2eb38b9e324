"""Describes programs: the kernels that a device runs, in order, and the buffers between them.

The memory model, the integer networks and the C exporter walk them, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from spikenas.memory.kernels import KERNELS, BufferKind, Kernel, aligned, bit_planes, scratch_elements
from spikenas.space.plan import Plan

MAP_BITS = 16
MAP_MAX = (1 << MAP_BITS - 1) - 1
ACCUMULATOR_BITS = 32
INPUT_BITS = 8
ACTIVATION_BITS = 8

Phase = Literal["once", "each", "last"]


@dataclass(frozen=True)
class Step:
    """Describes one call of a kernel.

    Attributes:
        kernel: Its name; `add` adds `times` a map, and biases where nothing has begun the map with them.
        layer: The plan's layer whose constants it uses.
        reads: Buffers that it reads.
        writes: The buffer that it writes.
        times: Factor of `add`.
        biases: Whether it puts the map's biases in.
        phase: Before the first timestep, at each, or after the last.
    """

    kernel: str
    layer: str
    reads: tuple[str, ...]
    writes: str
    times: int = 1
    biases: bool = False
    phase: Phase = "each"

    @property
    def record(self) -> Kernel:
        """Return the facts of its kernel."""
        return KERNELS[self.kernel]

    @property
    def fires(self) -> bool:
        """Return whether it computes neurons: spikes or activations."""
        return self.record.fires

    @property
    def begins(self) -> bool:
        """Return whether what was in the written buffer is lost."""
        return self.record.begins


@dataclass(frozen=True)
class Buffer:
    """Describes the memory of one result or state.

    Attributes:
        name: The layer's name, with `.membrane`, `.spikes`, `.activations`, `.last` or `.scratch` where it is not the
            layer's map.
        layer: The layer it belongs to.
        kind: What it holds; `feedback` is a map that stays for the next timestep.
        size_bytes: Aligned size.
        first: Step that writes it first.
        last: Step that needs it last.
    """

    name: str
    layer: str
    kind: BufferKind
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Program:
    """Describes what a device does for one inference.

    Attributes:
        plan: The network.
        steps: The steps of phase `once`, then `each`, which are repeated for every timestep, then `last`.
        homes: For each layer whose result is a map, the layer in whose map it is; a BatchNorm that does not fold has
            that of its source.
        aliases: Maps that are written over another one, whose buffer they use.
        fed_back: Buffers that carry a result into the next timestep.
    """

    plan: Plan
    steps: tuple[Step, ...]
    homes: dict[str, str]
    aliases: dict[str, str]
    fed_back: frozenset[str]

    def buffer_of(self, name: str) -> str:
        """Return the name of the buffer in which a map or another result is."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """Return all buffers, in the order in which they are first written."""
        loop = [index for index, step in enumerate(self.steps) if step.phase == "each"]
        begin, end = loop[0], loop[-1]
        spans = {"input": (0, 0) if self.plan.input.static else (begin, begin)}
        stays: set[str] = set()
        for index, step in enumerate(self.steps):
            written = self.buffer_of(step.writes)
            for name in {self.buffer_of(read) for read in step.reads} - {written}:
                first, _ = spans.get(name, (index, index))
                spans[name] = (first, index)
                if first < begin <= index and self.plan.network.timesteps > 1:
                    stays.add(name)
            first, _ = spans.get(written, (index, index))
            spans[written] = (first, index)
            if step.record.membrane:
                spans[f"{step.layer}.membrane"] = (begin, end)
            if (name := f"{step.layer}.scratch") in self._scratch:
                spans[name] = (index, index)
        kinds = self._kinds
        for name, (first, last) in spans.items():
            if name in stays:
                spans[name] = (first, max(last, end))
            elif kinds[name] == "feedback" or name in self.sums_over_time:
                spans[name] = (min(first, begin), max(last, end))
        return tuple(self._buffer(name, kinds[name], *span) for name, span in spans.items())

    @cached_property
    def sums_over_time(self) -> frozenset[str]:
        """Return the accumulators that no timestep begins anew."""
        begun = {step.writes for step in self.steps if step.begins}
        return frozenset(step.writes for step in self.steps if step.record.writes == "accumulator") - begun

    @cached_property
    def begin_as_zero(self) -> frozenset[str]:
        """Return the buffers that hold 0 before the first timestep.

        All that stay do, but membranes that reset to something else.
        """
        resets = {f"{step.layer}.membrane" for step in self.steps if step.record.reset}
        return frozenset(
            name
            for name, kind in self._kinds.items()
            if kind == "feedback" or name in self.sums_over_time or (kind == "membrane" and name not in resets)
        )

    @cached_property
    def _kinds(self) -> dict[str, BufferKind]:
        kinds: dict[str, BufferKind] = {"input": "input"}
        for step in self.steps:
            kinds.setdefault(self.buffer_of(step.writes), step.record.writes)
            if step.record.membrane:
                kinds[f"{step.layer}.membrane"] = "membrane"
        kinds |= dict.fromkeys(self._scratch, "scratch")
        return kinds | dict.fromkeys(self.fed_back, "feedback")

    @cached_property
    def _scratch(self) -> dict[str, int]:
        """Return the bytes of each buffer that one step alone works in."""
        elements = {f"{step.layer}.scratch": scratch_elements(self.plan, step) for step in self.steps}
        return {name: aligned(count * MAP_BITS // 8) for name, count in elements.items() if count}

    def _buffer(self, name: str, kind: BufferKind, first: int, last: int) -> Buffer:
        layer = self.plan.by_name.get(name) or self.plan.by_name[name.rpartition(".")[0]]
        channels = layer.shape[0] if len(layer.shape) == 3 else layer.size
        planes, membrane_bits = bit_planes(self.plan), self.plan.network.membrane_bits
        size_bytes = self._scratch.get(name) or bytes_of(kind, channels, layer.size // channels, planes, membrane_bits)
        return Buffer(name, layer.name, kind, size_bytes, first, last)


def bytes_of(kind: BufferKind, channels: int, pixels: int, planes: int, membrane_bits: int = 16) -> int:
    """Return the aligned size of a buffer.

    Args:
        kind: What it holds.
        channels: Channels, or numbers where there are no pixels.
        pixels: Pixels of a channel.
        planes: Bits that hold what a neuron sends.
        membrane_bits: Bits of a membrane potential.
    """
    if kind == "spikes":  # each plane of each pixel begins with a byte of its own
        return aligned(pixels * planes * -(-channels // 8))
    bits = {
        "input": INPUT_BITS,
        "membrane": membrane_bits,
        "activations": ACTIVATION_BITS,
        "accumulator": ACCUMULATOR_BITS,
    }.get(kind, MAP_BITS)
    return aligned(channels * pixels * bits // 8)
