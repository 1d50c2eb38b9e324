"""Rounds real constants to integers.

Maps that are added to one another have one scale for each channel: the finest at which the weights fit their bits and
the worst input fits 16 bits, by the bounds of `bounds`. So a spike adds a weight as it is, no sum can overflow, and no
order of additions matters. Neurons do not need their input in any particular scale: the thresholds of a LIF are in the
map's, and others multiply by a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from spikenas._util.errors import RunError
from spikenas.integers.bounds import Bounds
from spikenas.integers.folding import Folded, Reals, sent_for
from spikenas.integers.integers import NEURON_BIAS_MAX, IntegerNetwork, Leak
from spikenas.integers.machine import Integers
from spikenas.integers.reference import SPIKE_BITS, scaled
from spikenas.memory.kernels import Kernel, weight_steps
from spikenas.memory.program import MAP_MAX, Program, Step

_CLIPS = np.linspace(0.4, 1, 25)  # shares of the largest weight that are tried as the end of the scale
_WIDE_THRESHOLD = 1 << 12  # at most, of a LIF that reads 32-bit sums
_LARGEST_LEAK = 255
_LARGEST_TAU = 32
_MARGIN = 0.001  # of the first try to make a map coarser, doubled at each
_TRIES = 16
_DEAD = 1000  # a neuron whose weights are so many times smaller than the largest does not set the scale
_SUM_MAX = 2**31 - 1
_COARSEST = {8: 32, 4: 3.5, 2: 2}  # times coarser may worst sums make a map than weights of so many bits


@dataclass(frozen=True)
class Grid:
    """Holds what one integer step stands for.

    Attributes:
        maps: The unit of each group of maps (by its first map), per channel.
        ends: The unit of the sums of a stem, pointwise convolution or linear layer, per output.
    """

    maps: dict[str, Reals]
    ends: dict[str, Reals]


def make_grid(folded: Folded, input_scale: float) -> Grid:
    """Return the finest grid on which the weights fit their bits and every map 16 bits."""
    rounding = _Rounding(folded, input_scale)
    maps = rounding.finest_maps()
    return Grid(maps, {layer: rounding.finest(layer, weight) for layer, weight in rounding.end_weights(maps)})


def weight_units(folded: Folded, grid: Grid, input_scale: float) -> dict[str, Reals]:
    """Return by layer what its trained weights are multiplied with to be on the grid, broadcastable to them."""
    return _Rounding(folded, input_scale).units(grid)


def quantise(folded: Folded, input_scale: float, classes: tuple[str, ...], grid: Grid | None = None) -> IntegerNetwork:
    """Round a folded network to integers.

    Args:
        folded: Its real constants; the bits are those of its plan.
        input_scale: What one step of the 8-bit input stands for, in the data's scale.
        classes: Names, in the order of the outputs.
        grid: The grid to round to; its maps are coarsened where 16 bits would not hold the worst input. None makes one.
    Raises:
        RunError: The kernels cannot compute a neuron, or constants are not finite.
    """
    return _Rounding(folded, input_scale).network(grid or make_grid(folded, input_scale), classes)


class _Rounding:
    def __init__(self, folded: Folded, input_scale: float) -> None:
        self.folded, self.program, self.plan = folded, folded.program, folded.plan
        self.input_scale = input_scale
        self.groups, self.steps = _groups(self.program), weight_steps(self.program)
        self.zero = np.rint(folded.mean / input_scale).astype(np.int64)
        self.inputs = np.stack([np.minimum(-self.zero, 0), np.maximum(255 - self.zero, 0)])
        self.weights, self.biases = folded.weights, dict(folded.biases)
        for name, values in (*self.weights.items(), *self.biases.items()):
            if not np.isfinite(values).all():
                raise RunError(f"{name}: constants that are not finite; the network has not been trained to numbers")
        (self.stem,) = self._steps(lambda kernel: kernel.reads == "input")
        left = self.zero * input_scale - folded.mean  # by which the 8-bit zero misses the mean
        missed = (self.weights[self.stem.layer] * left[None, :, None, None]).sum((1, 2, 3))
        self.biases[self.stem.writes] = self.biases[self.stem.writes] + missed
        self.constants: dict[str, dict[str, Integers]] = {}

    def _steps(self, of: Callable[[Kernel], bool]) -> list[Step]:
        return [step for step in self.program.steps if of(step.record)]

    def finest_maps(self) -> dict[str, Reals]:
        """Return the scale of each channel of each group of maps."""
        real = {**self.weights, self.stem.layer: self.weights[self.stem.layer] * self.input_scale}
        for step in self._steps(lambda kernel: kernel.reads == "activations" and kernel.weighted):
            real[step.layer] = self._rounded(step.layer)  # of few bits they may add more than before
        bounds = Bounds(self.program, real, self.biases, self.inputs.astype(np.float64)).largest
        scales: dict[str, Reals] = {}
        for name, largest in bounds.items():
            group = self.groups[name]
            scales[group] = np.maximum(scales.get(group, 0), largest / (MAP_MAX - 64))
        crowded: dict[str, float] = {}
        fewest: dict[str, int] = {}  # bits of the weights that add to a group
        for step in self._steps(lambda kernel: kernel.weighted and not kernel.own_scale):
            group, finest = self.groups[step.writes], self.finest(step.layer, self.weights[step.layer])
            scales[group] = np.maximum(scales[group], finest)
            crowded[group] = crowded.get(group, 0.0) + float(np.median(self._worst_sums(step) / finest)) / MAP_MAX
            own = self.plan.by_name[step.layer].bits
            fewest[group] = min(fewest.get(group, own), own)
        for group, coarser in crowded.items():
            bits = fewest[group]
            if self.plan.levels > 1 and coarser > _COARSEST[bits]:
                raise RunError(
                    f"{group}: sums of neurons that send up to {self.plan.levels} spikes leave weights of {bits} bits "
                    "too few steps in 16 bits; take fewer network.levels or channels"
                )
        return {group: np.where(values > 0, values, 1.0) for group, values in scales.items()}

    def finest(self, layer: str, weight: Reals) -> Reals:
        """Return for each output the unit at which rounding loses least, by squared error; 8 bits clip nothing."""
        bits, step = self.plan.by_name[layer].bits, self.steps[layer]
        rows = np.abs(weight.reshape(len(weight), -1))
        most = ((1 << bits - 1) - 1) * step
        largest = np.maximum(rows.max(1), 1e-12)
        if bits == 8:
            unit: Reals = largest / most
            return unit
        units = largest[None] * _CLIPS[:, None] / most
        lost = [((on_grid(rows / unit[:, None], bits, step) * unit[:, None] - rows) ** 2).sum(1) for unit in units]
        best: Reals = np.take_along_axis(units, np.argmin(lost, axis=0)[None], 0)[0]
        return best

    def _worst_sums(self, step: Step) -> Reals:
        """Return the largest sum that a convolution of spikes can add, by output."""
        rows = self.weights[step.layer].reshape(len(self.weights[step.layer]), -1)
        worst: Reals = np.maximum(np.maximum(rows, 0).sum(1), np.maximum(-rows, 0).sum(1))
        return worst * self.plan.levels * step.record.pools

    def _rounded(self, layer: str) -> Reals:
        """Return the weights of a layer as multiples of their finest unit."""
        weight = self.weights[layer]
        unit = self.finest(layer, weight).reshape(-1, *(1,) * (weight.ndim - 1))
        return on_grid(weight / unit, self.plan.by_name[layer].bits, self.steps[layer]) * unit

    def end_weights(self, maps: Mapping[str, Reals]) -> Iterator[tuple[str, Reals]]:
        """Yield the weights of layers whose sums have a scale of their own, in the scale of what they read."""
        for step in self._steps(lambda kernel: kernel.own_scale):
            yield step.layer, self._of_inputs(step, self.weights[step.layer], maps)

    def units(self, grid: Grid) -> dict[str, Reals]:
        """Return what `weight_units` does."""
        found = {}
        for step in self._steps(lambda kernel: kernel.weighted):
            factor = self._of_inputs(step, self.folded.factors[step.layer], grid.maps)
            scale = grid.ends[step.layer] if step.record.own_scale else grid.maps[self.groups[step.writes]]
            found[step.layer] = factor / scale.reshape(-1, *(1,) * (factor.ndim - 1))
        return found

    def _of_inputs(self, step: Step, weight: Reals, maps: Mapping[str, Reals]) -> Reals:
        """What a weight is in the scale of what it is multiplied with."""
        if step.record.reads == "input":
            return weight * self.input_scale
        if step.record.reads == "map":
            return weight * maps[self.groups[step.reads[0]]][None, :, None, None]
        return weight

    def network(self, grid: Grid, classes: tuple[str, ...]) -> IntegerNetwork:
        """Return the integers."""
        maps = dict(grid.maps)
        for number in range(_TRIES):
            self._round(Grid(maps, grid.ends))
            over = {name: values / MAP_MAX for name, values in self._integer_bounds().items() if values.max() > MAP_MAX}
            if not over:
                break
            for name, factor in over.items():
                group = self.groups[name]
                margin = 1 + _MARGIN * 2**number  # coarser weights of few bits may add up to more than before
                maps[group] = maps[group] * np.where(factor > 1, factor * margin, 1)
        else:
            raise RunError("no scale was found at which every map fits 16 bits")
        zero = tuple(map(int, self.zero))
        return IntegerNetwork(
            self.program,
            self.constants,
            leak_of(self.plan.network.tau) if self._steps(lambda kernel: kernel.membrane) else Leak(1, 0),
            zero,
            self.input_scale,
            self.score_scale,
            classes,
        )

    def _round(self, grid: Grid) -> None:
        self.constants = {}
        for layer, unit in self.units(grid).items():
            weight = self.folded.originals[layer] * unit
            self.constants[layer] = {"weight": on_grid(weight, self.plan.by_name[layer].bits, self.steps[layer])}
        for step in self.program.steps:
            if step.record.own_scale and step.record.writes == "map":
                own = self.constants[step.layer]
                own["mul"], own["shift"] = ratios(grid.ends[step.layer] / grid.maps[self.groups[step.writes]])
            elif step.fires and step.record.reads == "map":
                make = self._neurons if self.plan.network.neuron == "lif" else self._counting_neurons
                make(step, grid.maps[self.groups[step.reads[0]]])
            if step.biases:
                bias = self.biases[step.writes] / grid.maps[self.groups[step.writes]]
                self.constants.setdefault(step.writes, {})["bias"] = np.rint(bias).astype(np.int64)
        self._head(grid)

    def _neurons(self, step: Step, scale: Reals) -> None:
        """Potentials less the reset, in units of the map that is read: a BatchNorm on the way moves both ends.

        Where it moves them beyond 16 bits, the map hardly matters: it is left out, and the unit is a coarser one.
        """
        layer, v_reset = self.plan.by_name[step.layer], self.plan.network.v_reset
        gain, offset = self.folded.scales.get(step.layer, (np.ones_like(scale), np.zeros_like(scale)))
        slope = np.maximum(np.abs(gain), 1e-12) * scale
        own = self.constants.setdefault(step.layer, {})
        threshold, reset = (layer.threshold - v_reset - offset) / slope, -offset / slope
        if step.record.reset:
            largest = np.maximum(np.abs(threshold), np.abs(reset))
            coarser = np.maximum(largest / MAP_MAX, 1)
            own["reset"] = _clipped(reset / coarser)
            own["sign"] = np.where(coarser > 1, 0, np.where(gain < 0, -1, 1))
            threshold = threshold / coarser
        own["threshold"] = _clipped(threshold)
        own["drop"] = self._drop(np.maximum(np.abs(own["threshold"]), np.abs(own.get("reset", 0))))

    def _counting_neurons(self, step: Step, scale: Reals) -> None:
        """What a unit of the map that is read adds, in spikes or in steps of an activation, and what is added to it."""
        unit = sent_for(self.plan, self.plan.by_name[step.layer]) / (1 << (SPIKE_BITS if step.record.membrane else 0))
        own = self.constants.setdefault(step.layer, {})
        if step.layer not in self.folded.scales:
            own["mul"], own["shift"] = ratios(scale / unit)
            return
        gain, offset = self.folded.scales[step.layer]
        slope, bias = gain * scale / unit, offset / unit + 0.5
        _, shift = ratios(np.abs(slope))
        room = np.floor(np.log2(NEURON_BIAS_MAX / np.maximum(np.abs(bias), 1)))
        own["shift"] = np.maximum(np.minimum(shift, room.astype(np.int64)), 1)
        own["mul"] = _clipped(slope * 2.0 ** own["shift"])
        own["bias"] = np.clip(np.rint(bias * 2.0 ** own["shift"]), -NEURON_BIAS_MAX, NEURON_BIAS_MAX).astype(np.int64)

    def _drop(self, largest: Integers) -> Integers:
        """The bits that an 8-bit membrane leaves out, so that it reaches nearly all thresholds and resets."""
        if self.plan.network.membrane_bits == 16:
            return np.zeros(1, dtype=np.int64)
        reached = float(np.quantile(largest, 0.95))
        return np.asarray([max(0, math.ceil(math.log2(max(reached, 1) / 127)))], dtype=np.int64)

    def _head(self, grid: Grid) -> None:
        """The linear layers behind the last LIF: sums of 32 bits, brought to one scale at the end."""
        for step in self._steps(lambda kernel: kernel.fires and kernel.reads == "accumulator"):
            self._wide_neurons(step, grid.ends[step.reads[0]])
        for step in self._steps(lambda kernel: kernel.reads == kernel.writes == "accumulator"):
            layer = self.plan.by_name[step.layer]
            if step.record.weighted:
                linear, group = layer.name, 1
                counted = self.plan.by_name[self.plan.by_name[step.reads[0]].terms[0].layer]
                counts = self.plan.network.timesteps * prod(counted.shape[1:])
            else:
                linear, group = step.reads[0], layer.kernel
                counts = self.plan.network.timesteps
            unit = grid.ends[linear] / counts / group
            sums = np.abs(self.constants[linear]["weight"]).sum(1) * counts * self.plan.levels
            if sums.max() > _SUM_MAX:
                sent = f" of neurons that send up to {self.plan.levels}" if self.plan.levels > 1 else ""
                raise RunError(f"{linear}: its sums over {counts} positions and timesteps{sent} do not fit 32 bits")
            worst = (sums * unit + np.abs(self.biases[linear]) / group).max() * group
            self.score_scale = float(max(unit.max(), worst / (_SUM_MAX / 2)))
            own = self.constants.setdefault(step.layer, {})
            own["mul"], own["shift"] = ratios(unit / self.score_scale)
            own["bias"] = np.rint(self.biases[linear] / group / self.score_scale).astype(np.int64)

    def _wide_neurons(self, step: Step, unit: Reals) -> None:
        threshold = (self.plan.by_name[step.layer].threshold - self.plan.network.v_reset) / unit
        alive = threshold[unit > unit.max() / _DEAD]
        shift = max(0, math.ceil(math.log2(alive.max() / _WIDE_THRESHOLD)))
        own = self.constants.setdefault(step.layer, {})
        own["shift"] = np.asarray([shift], dtype=np.int64)
        own["threshold"] = _clipped(threshold / 2**shift)
        own["drop"] = self._drop(np.abs(own["threshold"]))

    def _integer_bounds(self) -> dict[str, Reals]:
        def rescale(layer: str, sums: Reals) -> Reals:
            own = self.constants[layer]
            if np.abs(sums).max() > _SUM_MAX:
                raise RunError(f"{layer}: its sums over {own['weight'][0].size} weights do not fit 32 bits")
            both = np.sort(np.stack([scaled(side.astype(np.int64), own) for side in sums]), axis=0)
            return both.astype(np.float64)

        weights = {layer: own["weight"] for layer, own in self.constants.items() if "weight" in own}
        biases = {layer: own["bias"] for layer, own in self.constants.items() if "bias" in own}
        found = Bounds(self.program, weights, biases, self.inputs, rescale).largest
        rounded = len(self._steps(lambda kernel: kernel.rounds))
        return {name: values + rounded for name, values in found.items()}


def leak_of(tau: float) -> Leak:
    """Return 1 / tau with 8 bits, shortened.

    Raises:
        RunError: The tau is so large that potentials of 16 bits would hardly move.
    """
    if tau > _LARGEST_TAU:
        raise RunError(f"network.tau: integer neurons have a tau of at most {_LARGEST_TAU} timesteps, got {tau:g}")
    shift = next(shift for shift in range(14, -1, -1) if round(2**shift / tau) <= _LARGEST_LEAK)
    mul = round(2**shift / tau)
    while mul % 2 == 0 and shift:
        mul, shift = mul // 2, shift - 1
    return Leak(mul, shift)


def on_grid(values: Reals, bits: int, step: int) -> Integers:
    """Round to what weights of so many bits can be: multiples of a step, symmetric."""
    most = (1 << bits - 1) - 1
    return np.clip(np.rint(values / step), -most, most).astype(np.int64) * step


def ratios(values: Reals) -> tuple[Integers, Integers]:
    """Return (mul, shift) with mul / 2^shift nearest to each value, mul of 15 bits, shift 1 to 30."""
    shift = np.clip(14 - np.floor(np.log2(np.maximum(values, 1e-30))), 1, 30)
    mul = np.rint(values * 2**shift)
    shift = np.where((mul > MAP_MAX) & (shift > 1), shift - 1, shift)
    return np.clip(np.rint(values * 2**shift), 0, MAP_MAX).astype(np.int64), shift.astype(np.int64)


def _clipped(values: Reals) -> Integers:
    return np.clip(np.rint(values), -MAP_MAX, MAP_MAX).astype(np.int64)


def _groups(program: Program) -> dict[str, str]:
    """For each map the name of its group: maps that are added to or averaged into one another."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for step in program.steps:
        if step.record.reads == step.record.writes == "map" and not step.record.own_scale:
            parent[root(step.writes)] = root(step.reads[0])
    for step in program.steps:
        root(step.writes)
    for name, source in program.aliases.items():
        parent[root(name)] = root(source)
    return {name: root(name) for name in list(parent)}
