"""Compute the integer-valued neuron, which sends 0 to D spikes in a timestep, and the twin that does not spike.

At every timestep, in this order:

    v = v * (1 - 1 / tau) + x
    n = min(max(round(v / v_threshold), 0), D)      a half goes to the even number
    v = v - n * v_threshold

Potentials are float32 or wider, and begin at 0. The neuron sends n spikes. The backward pass takes n for a straight
line where it is not cut off, dn/dv = 1/v_threshold for 0 < v < D v_threshold, else 0; no gradient goes through the
reset.
At T = 1 nothing is left of v, and the step is one rounding.

Sources: Luo et al. 2024, arXiv 2407.20708 (integer values in training, D spikes at inference); the text of the twin is
in `BoundedReLU`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from spikenas._util.errors import ConfigError
from spikenas.snn.lif import at_least_float32, memory_order, refuse_second_derivatives
from spikenas.space.plan import RELU_BOUND


class ILIF(nn.Module):
    """A layer of integer-valued leaky neurons turns currents into numbers of spikes; it keeps no state between calls.

    Args:
        timesteps: Number of timesteps T.
        levels: Most spikes D of a neuron in one timestep.
        tau: Membrane time constant in timesteps, at least 1; of no effect at T = 1.
        v_threshold: Potential that one spike stands for.

    Shape:
        Input [T, B, ...], or [1, B, ...] for the same current at every timestep; output [T, B, ...].

    Raises:
        ConfigError: A parameter is out of its range.
    """

    def __init__(self, timesteps: int, levels: int, tau: float = 4 / 3, v_threshold: float = 1.0) -> None:
        super().__init__()
        _check_neuron(timesteps, levels, tau, v_threshold)
        self.timesteps = timesteps
        self.levels = levels
        self.tau = tau
        self.v_threshold = v_threshold

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers of spikes, [T, B, ...], of input currents, [T, B, ...] or [1, B, ...].

        Raises:
            ConfigError: x is not floating point or has another number of timesteps.
        """
        if not x.is_floating_point():
            raise ConfigError(f"ILIF: the input must be floating point, but got {x.dtype}")
        if x.dim() == 0 or x.shape[0] not in (1, self.timesteps):
            raise ConfigError(f"ILIF: the input must be [{self.timesteps} or 1, B, ...], but got {list(x.shape)}")
        if self.timesteps == 1:
            return spikes_of(x, self.levels, self.v_threshold)
        sent, v = [], None
        for t in range(self.timesteps):
            spikes, v = ilif_step(x[min(t, len(x) - 1)], v, self.levels, self.tau, self.v_threshold)
            sent.append(spikes)
        order = memory_order(x)
        stacked = torch.stack([spikes.permute([d - 1 for d in order[1:]]) for spikes in sent])
        return stacked.permute([order.index(d) for d in range(x.dim())])

    def extra_repr(self) -> str:
        """Return the parameters as they appear in the printed module."""
        return f"timesteps={self.timesteps}, levels={self.levels}, tau={self.tau:.6g}, v_threshold={self.v_threshold:g}"


def ilif_step(
    x: Tensor, v: Tensor | None, levels: int, tau: float = 4 / 3, v_threshold: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Compute one timestep.

    Args:
        x: Input current, [B, ...].
        v: Potential after the last timestep, float32 or wider; None at first, when it is 0.
        levels: Most spikes D.
        tau: Membrane time constant in timesteps, at least 1.
        v_threshold: Potential that one spike stands for.

    Returns:
        Numbers of spikes, 0 to D, of x's dtype, and the potential that is left, at least float32; both of x's shape.
    """
    charged = at_least_float32(x)
    if v is not None:
        charged = torch.add(charged, v, alpha=1 - 1 / tau)
    spikes = spikes_of(charged, levels, v_threshold)
    return spikes.to(x.dtype), charged.sub(spikes.detach(), alpha=v_threshold)


def spikes_of(v: Tensor, levels: int, v_threshold: float = 1.0) -> Tensor:
    """Return the numbers of spikes, 0 to levels, of potentials; of their shape and dtype, differentiable once."""
    spikes: Tensor = _Levels.apply(v, levels, v_threshold)
    return spikes


class _Levels(torch.autograd.Function):
    """Rounding to 0..D takes a straight line as its derivative, from where a neuron could fire to where it fires D."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, levels: int, v_threshold: float) -> Tensor:
        ctx.save_for_backward(v)
        ctx.neuron = levels, v_threshold
        if v_threshold == 1:
            return v.round().clamp_(0, levels)
        return at_least_float32(v).div(v_threshold).round_().clamp_(0, levels).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        refuse_second_derivatives("ILIF")
        (v,) = ctx.saved_tensors
        levels, v_threshold = ctx.neuron
        inside: Tensor = torch.ops.aten.hardtanh_backward(grad, v, 0.0, levels * v_threshold)
        return inside if v_threshold == 1 else inside.div_(v_threshold), None, None


def _check_neuron(timesteps: int, levels: int, tau: float, v_threshold: float) -> None:
    if timesteps < 1:
        raise ConfigError(f"ILIF: timesteps must be at least 1, but got {timesteps}")
    if levels < 1:
        raise ConfigError(f"ILIF: levels must be at least 1, but got {levels}")
    if not 1 <= tau < math.inf:
        raise ConfigError(f"ILIF: tau must be at least 1 timestep, but got {tau}")
    if not 0 < v_threshold < math.inf:
        raise ConfigError(f"ILIF: v_threshold must be positive, but got {v_threshold}")


class BoundedReLU(nn.Hardtanh):
    """The twin's activation is min(max(x, 0), 6), at each timestep for itself.

    Its bound is what lets a byte hold it on a device without any calibration, as 255 steps of 6/255.

    Source: Howard et al. 2017, arXiv 1704.04861 (MobileNets are trained with this bound).
    """

    def __init__(self) -> None:
        super().__init__(0.0, RELU_BOUND)
