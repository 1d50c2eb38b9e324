"""Computes what the values of a map can be at worst, whatever the input, by interval arithmetic through the program.

A neuron sends 0 to D spikes, or steps of an activation, so a convolution of them adds between D times the sum of its
negative and of its positive weights. Only channels matter: every pixel has the same bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikenas.integers.machine import execute
from spikenas.memory.program import Program, Step

Interval = NDArray[Any]  # [2, C]: lowest and highest of each channel


class Bounds:
    """Runs a program on intervals, of real or integer constants.

    Args:
        program: The program that is run.
        weights: The weights of each convolution.
        biases: The biases of each map that has some.
        inputs: The interval of the input, [2, channels]; it holds 0, which is the padding.
        rescale: What becomes of the sums of a convolution that have a scale of their own, [2, outputs].
    """

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, NDArray[Any]],
        biases: Mapping[str, NDArray[Any]],
        inputs: Interval,
        rescale: Callable[[str, Interval], Interval] = lambda layer, sums: sums,
    ) -> None:
        self.plan = program.plan
        self.weights, self.biases, self.rescale = weights, biases, rescale
        self.largest: dict[str, NDArray[Any]] = {}
        execute(program, self, [inputs] * (1 if self.plan.input.static else self.plan.network.timesteps))

    def zero(self, name: str) -> Interval:
        """Return an interval that holds 0 alone."""
        layer = self.plan.by_name[name.removesuffix(".last")]
        return np.zeros((2, layer.shape[0]))

    def compute(self, step: Step, reads: Sequence[Interval], target: Interval | None) -> Interval:
        """Return the interval after a kernel; the largest absolute value of a map is remembered by the map's name."""
        old = self.zero(step.layer) if target is None else target
        new = COMPUTES[step.kernel](self, step, reads, old)
        if step.record.writes != "map":
            return new
        if step.biases:
            new = new + self.biases[step.writes]
            self._remember(step.writes, np.abs(self.biases[step.writes]))
        self._remember(step.writes, np.abs(new).max(0))
        return new

    def sums(self, step: Step, x: Interval) -> Interval:
        """Return the interval of the sums of a convolution, [2, outputs].

        Args:
            step: The call.
            x: The intervals that its weights are multiplied with, [2, outputs or 1, inputs of a group].
        """
        weight = self.weights[step.layer]
        products = (x[..., None, None] * weight).reshape(2, len(weight), -1)
        return np.stack([np.minimum(products.min(0), 0).sum(1), np.maximum(products.max(0), 0).sum(1)])

    def _remember(self, name: str, values: NDArray[Any]) -> None:
        self.largest[name] = np.maximum(self.largest.get(name, 0), values)


def _old(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    return old


def _add(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    new: Interval = old + step.times * reads[0]
    return new


def _avgpool(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    new: Interval = old + np.stack([np.minimum(reads[0][0], 0), np.maximum(reads[0][1], 0)])
    return new


def _conv(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    new: Interval = old + step.record.pools * machine.sums(step, reads[0][:, None, :])
    return new


def _depthwise(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    new: Interval = old + machine.sums(step, reads[0][:, :, None])
    return new


def _rescaled(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    sums = step.record.pools * machine.sums(step, reads[0][:, None, :])
    return old + machine.rescale(step.layer, sums)


def _rescaled_depthwise(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    return old + machine.rescale(step.layer, machine.sums(step, reads[0][:, :, None]))


def _sent(machine: Bounds, step: Step, reads: Sequence[Interval], old: Interval) -> Interval:
    return np.stack([np.zeros(old.shape[1]), np.full(old.shape[1], float(machine.plan.levels))])


# The interval of maps and of what neurons send, of those that the kernel reads and what was there; other sums are not bounded here.
COMPUTES: dict[str, Callable[[Bounds, Step, Sequence[Interval], Interval], Interval]] = {
    "stem": _rescaled,
    "fill": _old,
    "add": _add,
    "avgpool": _avgpool,
    "lif": _sent,
    "lif_bn": _sent,
    "lif_wide": _sent,
    "ilif": _sent,
    "ilif_bn": _sent,
    "ilif_once": _sent,
    "ilif_once_bn": _sent,
    "relu": _sent,
    "relu_bn": _sent,
    "conv": _conv,
    "conv_pool": _conv,
    "depthwise": _depthwise,
    "dense": _rescaled,
    "dense_pool": _rescaled,
    "dense_depthwise": _rescaled_depthwise,
    "pointwise": _rescaled,
    "count": _old,
    "total": _old,
    "linear": _old,
    "scores": _old,
    "votes": _old,
    "zero": _old,
    "copy": _add,
}
