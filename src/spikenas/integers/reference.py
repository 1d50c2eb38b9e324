"""What the integers mean: the kernels in numpy, plainly. This defines the arithmetic; C and PyTorch must agree.

Every map is checked against 16 bits at every write: an overflow is an error, not a wrong number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikenas._util.errors import RunError
from spikenas.integers.folding import pooled_before
from spikenas.integers.integers import MAP_MAX, IntegerNetwork, Integers
from spikenas.integers.machine import execute
from spikenas.memory.program import Step


def run_reference(network: IntegerNetwork, frames: Integers) -> Integers:
    """The outputs of one inference.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, C, H, W], 0 to 255.
    Returns:
        Scores, [classes].
    Raises:
        RunError: an input of another shape or range, or a map left 16 bits, which no checked network does.
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
        layer = self.plan.by_name[step.layer]
        own = self.network.constants.get(step.layer, {})
        out: Integers
        match step.kernel:
            case "stem":
                centred = reads[0] - np.asarray(self.network.zero)[:, None, None]
                out = scaled(_convolve(centred, own["weight"], layer.stride), own) + self._bias(step)
            case "fill":
                out = np.zeros(layer.shape, dtype=np.int64) + (self._bias(step) if step.biases else 0)
            case "add":
                out = _old(target) + step.times * reads[0] + (self._bias(step) if step.biases else 0)
            case "copy":
                out = reads[0]
            case "avgpool":
                out = _old(target) + _mean(reads[0], layer.kernel)
            case "lif" | "lif_bn" | "lif_wide":
                return self._fire(step, reads[0])
            case "conv":
                out = _old(target) + _convolve(reads[0], own["weight"])
            case "conv_pool":
                out = _old(target) + _pooled(_convolve(reads[0], own["weight"]))
            case "depthwise":
                each: list[Integers] = [
                    _convolve(reads[0][c : c + 1], own["weight"][c : c + 1]) for c in range(layer.shape[0])
                ]
                out = _old(target) + np.concatenate(each)
            case "pointwise":
                out = _old(target) + scaled(_convolve(reads[0], own["weight"]), own)
            case "count":
                return _old(target) + _sum(reads[0], (1, 2))
            case "zero":
                return np.zeros(layer.shape, dtype=np.int64)
            case "linear":
                return _within(_old(target) + own["weight"] @ self._features(step, reads[0]), step)
            case "scores":
                return _within(scaled(_within(own["weight"] @ reads[0], step), own) + own["bias"], step)
            case "votes":
                votes = (scaled(reads[0], own) + own["bias"]).reshape(layer.shape[0], layer.kernel)
                return _within(_sum(votes, 1), step)
        if np.abs(out).max() > MAP_MAX:
            raise RunError(f"{step.layer}: a value of {np.abs(out).max()} does not fit 16 bits")
        return out

    def _bias(self, step: Step) -> Integers:
        return self.network.constants[step.writes]["bias"][:, None, None]

    def _features(self, step: Step, spikes: Integers) -> Integers:
        """What a linear layer multiplies: spikes, or their sums over windows, in PyTorch's order of features."""
        if pool := pooled_before(self.plan, self.plan.by_name[step.layer]):
            k = pool.kernel
            _, height, width = pool.shape
            windows = spikes[:, : height * k, : width * k].reshape(-1, height, k, width, k)
            return _sum(windows, (2, 4)).reshape(-1)
        return spikes.reshape(-1)

    def _fire(self, step: Step, x: Integers) -> Integers:
        own, leak = self.network.constants[step.layer], self.network.leak
        shape = (-1,) + (1,) * (x.ndim - 1)
        threshold, drop = own["threshold"].reshape(shape), int(own["drop"][0])
        reset = own["reset"].reshape(shape) if "reset" in own else 0 * threshold
        if step.kernel == "lif_wide":
            x = np.clip(_round_shift(x, int(own["shift"][0])), -MAP_MAX, MAP_MAX)
        elif "sign" in own:
            x = x * own["sign"].reshape(shape)
        v = self.membranes.get(step.layer, _stored(reset + 0 * x, drop, self.plan.network.membrane_bits))
        v = v << drop
        v = v + _round_shift((x - v) * leak.mul, leak.shift)
        spikes = v >= threshold
        self.membranes[step.layer] = _stored(np.where(spikes, reset, v), drop, self.plan.network.membrane_bits)
        return spikes.astype(np.int64)


def scaled(value: Integers, own: dict[str, Integers]) -> Integers:
    """Outputs, [outputs, ...], in the scale of what they are added to: (value * mul + 2^(shift - 1)) >> shift."""
    shape = (-1,) + (1,) * (value.ndim - 1)
    mul, shift = own["mul"].reshape(shape), own["shift"].reshape(shape)
    return (value * mul + (1 << (shift - 1))) >> shift


def _within(sums: Integers, step: Step) -> Integers:
    if np.abs(sums).max() >= 2**31:
        raise RunError(f"{step.layer}: a value of {np.abs(sums).max()} does not fit 32 bits")
    return sums


def _old(target: Integers | None) -> Integers:
    if target is None:
        raise RunError("a kernel adds to a map that nothing has begun")
    return target


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
