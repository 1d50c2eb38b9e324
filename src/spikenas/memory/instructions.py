"""Predicts the instructions of an inference, by what each step of a program does and how often neurons send spikes.

What a step does is counted in a few numbers, such as pixels, bytes of spikes and rows of weights that are added. What
each of these takes on a core is measured by `benchmarks/instruction_costs.py`. Instructions are no cycles: these depend
on the memory and the pipeline of a device too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from math import ceil, prod

from spikenas.memory.kernels import bit_planes, kernel_name, unit_of
from spikenas.memory.program import Program, Step
from spikenas.space.plan import LayerSpec, Plan

BitShares = Mapping[str, Sequence[float]]
"""By layer of neurons, how often each bit of the number of spikes that a neuron sends is set, the lowest first."""

_ASSUMED: Mapping[tuple[str, int], tuple[Sequence[float], Sequence[float]]] = {
    ("lif", 1): ((0.12,), (0.19,)),
    ("ilif", 1): ((0.27,), (0.35,)),
    ("ilif", 2): ((0.23, 0.12), (0.20, 0.16)),
    ("ilif", 3): ((0.24, 0.18, 0.06), (0.14, 0.12, 0.05)),
    ("ilif", 4): ((0.24, 0.21, 0.13, 0.04), (0.11, 0.09, 0.07, 0.04)),
}
"""By neuron and bits of its number of spikes, how often each is set: in front of convolutions, and of the head."""

_WORDS = {8: {"cortex-m0": 2, "rv32": 4, "cortex-m55": 4}, 4: {"cortex-m55": 4}, 2: {}}  # that are summed at a time
_USUAL_WORDS = {8: 3, 4: 2, 2: 2}

Counts = tuple[float, ...]


def predict_instructions(program: Program, shares: BitShares) -> float | None:
    """Predict the instructions of one inference on a core of `plan.network.core`.

    Args:
        program: The steps.
        shares: How often neurons send.
    Returns:
        The instructions; None where a kernel was not measured on that core.
    """
    plan, timesteps = program.plan, program.plan.network.timesteps
    costs = instruction_costs().get(plan.network.core, {})
    total = 0.0
    for step in program.steps:
        name = kernel_name(plan, step)
        if name not in costs:
            return None
        own = sum(each * count for each, count in zip(costs[name], counts_of(plan, step, shares), strict=True))
        total += own * (timesteps if step.phase == "each" else 1)
    return total


def assumed_shares(plan: Plan) -> BitShares:
    """Return how often neurons send in networks that were trained (`benchmarks/spike_rates.py`), on average."""
    if not plan.network.is_spiking:
        return {}
    inner, head = _ASSUMED[plan.network.neuron, bit_planes(plan)]
    return {layer.name: head if layer.name.startswith("head") else inner for layer in plan.neurons}


def counts_of(plan: Plan, step: Step, shares: BitShares) -> Counts:
    """Return what a step does in one call, in the numbers that its kernel's cost is made of."""
    return _COUNTS[step.kernel](plan, step, _sent(step, shares))


@cache
def instruction_costs() -> dict[str, dict[str, list[float]]]:
    """Return by core and C function what each of its counts takes."""
    text = (resources.files("spikenas.memory") / "instruction_costs.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, list[float]]] = json.loads(text)
    return found


def _sent(step: Step, shares: BitShares) -> Sequence[float]:
    """Return how often each bit is set in the spikes that a step reads; nothing where it reads none."""
    return shares[step.reads[0].removesuffix(".spikes")] if step.record.reads == "spikes" else ()


def _pixels(layer: LayerSpec) -> int:
    return prod(layer.shape[1:])


def _by_element(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    return 1, _pixels(layer), layer.size


def _fill(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    odd = layer.shape[0] % 2
    biased = layer.size * step.biases
    return 1, _pixels(layer) * step.biases, biased * odd, biased * (not odd), layer.size * (not step.biases)


def _add(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    paired = step.times <= 1 and not (layer.shape[0] if step.biases else layer.size) % 2
    biased, single = layer.size * paired * step.biases, layer.size * (not paired)
    return (
        *(1, layer.size * paired * (not step.biases), _pixels(layer) * step.biases, biased, biased * step.times),
        *(single, single * step.biases),
    )


def _stem(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    pixels, taps = _pixels(layer), layer.in_shape[0] * layer.kernel**2
    pairs = layer.shape[1] * ceil(layer.shape[2] / 2)
    blocks = pairs * ceil(layer.shape[0] / 2)
    return 1, pairs, pixels * layer.kernel**2, pixels * taps, blocks, blocks * ceil(taps / 8), layer.size


def _window(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    down, across = (_overlap(side, side, layer.kernel) for side in layer.shape[1:])
    inside = layer.shape[0] * down * across
    return 1, layer.size, layer.size * layer.kernel**2, inside * (layer.bits == 8), inside * (layer.bits < 8)


def _neurons(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    pixels, (full, rest) = _pixels(layer), divmod(layer.shape[0], 8)
    short, biased = plan.network.membrane_bits == 8, step.kernel.endswith("_bn")
    leaks = round(256 / plan.network.tau) == 192  # three quarters, in the 8 bits of an integer network
    lanes = not short and layer.shape[0] % 2 == 0 and leaks  # those cores that have them
    return (
        *(1, pixels, pixels * (full + (rest > 0)) * bit_planes(plan)),
        *(pixels * full * lanes, pixels * rest * lanes, layer.size * (not lanes), layer.size * short),
        *(layer.size * biased, layer.size * (not biased)),
    )


def _conv(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    channels, _, width = layer.in_shape
    rows, columns, down, across = _windows(layer, step.record.pools > 1)
    spikes, added, groups = sum(bits) * channels, sum(bits) * channels * down * across, ceil(channels / 8)
    neighbours, out = 32 // layer.bits, layer.shape[0]
    words = ceil(out / neighbours)
    most = _WORDS[layer.bits].get(plan.network.core, _USUAL_WORDS[layer.bits])
    turns = words // most + (0, 1, 1, 2)[words % most]
    single = (
        out if out % 2 else out % neighbours and out - (words - 1) * neighbours
    )  # channels that are added one by one
    lines, outputs, looked = len(bits) * rows, len(bits) * rows * columns, len(bits) * down * width
    reached = rows * columns * sum(1 - (1 - bit) ** (channels * down * across / (rows * columns)) for bit in bits)
    return (
        *(1, lines, lines * width, looked, looked * groups, spikes * down * width),
        *(outputs, outputs * turns, reached * turns, reached * words, reached * single),
        *(added * turns, added * words),
    )


def _shifts(bits: Sequence[float], channels: int) -> float:
    """Return how often the bytes of a pixel are shifted, each until no bit is left."""
    full, rest = divmod(channels, 8)
    each = [sum(1 - (1 - bit) ** count for count in range(1, size + 1)) for bit in bits for size in (8, rest)]
    return sum(each[0::2]) * full + sum(each[1::2])


def _windows(layer: LayerSpec, pooled: bool) -> tuple[int, int, int, int]:
    """Return rows and columns of the outputs, before they are pooled, and the inputs in all windows of each."""
    height, width = layer.in_shape[1:]
    rows, columns = (side // 2 * 2 if pooled else side for side in (height, width))
    return rows, columns, _overlap(rows, height, layer.kernel), _overlap(columns, width, layer.kernel)


def _overlap(outputs: int, inputs: int, kernel: int) -> int:
    """Return the inputs in all windows of a line of outputs."""
    half = kernel // 2
    return sum(min(inputs, at + half + 1) - max(0, at - half) for at in range(outputs))


def _depthwise(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    channels, height, width = layer.in_shape
    down, across = (_overlap(side, side, layer.kernel) for side in (height, width))
    spikes = sum(bits) * layer.size
    bytes_ = len(bits) * height * width * ceil(channels / 8)
    added = sum(bits) * channels * down * across
    return (
        *(1, height * width * len(bits), bytes_, height * width * _shifts(bits, channels)),
        *(spikes, spikes * layer.kernel**2),
        *(added * (layer.bits == 8), added * (layer.bits < 8)),
    )


def _dense(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    channels, pooled = layer.in_shape[0], step.record.pools > 1
    rows, columns, down, across = _windows(layer, pooled)
    outputs = rows // (1 + pooled), columns // (1 + pooled)
    pairs = outputs[0] * ceil(outputs[1] / 2)
    units = ceil(channels * layer.kernel**2 / unit_of(layer.bits))
    half = layer.kernel // 2
    inside = 0 if pooled else max(0, outputs[0] - 2 * half) * max(0, ceil(outputs[1] / 2) - 2 * ceil(half / 2))
    fours, blocks = channels % 4 == 0, pairs * ceil(layer.shape[0] / 2)
    copied = down * across * channels
    return (
        *(1, pairs, (pairs - inside) * units, rows * columns, down * columns, copied * fours, copied * (not fours)),
        *(blocks, blocks * units, outputs[0] * outputs[1] * layer.shape[0]),
    )


def _pointwise(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    pairs, channels = ceil(_pixels(layer) / 2), layer.in_shape[0]
    blocks = pairs * ceil(layer.shape[0] / 2)
    return 1, pairs, _pixels(layer) * channels, blocks, blocks * ceil(channels / unit_of(layer.bits)), layer.size


def _count(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    channels, *sides = plan.by_name[step.layer].in_shape
    pixels = prod(sides)
    seen = pixels * len(bits)
    return 1, seen, seen * ceil(channels / 8), pixels * _shifts(bits, channels), sum(bits) * pixels * channels


def _total(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    channels, *sides = plan.by_name[step.layer].in_shape
    return 1, prod(sides), prod(sides) * channels


def _linear(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    neurons = plan.by_name[step.reads[0].removesuffix(".spikes")]
    channels, height, width = (*neurons.shape, 1, 1)[:3]
    spikes = sum(bits) * neurons.size
    return (
        1,
        height * width * len(bits),
        height * width * ceil(channels / 8) * len(bits),
        height * width * _shifts(bits, channels),
        spikes,
        spikes * layer.shape[0],
    )


def _scores(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    layer = plan.by_name[step.layer]
    return 1, layer.shape[0], layer.weights


def _bytes(plan: Plan, step: Step, bits: Sequence[float]) -> Counts:
    return 1, plan.by_name[step.layer].size


_COUNTS: dict[str, Callable[[Plan, Step, Sequence[float]], Counts]] = {
    "stem": _stem,
    "fill": _fill,
    "add": _add,
    "avgpool": _window,
    "lif": _neurons,
    "lif_bn": _neurons,
    "lif_wide": _by_element,
    "ilif": _neurons,
    "ilif_bn": _neurons,
    "ilif_once": _neurons,
    "ilif_once_bn": _neurons,
    "relu": _neurons,
    "relu_bn": _neurons,
    "conv": _conv,
    "conv_pool": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "dense_pool": _dense,
    "dense_depthwise": _window,
    "pointwise": _pointwise,
    "count": _count,
    "total": _total,
    "linear": _linear,
    "scores": _scores,
    "votes": _by_element,
    "zero": _bytes,
    "copy": _bytes,
}
