"""The RAM of a plan: its buffers, when each is live, and what that comes to.

The schedule is the plan's order of layers: the static ones once, then all others at every timestep. Rules:

- A LIF keeps one membrane potential per neuron for the whole inference. It reads its input through the scale and bias
  of a BatchNorm that does not fold, so a BatchNorm never has a buffer of its own.
- Spikes that one layer reads are passed on as they arise: scattered by a convolution, added up by a pooling or a linear
  layer. What the LIF reads and what that layer writes are then live together. Spikes that several layers read are kept
  as one bit per neuron.
- What only a `sum` reads, once and undelayed, is accumulated into the sum's map; what only an average pooling reads,
  into the pooled map.
- A static map that is read at every timestep stays for all of them. Every other map lives from the first write to the
  last read.
- What a delayed term reads stays until the next timestep: in its own map where nothing else reads it and it is read
  before it is written again, else in a copy.
- Accumulators of pooled spikes and of linear layers are 32 bits wide and stay.
- Buffers start at multiples of 4 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from spikenas.space.plan import LayerSpec, Plan, Term

ACCUMULATOR_BITS = 32
INPUT_BITS = 8
ALIGNMENT_BYTES = 4
STACK_BYTES = 512

BufferKind = Literal["input", "membrane", "spikes", "map", "static map", "feedback", "accumulator"]


@dataclass(frozen=True)
class Buffer:
    """Memory that one layer's result or state takes.

    Attributes:
        layer: The layer it belongs to.
        kind: What it holds.
        size_bytes: Aligned size.
        first: Step that writes it first (index into the plan's layers).
        last: Step that reads it last.
        persistent: Whether it must survive from one timestep to the next.
    """

    layer: str
    kind: BufferKind
    size_bytes: int
    first: int
    last: int
    persistent: bool


@dataclass(frozen=True)
class Schedule:
    """The buffers of a plan over its steps.

    Attributes:
        steps: Names of the layers, in order.
        buffers: Every buffer.
    """

    steps: tuple[str, ...]
    buffers: tuple[Buffer, ...]

    @cached_property
    def persistent_bytes(self) -> int:
        """Bytes that are taken all the time, stack included."""
        return STACK_BYTES + sum(buffer.size_bytes for buffer in self.buffers if buffer.persistent)

    @cached_property
    def live_bytes(self) -> tuple[int, ...]:
        """Bytes in use at each step."""
        return tuple(
            self.persistent_bytes
            + sum(b.size_bytes for b in self.buffers if not b.persistent and b.first <= step <= b.last)
            for step in range(len(self.steps))
        )

    @property
    def ram_bytes(self) -> int:
        """The peak."""
        return max(self.live_bytes)


def schedule(plan: Plan) -> Schedule:
    """Lay out the buffers of a plan by the rules above."""
    index = {layer.name: step for step, layer in enumerate(plan.layers)}
    homes = {layer.name: _home(plan, layer) for layer in plan.layers}
    spans: dict[str, tuple[int, int, bool]] = {}
    for layer in plan.layers:
        home = homes[layer.name]
        if home is None:
            continue
        step = index[layer.name]
        reads = [step, *(_last_read(plan, index, reader) for reader in _users(plan, layer))]
        kept = layer.static and any(not reader.static for reader in _users(plan, layer))
        first, last, persistent = spans.get(home, (step, step, False))
        spans[home] = min(first, step), max(last, *reads), persistent or kept
    buffers = []
    for layer in plan.layers:
        step = index[layer.name]
        if layer.kind == "lif":
            buffers.append(
                Buffer(layer.name, "membrane", _bytes(layer.size, plan.network.membrane_bits), step, step, True)
            )
        if layer.name in spans:
            kind, bits = _content(plan, layer)
            first, last, persistent = spans[layer.name]
            if _keeps_itself(plan, index, layer):
                kind = "feedback"
            persistent = persistent or kind in ("accumulator", "feedback")
            buffers.append(Buffer(layer.name, kind, _bytes(layer.size, bits), first, last, persistent))
        if _delayed(plan, layer) and not _keeps_itself(plan, index, layer):
            buffers.append(Buffer(layer.name, "feedback", _bytes(layer.size, plan.network.map_bits), step, step, True))
    return Schedule(tuple(layer.name for layer in plan.layers), tuple(buffers))


def _home(plan: Plan, layer: LayerSpec) -> str | None:
    """The layer whose buffer a layer's output is written to; None when it needs no buffer."""
    if layer.kind == "batchnorm" and not plan.folds(layer):
        return None
    readers = plan.readers[layer.name]
    if layer.kind == "lif":
        return layer.name if sum(not term.delayed for _, term in readers) > 1 else None
    if len(readers) == 1 and not readers[0][1].delayed and _passes_on(plan, layer, *readers[0]):
        return _home(plan, readers[0][0])
    return layer.name


def _passes_on(plan: Plan, layer: LayerSpec, reader: LayerSpec, term: Term) -> bool:
    """Whether a layer writes straight into its only reader's buffer."""
    if reader.kind == "batchnorm":
        return layer.kind in ("conv", "sum", "batchnorm") and plan.folds(reader)
    if reader.kind == "sum":
        return layer.kind in ("batchnorm", "avgpool") and term.times == 1 and reader.static == layer.static
    if reader.kind == "avgpool":
        return layer.kind == "batchnorm"
    return layer.kind in ("avgpool", "dropout") and reader.kind in ("dropout", "linear")


def _users(plan: Plan, layer: LayerSpec) -> list[LayerSpec]:
    """Who reads a layer in the same timestep; a BatchNorm that does not fold stands for the LIF that applies it."""
    found: list[LayerSpec] = []
    for reader, term in plan.readers[layer.name]:
        if reader.kind == "batchnorm" and not plan.folds(reader):
            found.extend(_users(plan, reader))
        elif not term.delayed:
            found.append(reader)
    return found


def _delayed(plan: Plan, layer: LayerSpec) -> bool:
    return any(term.delayed for _, term in plan.readers[layer.name])


def _keeps_itself(plan: Plan, index: dict[str, int], layer: LayerSpec) -> bool:
    """Whether a layer's own map can carry it into the next timestep."""
    readers = plan.readers[layer.name]
    return _delayed(plan, layer) and all(
        term.delayed and index[reader.name] < index[layer.name] for reader, term in readers
    )


def _last_read(plan: Plan, index: dict[str, int], reader: LayerSpec) -> int:
    """The last step at which a reader needs its input: a LIF without a buffer reads while its spikes are passed on."""
    if reader.kind == "lif" and _home(plan, reader) is None:
        return max((index[user.name] for user in _users(plan, reader)), default=index[reader.name])
    return index[reader.name]


def _content(plan: Plan, layer: LayerSpec) -> tuple[BufferKind, int]:
    if layer.kind == "input":
        return "input", INPUT_BITS
    if layer.kind == "lif":
        return "spikes", 1
    if layer.kind in ("linear", "globalpool", "vote"):
        return "accumulator", ACCUMULATOR_BITS
    return "static map" if layer.static else "map", plan.network.map_bits


def _bytes(elements: int, bits: int) -> int:
    size_bytes = -(-elements * bits // 8)
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
