"""Defines what the integers mean, by the kernels in plain numpy; C and PyTorch must agree with it.

At every write maps are checked against 16 bits and sums against 32: an overflow is an error, not a wrong number.

Potentials of an integer-valued neuron are in units of 2^-SPIKE_BITS spikes, whatever its map's scale; a membrane holds
them saturated, one of 8 bits without its lowest SHORT_DROP bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spikenas._util.errors import RunError
from spikenas.integers.folding import pooled_before
from spikenas.integers.machine import Integers, execute
from spikenas.memory.program import ACCUMULATOR_BITS, MAP_BITS, MAP_MAX, Step

if TYPE_CHECKING:
    from spikenas.integers.integers import IntegerNetwork

SPIKE_BITS = 10
SHORT_DROP = 5


def run_reference(network: IntegerNetwork, frames: Integers) -> Integers:
    """Compute the outputs of one inference.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, C, H, W], 0 to 255.
    Returns:
        The scores, [classes].
    Raises:
        RunError: The input has another shape or range, or a map leaves 16 bits, which none of a checked network does.
    """
    spec = network.plan.input
    shape = (1 if spec.static else network.plan.network.timesteps, spec.channels, spec.height, spec.width)
    if frames.shape != shape or frames.min() < 0 or frames.max() > 255:
        raise RunError(f"the network takes {list(shape)} of 0 to 255, got {list(frames.shape)}")
    return execute(network.program, _Reference(network), [frame.astype(np.int64) for frame in frames])


class _Reference:
    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.plan = network.plan
        self.membranes: dict[str, Integers] = {}

    def zero(self, name: str) -> Integers:
        return np.zeros(self.plan.by_name[name.removesuffix(".last")].shape, dtype=np.int64)

    def compute(self, step: Step, reads: Sequence[Integers], target: Integers | None) -> Integers:
        old = self.zero(step.layer) if target is None else target
        if step.biases:
            old = old + self.network.constants[step.writes]["bias"][:, None, None]
        return _within(COMPUTES[step.kernel](self, step, reads, old), step)

    def own(self, step: Step) -> dict[str, Integers]:
        return self.network.constants[step.layer]

    def fire(self, step: Step, x: Integers, reset: Integers | int = 0) -> Integers:
        own, leak, bits = self.own(step), self.network.leak, self.plan.network.membrane_bits
        threshold, drop = _by_channel(own["threshold"], x), int(own["drop"][0])
        v = self.membranes.get(step.layer, _stored(reset + 0 * x, drop, bits))
        v = v << drop
        v = v + _round_shift((x - v) * leak.mul, leak.shift)
        spikes = v >= threshold
        self.membranes[step.layer] = _stored(np.where(spikes, reset, v), drop, bits)
        return spikes.astype(np.int64)

    def send(self, potentials: Integers) -> Integers:
        """Numbers of spikes, or steps of an activation."""
        return np.clip(potentials, 0, self.plan.levels)


def _old(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old


def _add(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + step.times * reads[0]


def _copy(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return reads[0]


def _stem(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own, stride = machine.own(step), machine.plan.by_name[step.layer].stride
    centred = reads[0] - np.asarray(machine.network.zero)[:, None, None]
    return old + scaled(_convolve(centred, own["weight"], stride), own)


def _avgpool(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + _mean(reads[0], machine.plan.by_name[step.layer].kernel)


def _lif(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return machine.fire(step, reads[0])


def _lif_bn(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    sign, reset = (_by_channel(machine.own(step)[name], reads[0]) for name in ("sign", "reset"))
    return machine.fire(step, reads[0] * sign, reset)


def _lif_wide(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    shifted = _round_shift(reads[0], int(machine.own(step)["shift"][0]))
    return machine.fire(step, np.clip(shifted, -MAP_MAX, MAP_MAX))


def _ilif(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    leak, bits = machine.network.leak, machine.plan.network.membrane_bits
    drop = 0 if bits == 16 else SHORT_DROP
    v = machine.membranes.get(step.layer, 0 * reads[0]) << drop
    v = v - _round_shift(v * leak.mul, leak.shift) + charged(reads[0], machine.own(step))
    spikes = machine.send(_round_shift(v, SPIKE_BITS))
    machine.membranes[step.layer] = _stored(v - (spikes << SPIKE_BITS), drop, bits)
    return spikes


def _stateless(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return machine.send(charged(reads[0], machine.own(step)))


def _conv(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + _convolve(reads[0], machine.own(step)["weight"])


def _conv_pool(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + _pooled(_convolve(reads[0], machine.own(step)["weight"]))


def _depthwise(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + _convolve_depthwise(reads[0], machine.own(step)["weight"])


def _dense(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own = machine.own(step)
    return old + scaled(_convolve(reads[0], own["weight"]), own)


def _dense_pool(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own = machine.own(step)
    return old + scaled(_pooled(_convolve(reads[0], own["weight"])), own)


def _dense_depthwise(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own = machine.own(step)
    return old + scaled(_convolve_depthwise(reads[0], own["weight"]), own)


def _count(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    return old + _sum(reads[0], (1, 2))


def _linear(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    """Multiply spikes, or their sums over windows, in PyTorch's order of features."""
    x = reads[0]
    if pool := pooled_before(machine.plan, machine.plan.by_name[step.layer]):
        k = pool.kernel
        _, height, width = pool.shape
        x = _sum(x[:, : height * k, : width * k].reshape(-1, height, k, width, k), (2, 4))
    sums: Integers = old + machine.own(step)["weight"] @ x.reshape(-1)
    return sums


def _scores(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own = machine.own(step)
    return scaled(_within(own["weight"] @ reads[0], step), own) + own["bias"]


def _votes(machine: _Reference, step: Step, reads: Sequence[Integers], old: Integers) -> Integers:
    own, layer = machine.own(step), machine.plan.by_name[step.layer]
    return _sum((scaled(reads[0], own) + own["bias"]).reshape(layer.shape[0], layer.kernel), 1)


# What each kernel leaves, of what it reads and what was there (0 where it begins), biases included.
COMPUTES: dict[str, Callable[[_Reference, Step, Sequence[Integers], Integers], Integers]] = {
    "stem": _stem,
    "fill": _old,
    "add": _add,
    "avgpool": _avgpool,
    "lif": _lif,
    "lif_bn": _lif_bn,
    "lif_wide": _lif_wide,
    "ilif": _ilif,
    "ilif_bn": _ilif,
    "ilif_once": _stateless,
    "ilif_once_bn": _stateless,
    "relu": _stateless,
    "relu_bn": _stateless,
    "conv": _conv,
    "conv_pool": _conv_pool,
    "depthwise": _depthwise,
    "dense": _dense,
    "dense_pool": _dense_pool,
    "dense_depthwise": _dense_depthwise,
    "pointwise": _dense,
    "count": _count,
    "total": _count,
    "linear": _linear,
    "scores": _scores,
    "votes": _votes,
    "zero": _old,
    "copy": _copy,
}


def scaled(value: Integers, own: dict[str, Integers]) -> Integers:
    """Bring outputs, [outputs, ...], to the scale of what they are added to: (value * mul + 2^(shift - 1)) >> shift."""
    mul, shift = _by_channel(own["mul"], value), _by_channel(own["shift"], value)
    return (value * mul + (1 << (shift - 1))) >> shift


def charged(value: Integers, own: dict[str, Integers]) -> Integers:
    """Return what a map, [C, ...], is in steps of the neurons that read it: (value * mul + bias) >> shift.

    The bias, of a BatchNorm that does not fold, has the half in it that rounds to the nearest.
    """
    if "bias" not in own:
        return scaled(value, own)
    mul, bias, shift = (_by_channel(own[name], value) for name in ("mul", "bias", "shift"))
    return (value * mul + bias) >> shift


def _by_channel(constants: Integers, value: Integers) -> Integers:
    return constants.reshape((-1,) + (1,) * (value.ndim - 1))


def _within(values: Integers, step: Step) -> Integers:
    bits = ACCUMULATOR_BITS if step.record.writes == "accumulator" else MAP_BITS
    if np.abs(values).max() >= 2 ** (bits - 1):
        raise RunError(f"{step.layer}: a value of {np.abs(values).max()} does not fit {bits} bits")
    return values


def _sum(values: Integers, axes: int | tuple[int, ...]) -> Integers:
    total: Integers = values.sum(axes)
    return total


def _round_shift(value: Integers, shift: int) -> Integers:
    return (value + ((1 << shift) >> 1)) >> shift


def _stored(v: Integers, drop: int, bits: int) -> Integers:
    """A potential as a membrane of so many bits holds it."""
    high = (1 << bits - 1) - 1
    return np.clip(_round_shift(v, drop), -high - 1, high)


def _convolve(x: Integers, weight: Integers, stride: int = 1) -> Integers:
    """Same padding, [C, H, W] by [outputs, C, k, k]."""
    k = weight.shape[-1]
    height, width = x.shape[1:]
    rows, columns = -(-height // stride), -(-width // stride)
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    out = np.zeros((weight.shape[0], rows, columns), dtype=np.int64)
    for ky in range(k):
        for kx in range(k):
            window = padded[:, ky : ky + height : stride, kx : kx + width : stride]
            out += np.tensordot(weight[:, :, ky, kx], window, 1)
    return out


def _convolve_depthwise(x: Integers, weight: Integers) -> Integers:
    return np.concatenate([_convolve(x[c : c + 1], weight[c : c + 1]) for c in range(len(weight))])


def _pooled(x: Integers) -> Integers:
    """Sums over 2x2 pixels; an odd last row or column is left out."""
    channels, height, width = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return _sum(even.reshape(channels, height // 2, 2, width // 2, 2), (2, 4))


def _mean(x: Integers, k: int) -> Integers:
    """Means over k x k windows around each pixel, padding counted as 0, by a factor of 16 bits."""
    factor = ((1 << 16) + k * k // 2) // (k * k)
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    total = np.zeros_like(x)
    for ky in range(k):
        for kx in range(k):
            total += padded[:, ky : ky + height, kx : kx + width]
    return _round_shift(total * factor, 16)
