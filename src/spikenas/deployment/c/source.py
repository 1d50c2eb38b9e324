"""A network as C: constants, descriptors and straight-line calls. The kernels are in `firmware/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DeployError
from spikenas.integers.folding import pooled_before
from spikenas.integers.integers import IntegerNetwork, Integers
from spikenas.memory.arena import Arena, make_arena
from spikenas.memory.kernels import Table, kernel_name, tables, weight_steps
from spikenas.memory.program import Step

_PER_LINE = 24
_LARGEST_SIDE = 65535
_TYPES = {"weight": "uint8_t", "ratio": "snn_ratio_t", "neurons": "snn_neuron_t"}  # others are integers of their bits
_ORDERS = {
    "conv8": [0, 2, 1, 3],
    "conv4": [0, 4, 2, 6, 1, 5, 3, 7],
}  # of the weights in a word, as kernels.c reads them


def pack(weights: Integers, bits: int, step: int) -> NDArray[np.uint8]:
    """Multiples of a step as bytes, in order: the first in the lowest bits, the last byte filled with 0."""
    codes = weights.reshape(-1) // step & (1 << bits) - 1
    each = 8 // bits
    padded = np.zeros(ceil(len(codes) / each) * each, dtype=np.int64)
    padded[: len(codes)] = codes
    shifted = padded.reshape(-1, each) << np.arange(each) * bits
    packed: NDArray[np.uint8] = shifted.sum(1).astype(np.uint8)
    return packed


def network_header(network: IntegerNetwork, arena: Arena) -> str:
    """`network.h`: what a program that uses the network needs."""
    plan = network.plan
    spec, T = plan.input, plan.network.timesteps
    frames = 1 if spec.static else T
    parts = (
        "write a frame to snn_input(), then snn_start(),\n * SNN_TIMESTEPS times snn_step(), snn_finish()"
        if spec.static
        else "snn_start(), for each timestep a frame to\n * snn_input() and snn_step(), then snn_finish()"
    )
    return f"""/* A spiking network made by SpikeNAS: {plan.genotype}. */
#ifndef SNN_NETWORK_H
#define SNN_NETWORK_H
#include <stdint.h>

#define SNN_CHANNELS {spec.channels}
#define SNN_HEIGHT {spec.height}
#define SNN_WIDTH {spec.width}
#define SNN_FRAME_BYTES {spec.channels * spec.height * spec.width}
#define SNN_FRAMES {frames} /* of one inference */
#define SNN_TIMESTEPS {T}
#define SNN_CLASSES {spec.classes}
#define SNN_MEMBRANE_BITS {plan.network.membrane_bits}
#define SNN_ARENA_BYTES {arena.size_bytes}

/* One inference: frames are [SNN_FRAMES][height][width][channels], 0 to 255. The scores, one for each class, stay until
 * the next call; the class is that of the largest. */
const int32_t *snn_run(const uint8_t *frames);

/* The same in parts, without a copy of the input: {parts}. */
uint8_t *snn_input(void);
void snn_start(void);
void snn_step(void);
const int32_t *snn_finish(void);
#endif
"""


def network_source(network: IntegerNetwork, arena: Arena) -> str:
    """`network.c`."""
    return _Writer(network, arena).text()


def frames_of(network: IntegerNetwork, frames: Integers) -> NDArray[np.uint8]:
    """Input as the firmware takes it: [frames, H, W, C] bytes of [frames, C, H, W]."""
    return np.ascontiguousarray(frames.astype(np.uint8).transpose(0, 2, 3, 1))


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
            if step.kernel in ("zero", "copy"):
                size_bytes = self._size(step)
                to = self._at(step.writes)
                source = f", {self._at(step.reads[0])}" if step.reads else ", 0"
                calls[step.phase].append(f"{'mem' + ('cpy' if step.reads else 'set')}({to}{source}, {size_bytes});")
                continue
            kernel, fields = self._call(step)
            struct = {"conv_pool": "conv", "depthwise": "conv"}.get(step.kernel, step.kernel)
            self.tables.append(
                f"static const snn_{struct}_t step{number} = {{{', '.join(map(str, fields))}}}; /* {step.layer} */"
            )
            calls[step.phase].append(f"snn_{kernel}(&step{number});")
            if step.kernel == "lif_bn":
                resets.append(f"snn_lif_bn_reset(&step{number});")
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
            "static uint8_t arena[SNN_ARENA_BYTES] __attribute__((aligned(4)));",
            "#define AT(type, offset) ((type *)(void *)(arena + (offset)))",
            "",
            *self.tables,
            "",
            _function("uint8_t *snn_input(void)", [f"return {self._at('input')};"]),
            _function("void snn_start(void)", start + resets),
            _function("void snn_step(void)", calls["each"]),
            _function("const int32_t *snn_finish(void)", [
                *calls["last"], f"return AT(const int32_t, {self._offset(program.steps[-1].writes)});"
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

    def _call(self, step: Step) -> tuple[str, list[Any]]:
        """The kernel's name and the fields of its descriptor."""
        plan, network = self.network.plan, self.network
        layer = plan.by_name[step.layer]
        own = network.constants.get(step.layer, {})
        map_shape = layer.in_shape if step.kernel in ("stem", "conv", "conv_pool", "depthwise") else layer.shape
        pixels = int(np.prod(layer.shape[1:]))
        channels, *sides = map_shape
        table = tables(plan, step)
        bias = self._table(table["bias"]) if "bias" in table else "0"
        ratio = self._table(table["ratio"]) if "ratio" in table else ""
        target = self._at(step.writes, "snn_map_t")
        source = self._at(step.reads[0], "const snn_map_t") if step.reads else "0"
        spikes = self._at(step.reads[0], "const uint8_t") if step.reads else "0"
        leak = [network.leak.mul, network.leak.shift | int(own["drop"][0]) << 4] if "drop" in own else []
        match step.kernel:
            case "stem":
                weights = own["weight"].transpose(0, 2, 3, 1)
                return "stem", [
                    self._weights(table, weights), ratio, bias, self._constant(table["zero"], network.zero), spikes,
                    target, *sides, channels, layer.shape[0],
                    layer.kernel, layer.stride,
                ]  # fmt: skip
            case "fill":
                return "fill", [target, bias, pixels, channels]
            case "add":
                return "add", [target, source, bias, pixels, channels, step.times]
            case "avgpool":
                k = layer.kernel
                return "avgpool", [target, source, *sides, channels, k // 2, ((1 << 16) + k * k // 2) // (k * k), 0]
            case "lif" | "lif_bn":
                neurons = self._table(table["threshold" if step.kernel == "lif" else "neurons"])
                to = [self._at(f"{step.layer}.membrane", "snn_membrane_t"), self._at(step.writes)]
                return step.kernel, [source, neurons, *to, pixels, channels, *leak]
            case "lif_wide":
                return "lif_wide", [
                    self._at(step.reads[0], "const snn_sum_t"), self._table(table["threshold"]),
                    self._at(f"{step.layer}.membrane", "snn_membrane_t"), self._at(step.writes), channels,
                    int(own["shift"][0]), *leak, "{0, 0}",
                ]  # fmt: skip
            case "conv" | "conv_pool":
                weights = own["weight"][:, :, ::-1, ::-1].transpose(1, 2, 3, 0)
                kernel = kernel_name(plan, step)
                order = _ORDERS.get(kernel.removesuffix("_pool"))
                if order is not None:
                    weights = weights.reshape(-1, len(order))[:, order]
                fields = [self._weights(table, weights), spikes, target, *sides, channels, layer.shape[0], layer.kernel]
                return kernel, [*fields, layer.bits]
            case "depthwise":
                weights = own["weight"][:, :, ::-1, ::-1]
                fields = [self._weights(table, weights), spikes, target, *sides, channels, channels, layer.kernel]
                return "depthwise", [*fields, layer.bits]
            case "pointwise":
                fields = [source, self._weights(table, own["weight"]), ratio, target]
                return "pointwise", [*fields, pixels, layer.in_shape[0], layer.shape[0], layer.bits, 0]
            case "count":
                counted = plan.by_name[layer.terms[0].layer]
                pixels = int(np.prod(counted.shape[1:]))
                return "count", [spikes, self._at(step.writes, "snn_sum_t"), pixels, counted.shape[0]]
            case "linear":
                return "linear", self._linear(step, table)
            case "scores":
                return "scores", [
                    self._at(step.reads[0], "const snn_sum_t"), self._weights(table, own["weight"]),
                    ratio, bias, self._at(step.writes, "snn_sum_t"), layer.in_shape[0], layer.shape[0], layer.bits, 0,
                ]  # fmt: skip
            case "votes":
                return "votes", [
                    self._at(step.reads[0], "const snn_sum_t"), ratio, bias, self._at(step.writes, "snn_sum_t"),
                    layer.shape[0], layer.kernel,
                ]  # fmt: skip
        raise ValueError(step.kernel)

    def _linear(self, step: Step, table: dict[str, Table]) -> list[Any]:
        plan = self.network.plan
        layer = plan.by_name[step.layer]
        lif = plan.by_name[step.reads[0].removesuffix(".spikes")]
        channels, height, width = (*lif.shape, 1, 1)[:3]
        before = pooled_before(plan, layer)
        pool = before.kernel if before else 1
        rows, columns = height // pool, width // pool
        weights = self.network.constants[step.layer]["weight"].reshape(layer.shape[0], channels, rows, columns)
        return [
            self._weights(table, weights.transpose(2, 3, 1, 0)), self._at(step.reads[0], "const uint8_t"),
            self._at(step.writes, "snn_sum_t"), height, width, channels, layer.shape[0], rows, columns,
            ceil(2**15 / pool), layer.bits,
        ]  # fmt: skip

    def _size(self, step: Step) -> int:
        layer = self.network.plan.by_name[step.layer]
        return layer.size * (4 if step.kernel == "zero" else 2)

    def _offset(self, buffer: str) -> int:
        return self.arena.offsets[self.network.program.buffer_of(buffer)]

    def _at(self, buffer: str, kind: str = "uint8_t") -> str:
        return f"AT({kind}, {self._offset(buffer)})"

    def _weights(self, table: dict[str, Table], arranged: Integers) -> str:
        own = table["weight"]
        return self._constant(own, pack(arranged, own.bits, self.steps[own.layer]))

    def _table(self, table: Table) -> str:
        own = self.network.constants[table.layer]
        rows = zip(*(own[name].reshape(-1) for name in table.integers), strict=True)
        return self._constant(table, (f"{{{', '.join(map(str, row))}}}" if len(row) > 1 else row[0] for row in rows))

    def _constant(self, table: Table, values: Iterable[Any]) -> str:
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


def _function(head: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}", ""])


def make_sources(network: IntegerNetwork) -> dict[str, str]:
    """The generated files of a firmware folder.

    Raises:
        DeployError: a layer with more than 65,535 channels or rows, which no descriptor holds.
    """
    for layer in network.plan.layers:
        if max(layer.shape) > _LARGEST_SIDE:
            raise DeployError(f"{layer.name}: a size of {max(layer.shape)}, but kernels have at most {_LARGEST_SIDE}")
    arena = make_arena(network.program)
    return {"network.h": network_header(network, arena), "network.c": network_source(network, arena)}
