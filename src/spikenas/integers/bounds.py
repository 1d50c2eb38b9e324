"""What the values of a map can be at worst, whatever the input: interval arithmetic through the program.

A spike is 0 or 1, so a convolution of spikes adds between the sum of its negative and of its positive weights. Only
channels matter: every pixel has the same bounds.
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
    """A machine on intervals, of real or integer constants.

    Args:
        program: What is run.
        weights: Of each convolution.
        biases: Of each map that has some.
        inputs: The interval of the input, [2, channels]; it holds 0, which is the padding.
        rescale: What becomes of the sums of a stem or pointwise convolution, [2, outputs].
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
        """An interval that holds 0 alone."""
        layer = self.plan.by_name[name.removesuffix(".last")]
        return np.zeros((2, layer.shape[0]))

    def compute(self, step: Step, reads: Sequence[Interval], target: Interval | None) -> Interval:
        """The interval after a kernel; the largest absolute value of a map is remembered by the map's name."""
        layer = self.plan.by_name[step.layer]
        if step.kernel in ("lif", "lif_bn", "lif_wide", "count", "zero", "linear", "scores", "votes"):
            return np.stack([np.zeros(layer.shape[0]), np.ones(layer.shape[0])])
        old: Interval = np.zeros((2, layer.shape[0])) if target is None else target
        new: Interval
        if step.kernel in ("add", "copy"):
            new = old + step.times * reads[0]
        elif step.kernel == "fill":
            new = old
        elif step.kernel == "avgpool":
            new = old + np.stack([np.minimum(reads[0][0], 0), np.maximum(reads[0][1], 0)])
        else:
            area = 4 if step.kernel == "conv_pool" else 1
            new = old + area * self._sums(step, reads[0])
        if step.biases:
            new = new + self.biases[step.writes]
            self.largest[step.writes] = np.maximum(self.largest.get(step.writes, 0), np.abs(self.biases[step.writes]))
        self.largest[step.writes] = np.maximum(self.largest.get(step.writes, 0), np.abs(new).max(0))
        return new

    def _sums(self, step: Step, x: Interval) -> Interval:
        weight = self.weights[step.layer]
        source = x[:, :, None] if step.kernel == "depthwise" else x[:, None, :]
        products = (source[..., None, None] * weight).reshape(2, len(weight), -1)
        low = np.minimum(products.min(0), 0).sum(1)
        high = np.maximum(products.max(0), 0).sum(1)
        sums = np.stack([low, high])
        return self.rescale(step.layer, sums) if step.kernel in ("stem", "pointwise") else sums
