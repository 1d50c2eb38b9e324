"""Runs integer networks on batches of tensors, on any device: the same numbers as the reference, faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from spikenas._util.errors import RunError
from spikenas.integers.folding import pooled_before
from spikenas.integers.machine import Machine, execute
from spikenas.integers.reference import SHORT_DROP, SPIKE_BITS
from spikenas.memory.kernels import bit_planes
from spikenas.memory.program import MAP_MAX, Step

if TYPE_CHECKING:
    from spikenas.integers.integers import IntegerNetwork


_EXACT = 1 << 24  # integers up to which single precision is exact


@torch.no_grad()
def run_batch(
    network: IntegerNetwork,
    frames: Tensor,
    clipped: dict[str, tuple[int, int]] | None = None,
    fired: dict[str, Tensor] | None = None,
) -> Tensor:
    """Compute the outputs of a batch.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, B, C, H, W], uint8.
        clipped: A dict that takes, by layer of neurons, how many updates its membranes were too short for, and how many
            there were; without those whose membranes hold every potential.
        fired: A dict that takes, by layer of neurons, how often each bit of a neuron's number of spikes is set, the
            lowest first, and then how often any is, over the batch and all timesteps, float64 [bits + 1, C, H, W].
    Returns:
        The scores, int64 [B, classes].
    Raises:
        RunError: The input has another shape.
    """
    spec = network.plan.input
    leading = 1 if spec.static else network.plan.network.timesteps
    if frames.dtype != torch.uint8 or (frames.shape[0], *frames.shape[2:]) != (
        leading,
        spec.channels,
        spec.height,
        spec.width,
    ):
        raise RunError(
            f"the network takes uint8 [{leading}, B, {spec.channels}, {spec.height}, {spec.width}], "
            f"got {list(frames.shape)}"
        )
    machine: Machine[Tensor] = _Batched(network, frames, clipped, fired)
    scores: Tensor = execute(network.program, machine, list(frames))
    return scores


class _Batched:
    """Maps are int32 [B, C, H, W]. Convolutions run in a floating point that is exact for sums of their size."""

    def __init__(
        self,
        network: IntegerNetwork,
        frames: Tensor,
        clipped: dict[str, tuple[int, int]] | None,
        fired: dict[str, Tensor] | None,
    ) -> None:
        self.network, self.plan, self.clipped, self.fired = network, network.plan, clipped, fired
        self.batch, self.device = frames.shape[1], frames.device
        self.constants = {
            layer: {name: torch.from_numpy(value).to(self.device) for name, value in named.items()}
            for layer, named in network.constants.items()
        }
        self.membranes: dict[str, Tensor] = {}

    def zero(self, name: str) -> Tensor:
        shape = self.plan.by_name[name.removesuffix(".last")].shape
        dtype = torch.int32 if len(shape) == 3 else torch.int64
        return torch.zeros(self.batch, *shape, dtype=dtype, device=self.device)

    def compute(self, step: Step, reads: Sequence[Tensor], target: Tensor | None) -> Tensor:
        old = self.zero(step.layer) if target is None else target
        if step.biases:
            old = old + _channels(self.constants[step.writes]["bias"])
        return COMPUTES[step.kernel](self, step, reads, old)

    def convolve(self, step: Step, x: Tensor, largest: int) -> Tensor:
        layer = self.plan.by_name[step.layer]
        weight = self.constants[step.layer]["weight"]
        dtype = torch.float32 if largest * 128 * weight[0].numel() <= _EXACT else torch.float64
        weight = weight.to(dtype)
        sums = F.conv2d(x.to(dtype), weight, None, layer.stride, layer.kernel // 2, 1, layer.groups)
        return sums.round().int()  # rounded, since some algorithms of convolution are not exact

    def fire(self, step: Step, x: Tensor, reset: Tensor | None = None) -> Tensor:
        own, leak = self.constants[step.layer], self.network.leak
        bits, drop = self.plan.network.membrane_bits, int(own["drop"])
        threshold = _channels(own["threshold"], x.dim())
        reset = torch.zeros_like(threshold) if reset is None else reset
        high = (1 << bits - 1) - 1
        v = self.membranes.get(step.layer)
        if v is None:
            v = _round_shift(reset, drop).clamp(-high - 1, high).expand_as(x)
        v = v << drop
        v = v + _round_shift((x - v) * leak.mul, leak.shift)
        spikes = v >= threshold
        self.keep(step, _round_shift(torch.where(spikes, reset, v), drop), count=bits == 8)
        return self.sent(step, spikes.int())

    def keep(self, step: Step, potentials: Tensor, count: bool = True) -> None:
        """Saturate potentials to what membranes hold."""
        high = (1 << self.plan.network.membrane_bits - 1) - 1
        stored = potentials.clamp(-high - 1, high)
        if self.clipped is not None and count:
            short, updates = self.clipped.get(step.layer, (0, 0))
            self.clipped[step.layer] = short + int((potentials != stored).sum()), updates + potentials.numel()
        self.membranes[step.layer] = stored

    def sent(self, step: Step, spikes: Tensor) -> Tensor:
        """Count spikes where that is wanted, and return them."""
        if self.fired is not None:
            told = [*(spikes >> bit & 1 for bit in range(bit_planes(self.plan))), spikes > 0]
            counts = torch.stack([one.sum(0, dtype=torch.float64).cpu() for one in told])
            self.fired[step.layer] = self.fired.get(step.layer, torch.zeros_like(counts)) + counts
        return spikes

    def charged(self, step: Step, x: Tensor) -> Tensor:
        own = self.constants[step.layer]
        if "bias" not in own:
            return _scaled(x, own)
        mul, bias, shift = (_channels(own[name], x.dim()) for name in ("mul", "bias", "shift"))
        return (x * mul + bias) >> shift


def _old(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old


def _add(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + step.times * reads[0]


def _copy(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return reads[0]


def _stem(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    centred = reads[0].int() - _channels(torch.tensor(machine.network.zero, device=machine.device))
    return old + _scaled(machine.convolve(step, centred, 255), machine.constants[step.layer])


def _avgpool(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    k = machine.plan.by_name[step.layer].kernel
    factor = ((1 << 16) + k * k // 2) // (k * k)
    total = F.avg_pool2d(reads[0].double(), k, 1, k // 2, divisor_override=1).round().long()
    return old + ((total * factor + (1 << 15)) >> 16).int()


def _lif(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return machine.fire(step, reads[0])


def _lif_bn(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    sign, reset = (_channels(machine.constants[step.layer][name], reads[0].dim()) for name in ("sign", "reset"))
    return machine.fire(step, reads[0] * sign, reset)


def _lif_wide(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    shifted = _round_shift(reads[0], int(machine.constants[step.layer]["shift"]))
    return machine.fire(step, shifted.clamp(-MAP_MAX, MAP_MAX).int())


def _ilif(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    leak, drop = machine.network.leak, 0 if machine.plan.network.membrane_bits == 16 else SHORT_DROP
    v = machine.membranes.get(step.layer, torch.zeros_like(reads[0])) << drop
    v = v - _round_shift(v * leak.mul, leak.shift) + machine.charged(step, reads[0])
    spikes = _round_shift(v, SPIKE_BITS).clamp(0, machine.plan.levels)
    machine.keep(step, _round_shift(v - (spikes << SPIKE_BITS), drop))
    return machine.sent(step, spikes)


def _stateless(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return machine.sent(step, machine.charged(step, reads[0]).clamp(0, machine.plan.levels))


def _conv(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + machine.convolve(step, reads[0], machine.plan.levels)


def _conv_pool(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + _pooled(machine.convolve(step, reads[0], machine.plan.levels))


def _dense(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + _scaled(machine.convolve(step, reads[0], machine.plan.levels), machine.constants[step.layer])


def _dense_pool(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    sums = _pooled(machine.convolve(step, reads[0], machine.plan.levels))
    return old + _scaled(sums, machine.constants[step.layer])


def _pointwise(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + _scaled(machine.convolve(step, reads[0], MAP_MAX), machine.constants[step.layer])


def _count(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    return old + reads[0].sum((2, 3), dtype=torch.int64)


def _linear(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    x = reads[0].double()
    if pool := pooled_before(machine.plan, machine.plan.by_name[step.layer]):
        x = F.avg_pool2d(x, pool.kernel, divisor_override=1)
    return old + F.linear(x.flatten(1), machine.constants[step.layer]["weight"].double()).round().long()


def _scores(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    own = machine.constants[step.layer]
    return _scaled(F.linear(reads[0].double(), own["weight"].double()).round().long(), own) + own["bias"]


def _votes(machine: _Batched, step: Step, reads: Sequence[Tensor], old: Tensor) -> Tensor:
    own, layer = machine.constants[step.layer], machine.plan.by_name[step.layer]
    votes = _scaled(reads[0], own) + own["bias"]
    return votes.reshape(len(votes), layer.shape[0], layer.kernel).sum(2)


# As in the reference.
COMPUTES: dict[str, Callable[[_Batched, Step, Sequence[Tensor], Tensor], Tensor]] = {
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
    "depthwise": _conv,
    "dense": _dense,
    "dense_pool": _dense_pool,
    "dense_depthwise": _dense,
    "pointwise": _pointwise,
    "count": _count,
    "total": _count,
    "linear": _linear,
    "scores": _scores,
    "votes": _votes,
    "zero": _old,
    "copy": _copy,
}


def _pooled(sums: Tensor) -> Tensor:
    """Sums over 2x2 pixels; in double precision, which is exact for 32 bits."""
    return F.avg_pool2d(sums.double(), 2, divisor_override=1).round().int()


def _channels(values: Tensor, dim: int = 4) -> Tensor:
    """[C] along the second of so many dimensions."""
    return values.int().reshape(1, -1, *(1,) * (dim - 2))


def _scaled(value: Tensor, own: dict[str, Tensor]) -> Tensor:
    shape = (1, -1, *(1,) * (value.dim() - 2))
    mul, shift = own["mul"].reshape(shape), own["shift"].reshape(shape)
    return ((value.long() * mul + (1 << (shift - 1))) >> shift).to(value.dtype)


def _round_shift(value: Tensor, shift: int) -> Tensor:
    return (value + ((1 << shift) >> 1)) >> shift
