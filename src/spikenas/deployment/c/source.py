"""Writes a network as C: constants, descriptors and straight-line calls. The kernels are in `firmware/`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DeployError
from spikenas.deployment.c.header import (
    PREFIX,
    digest_of_kernels,
    membranes_header,
    network_header,
    stem_of,
    with_prefix,
)
from spikenas.integers.folding import pooled_before
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.memory.kernels import (
    Table,
    bit_planes,
    kernel_name,
    scratch_elements,
    tables,
    unit_of,
    weight_halvings,
    weight_steps,
)
from spikenas.memory.placement import Arena, make_arena
from spikenas.memory.program import ACCUMULATOR_BITS, MAP_BITS, Step
from spikenas.space.plan import LayerSpec

_PER_LINE = 24
_LARGEST = 65535  # number that a descriptor or a list holds
_TYPES = {"weight": "uint8_t", "ratio": "snn_ratio_t", "neurons": "int16_t"}  # others are integers of their bits
_HALVES = (0, 2, 1, 3)  # numbers of those of four weights that are in bytes 0 to 3 of a word, as gather.c adds them
_BYTES = (0, 1, 2, 3)  # and as dense.c multiplies them


def pack(weights: Integers, bits: int, step: int, biased: bool = False) -> NDArray[np.uint8]:
    """Pack multiples of a step into bytes, in order: the first in the lowest bits, the last byte filled with 0."""
    codes = weights.reshape(-1) // step + (1 << bits - 1 if biased else 0) & (1 << bits) - 1
    each = 8 // bits
    padded = np.zeros(ceil(len(codes) / each) * each, dtype=np.int64)
    padded[: len(codes)] = codes
    shifted = padded.reshape(-1, each) << np.arange(each) * bits
    packed: NDArray[np.uint8] = shifted.sum(1).astype(np.uint8)
    return packed


def network_source(network: IntegerNetwork, arena: Arena, prefix: str = PREFIX) -> str:
    """Return the C of a network, whose names begin with a prefix."""
    return with_prefix(_Writer(network, arena).text(), prefix).replace('"network.h"', f'"{stem_of(prefix)}.h"')


def frames_of(network: IntegerNetwork, frames: Integers) -> NDArray[np.uint8]:
    """Return input as the firmware takes it: [frames, H, W, C] bytes of [frames, C, H, W]."""
    return np.ascontiguousarray(frames.astype(np.uint8).transpose(0, 2, 3, 1))


@dataclass(frozen=True)
class _Call:
    """A step, and the tables that are written before the others of its descriptor."""

    step: Step
    layer: LayerSpec
    own: dict[str, Integers]
    tables: dict[str, Table]
    bias: str
    ratio: str

    @property
    def pixels(self) -> int:
        return prod(self.layer.shape[1:])


@dataclass
class _Writer:
    network: IntegerNetwork
    arena: Arena
    tables: list[str] = field(default_factory=list)
    written: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.steps = weight_steps(self.network.program)

    def text(self) -> str:
        program = self.network.program
        calls: dict[str, list[str]] = {"once": [], "each": [], "last": []}
        resets = []
        for number, step in enumerate(program.steps):
            kernel, function = step.record, kernel_name(program.plan, step)
            fields = ", ".join(map(str, FIELDS[step.kernel](self, self.call(step))))
            if kernel.struct is None:
                calls[step.phase].append(f"{function}({fields});")
                continue
            self.tables.append(f"static const {kernel.struct} step{number} = {{{fields}}}; /* {step.layer} */")
            calls[step.phase].append(f"snn_{function}(&step{number});")
            if kernel.reset:
                resets.append(f"snn_{kernel.reset}(&step{number});")
        start = list(calls["once"])
        if self.arena.zeroed_bytes:
            start.append(f"memset(arena, 0, {self.arena.zeroed_bytes});")
        static = self.network.plan.input.static
        return "\n".join([
            '#include "network.h"',
            "",
            "#include <string.h>",
            "",
            '#include "kernels.h"',
            "",
            f"#if SNN_KERNELS != {digest_of_kernels(self.network)}",
            "#error these are not the kernels of this network: those of another version, or of membranes of other bits",
            "#endif",
            "",
            "static uint8_t arena[SNN_ARENA_BYTES] __attribute__((aligned(4)));",
            "#define AT(type, offset) ((type *)(void *)(arena + (offset)))",
            "",
            *self.tables,
            "",
            _function("uint8_t *snn_input(void)", [f"return {self.at('input')};"]),
            _function("void snn_start(void)", start + resets),
            _function("void snn_step(void)", calls["each"]),
            _function("const int32_t *snn_finish(void)", [
                *calls["last"], f"return AT(const int32_t, {self.offset(program.steps[-1].writes)});"
            ]),
            _function("const int32_t *snn_run(const uint8_t *frames)", [
                *(["memcpy(snn_input(), frames, SNN_FRAME_BYTES);"] if static else []),
                "snn_start();",
                "for (int t = 0; t < SNN_TIMESTEPS; t++) {",
                *([] if static else ["    memcpy(snn_input(), frames + t * SNN_FRAME_BYTES, SNN_FRAME_BYTES);"]),
                "    snn_step();",
                "}",
                "return snn_finish();",
            ]),
        ])  # fmt: skip

    def call(self, step: Step) -> _Call:
        plan = self.network.plan
        own = tables(plan, step)
        bias = self.table(own["bias"]) if "bias" in own else "0"
        ratio = self.table(own["ratio"]) if "ratio" in own else ""
        return _Call(step, plan.by_name[step.layer], self.network.constants.get(step.layer, {}), own, bias, ratio)

    def offset(self, buffer: str) -> int:
        return self.arena.offsets[self.network.program.buffer_of(buffer)]

    def at(self, buffer: str, kind: str = "uint8_t") -> str:
        return f"AT({kind}, {self.offset(buffer)})"

    def read(self, call: _Call, kind: str) -> str:
        return self.at(call.step.reads[0], f"const {kind}")

    def written_map(self, call: _Call) -> str:
        return self.at(call.step.writes, "snn_map_t")

    def written_sums(self, call: _Call) -> str:
        return self.at(call.step.writes, "snn_sum_t")

    def neurons(self, call: _Call) -> list[str]:
        return [self.at(f"{call.step.layer}.membrane", "snn_membrane_t"), self.at(call.step.writes)]

    def leak(self, call: _Call) -> list[int]:
        leak = self.network.leak
        return [leak.mul, leak.shift | int(call.own["drop"][0]) << 4]

    def weights(self, call: _Call, arranged: Integers) -> str:
        own = call.tables["weight"]
        unsigned = call.step.record.writes == "map" and call.step.record.function == "conv{}"
        return self.constant(own, pack(arranged, own.bits, self.steps[own.layer], unsigned))

    def table(self, table: Table) -> str:
        own = self.network.constants[table.layer]
        if table.name == "neurons":
            return self.constant(table, [*own["threshold"], *own["reset"], *own["sign"]])
        rows = zip(*(own[name].reshape(-1) for name in table.integers), strict=True)
        return self.constant(table, (f"{{{', '.join(map(str, row))}}}" if len(row) > 1 else row[0] for row in rows))

    def constant(self, table: Table, values: Iterable[Any]) -> str:
        """The name of a table, which is written where it is first asked for."""
        name = f"{table.layer}.{table.name}".replace(".", "_")
        if name not in self.written:
            self.written.add(name)
            kind = _TYPES.get(table.name, f"int{table.bits}_t")
            texts = [str(value) for value in values]
            lines = [", ".join(texts[at : at + _PER_LINE]) for at in range(0, len(texts), _PER_LINE)]
            body = ",\n    ".join(lines)
            self.tables.append(
                f"static const {kind} {name}[{len(texts)}] __attribute__((aligned(4))) = {{\n    {body}}};"
            )
        return name


def _stem(w: _Writer, call: _Call) -> list[Any]:
    layer = call.layer
    channels, *sides = layer.in_shape
    return [
        w.weights(call, _in_pairs(call)), call.ratio, call.bias,
        w.constant(call.tables["zero"], w.network.zero), w.read(call, "uint8_t"), w.written_map(call),
        w.at(f"{layer.name}.scratch", "int16_t"), *sides, channels, layer.shape[0], layer.kernel, layer.stride,
    ]  # fmt: skip


def _fill(w: _Writer, call: _Call) -> list[Any]:
    return [w.written_map(call), call.bias, call.pixels, call.layer.shape[0]]


def _add(w: _Writer, call: _Call) -> list[Any]:
    pair = [w.written_map(call), w.read(call, "snn_map_t")]
    return [*pair, call.bias, call.pixels, call.layer.shape[0], call.step.times]


def _avgpool(w: _Writer, call: _Call) -> list[Any]:
    k = call.layer.kernel
    channels, *sides = call.layer.shape
    pair = [w.written_map(call), w.read(call, "snn_map_t")]
    return [*pair, *sides, channels, k // 2, ((1 << 16) + k * k // 2) // (k * k), 0]


def _lif(w: _Writer, call: _Call) -> list[Any]:
    (neurons,) = map(w.table, call.tables.values())
    return [w.read(call, "snn_map_t"), neurons, *w.neurons(call), call.pixels, call.layer.shape[0], *w.leak(call)]


def _lif_wide(w: _Writer, call: _Call) -> list[Any]:
    (neurons,) = map(w.table, call.tables.values())
    sizes = [call.layer.shape[0], int(call.own["shift"][0])]
    return [w.read(call, "snn_sum_t"), neurons, *w.neurons(call), *sizes, *w.leak(call), "{0, 0}"]


def _ilif(w: _Writer, call: _Call) -> list[Any]:
    plan, leak = w.network.plan, w.network.leak
    places = [w.read(call, "snn_map_t"), call.ratio, call.bias, *w.neurons(call)]
    sizes = [call.pixels, call.layer.shape[0], leak.mul, leak.shift, plan.levels, bit_planes(plan)]
    return [*places, *sizes, "{0, 0}"]


def _ilif_once(w: _Writer, call: _Call) -> list[Any]:
    plan = w.network.plan
    places = [w.read(call, "snn_map_t"), call.ratio, call.bias, w.at(call.step.writes)]
    return [*places, call.pixels, call.layer.shape[0], plan.levels, bit_planes(plan)]


def _relu(w: _Writer, call: _Call) -> list[Any]:
    places = [w.read(call, "snn_map_t"), call.ratio, call.bias, w.at(call.step.writes)]
    return [*places, call.pixels, call.layer.shape[0]]


def _conv(w: _Writer, call: _Call) -> list[Any]:
    return _spiking(w, call, _in_rows(call))


def _in_words(weights: Integers, bits: int, four: tuple[int, ...]) -> Integers:
    """Weights in whole words, in the order that a kernel reads them in: each shift by their bits has the next four."""
    order = [4 * shift + number for number in four for shift in range(8 // bits)]
    return weights.reshape(-1, len(order))[:, order]


def _in_rows(call: _Call) -> Integers:
    """Weights of a convolution of spikes: a row of all outputs for each input and place."""
    rows, outputs = call.tables["weight"].filled
    found = np.zeros((rows, outputs), dtype=np.int64)
    found[:, : call.layer.shape[0]] = call.own["weight"][:, :, ::-1, ::-1].transpose(1, 2, 3, 0).reshape(rows, -1)
    return _in_words(found, call.layer.bits, _HALVES)


def _in_pairs(call: _Call) -> Integers:
    """Weights of a convolution that multiplies: units of two outputs take turns."""
    pairs, both, size = call.tables["weight"].filled
    weights = call.own["weight"].transpose(0, 2, 3, 1).reshape(call.layer.shape[0], -1)
    found = np.zeros((pairs * both, size), dtype=np.int64)
    found[: weights.shape[0], : weights.shape[1]] = weights
    units = found.reshape(pairs, both, -1, unit_of(call.layer.bits)).transpose(0, 2, 1, 3)
    return _in_words(units, call.layer.bits, _BYTES)


def _depthwise(w: _Writer, call: _Call) -> list[Any]:
    return _spiking(w, call, call.own["weight"][:, :, ::-1, ::-1])


def _spiking(w: _Writer, call: _Call, weights: Integers) -> list[Any]:
    layer = call.layer
    channels, *sides = layer.in_shape
    places = [w.weights(call, weights), w.read(call, "uint8_t"), w.written_map(call)]
    counts = [bit_planes(w.network.plan), weight_halvings(w.network.plan, call.step)]
    room = scratch_elements(w.network.plan, call.step)
    scratch = w.at(f"{layer.name}.scratch", "uint16_t") if room else "0"
    sizes = [*sides, channels, layer.shape[0], layer.kernel, layer.bits]
    return [*places, *sizes, *counts, scratch, room, int(call.step.record.pools > 1)]


def _dense(w: _Writer, call: _Call) -> list[Any]:
    return _multiplying(w, call, _in_pairs(call))


def _dense_depthwise(w: _Writer, call: _Call) -> list[Any]:
    return _multiplying(w, call, call.own["weight"])


def _multiplying(w: _Writer, call: _Call, weights: Integers) -> list[Any]:
    layer = call.layer
    channels, *sides = layer.in_shape
    places = [w.weights(call, weights), call.ratio, w.read(call, "uint8_t"), w.written_map(call)]
    window = w.at(f"{layer.name}.scratch", "snn_map_t") if call.step.record.scratch else "0"
    pooled = int(call.step.record.pools > 1)
    return [*places, window, *sides, channels, layer.shape[0], layer.kernel, layer.bits, pooled, 0]


def _pointwise(w: _Writer, call: _Call) -> list[Any]:
    layer = call.layer
    places = [w.read(call, "snn_map_t"), w.weights(call, _in_pairs(call)), call.ratio, w.written_map(call)]
    return [*places, w.at(f"{layer.name}.scratch", "snn_map_t"), call.pixels, layer.in_shape[0], layer.shape[0]]


def _count(w: _Writer, call: _Call) -> list[Any]:
    channels, *sides = call.layer.in_shape
    return [w.read(call, "uint8_t"), w.written_sums(call), prod(sides), channels, bit_planes(w.network.plan)]


def _total(w: _Writer, call: _Call) -> list[Any]:
    channels, *sides = call.layer.in_shape
    return [w.read(call, "uint8_t"), w.written_sums(call), prod(sides), channels]


def _linear(w: _Writer, call: _Call) -> list[Any]:
    plan, layer = w.network.plan, call.layer
    lif = plan.by_name[call.step.reads[0].removesuffix(".spikes")]
    channels, height, width = (*lif.shape, 1, 1)[:3]
    before = pooled_before(plan, layer)
    pool = before.kernel if before else 1
    rows, columns = height // pool, width // pool
    weights = call.own["weight"].reshape(layer.shape[0], channels, rows, columns)
    return [
        w.weights(call, weights.transpose(2, 3, 1, 0)), w.read(call, "uint8_t"), w.written_sums(call),
        height, width, channels, layer.shape[0], rows, columns, ceil(2**15 / pool), layer.bits,
    ]  # fmt: skip


def _scores(w: _Writer, call: _Call) -> list[Any]:
    layer = call.layer
    places = [w.read(call, "snn_sum_t"), w.weights(call, call.own["weight"]), call.ratio, call.bias]
    return [*places, w.written_sums(call), layer.in_shape[0], layer.shape[0], layer.bits, 0]


def _votes(w: _Writer, call: _Call) -> list[Any]:
    places = [w.read(call, "snn_sum_t"), call.ratio, call.bias, w.written_sums(call)]
    return [*places, call.layer.shape[0], call.layer.kernel]


def _zero(w: _Writer, call: _Call) -> list[Any]:
    return [w.at(call.step.writes), 0, call.layer.size * ACCUMULATOR_BITS // 8]


def _copy(w: _Writer, call: _Call) -> list[Any]:
    return [w.at(call.step.writes), w.at(call.step.reads[0]), call.layer.size * MAP_BITS // 8]


# The fields of each kernel's descriptor; the arguments where it is called without one.
FIELDS: dict[str, Callable[[_Writer, _Call], list[Any]]] = {
    "stem": _stem,
    "fill": _fill,
    "add": _add,
    "avgpool": _avgpool,
    "lif": _lif,
    "lif_bn": _lif,
    "lif_wide": _lif_wide,
    "ilif": _ilif,
    "ilif_bn": _ilif,
    "ilif_once": _ilif_once,
    "ilif_once_bn": _ilif_once,
    "relu": _relu,
    "relu_bn": _relu,
    "conv": _conv,
    "conv_pool": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "dense_pool": _dense,
    "dense_depthwise": _dense_depthwise,
    "pointwise": _pointwise,
    "count": _count,
    "total": _total,
    "linear": _linear,
    "scores": _scores,
    "votes": _votes,
    "zero": _zero,
    "copy": _copy,
}


def _function(head: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}", ""])


def make_sources(network: IntegerNetwork, prefix: str = PREFIX) -> dict[str, str]:
    """Return the generated files of a network, by name.

    Raises:
        DeployError: A layer has more than 65,535 channels, rows or weights of an output, which no kernel can number.
    """
    plan = network.plan
    sizes = [(layer, max(layer.shape)) for layer in plan.layers]
    for step in network.program.steps:
        if step.kernel in ("conv", "conv_pool"):
            layer = plan.by_name[step.layer]
            rows = layer.in_shape[0] * layer.kernel**2 + layer.in_shape[2]
            sizes.append((layer, max(rows, scratch_elements(plan, step))))
    for layer, size in sizes:
        if size > _LARGEST:
            raise DeployError(f"{layer.name}: a size of {size}, but kernels have at most {_LARGEST}")
    arena = make_arena(network.program)
    stem = stem_of(prefix)
    return {
        f"{stem}.h": network_header(network, arena.size_bytes, prefix),
        f"{stem}.c": network_source(network, arena, prefix),
        "membranes.h": membranes_header(network),
    }
