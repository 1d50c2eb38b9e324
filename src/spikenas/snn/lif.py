"""Compute the leaky integrate-and-fire neuron: one layer over all timesteps, or one step.

At every timestep, in the input's precision (at least float32) and in this order:

    v = v + (x - (v - v_reset)) / tau
    s = 1 if v >= v_threshold else 0
    v = v_reset where s = 1

The backward pass replaces the derivative of s by the ATan surrogate,
ds/dv = (alpha/2) / (1 + (pi/2 * alpha * (v - v_threshold))^2), and sends no gradient through the reset.

Source: Fang et al. 2021, arXiv 2007.05785 (the neuron and the surrogate as in SpikingJelly's LIFNode with
decay_input and detach_reset).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikenas._util.errors import ConfigError
from spikenas.snn import lif_kernels as kernels

_KERNEL_DTYPES = (torch.float32, torch.float64, torch.bfloat16)


class LIF(nn.Module):
    """A layer of leaky integrate-and-fire neurons turns currents into spikes; it keeps no state between calls.

    Args:
        timesteps: Number of timesteps T.
        tau: Membrane time constant in timesteps, at least 1.
        v_threshold: Potential from which a neuron fires.
        v_reset: Potential at the start and after a spike, below v_threshold.
        alpha: Sharpness of the ATan surrogate gradient.

    Shape:
        Input [T, B, ...], or [1, B, ...] for the same current at every timestep; output [T, B, ...].

    Raises:
        ConfigError: A parameter is out of its range.
    """

    def __init__(
        self,
        timesteps: int,
        tau: float = 4 / 3,
        v_threshold: float = 1.0,
        v_reset: float = 0.0,
        alpha: float = 2.0,
    ) -> None:
        super().__init__()
        _check_neuron(timesteps, tau, v_threshold, v_reset, alpha)
        self.timesteps = timesteps
        self.tau = tau
        self.v_threshold = v_threshold
        self.v_reset = v_reset
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes, [T, B, ...], of input currents, [T, B, ...] or [1, B, ...]."""
        return lif(x, self.timesteps, self.tau, self.v_threshold, self.v_reset, self.alpha)

    def extra_repr(self) -> str:
        """Return the parameters as they appear in the printed module."""
        return (
            f"timesteps={self.timesteps}, tau={self.tau:.6g}, v_threshold={self.v_threshold:g}, "
            f"v_reset={self.v_reset:g}, alpha={self.alpha:g}"
        )


def lif(
    x: Tensor,
    timesteps: int,
    tau: float = 4 / 3,
    v_threshold: float = 1.0,
    v_reset: float = 0.0,
    alpha: float = 2.0,
) -> Tensor:
    """Return the spikes of a layer of LIF neurons over all timesteps; they are differentiable once.

    Args:
        x: Input currents, floating point, [T, B, ...], or [1, B, ...] for the same current at every timestep.
            Membranes of bfloat16 and float16 inputs are float32.
        timesteps: Number of timesteps T.
        tau: Membrane time constant in timesteps, at least 1.
        v_threshold: Potential from which a neuron fires.
        v_reset: Potential at the start and after a spike, below v_threshold.
        alpha: Sharpness of the ATan surrogate gradient.

    Returns:
        Spikes, 0 or 1, [T, B, ...], of x's dtype and device.

    Raises:
        ConfigError: A parameter is out of its range, or x is not floating point or has another number of timesteps.
    """
    _check_neuron(timesteps, tau, v_threshold, v_reset, alpha)
    if not x.is_floating_point():
        raise ConfigError(f"LIF: the input must be floating point, but got {x.dtype}")
    if x.dim() == 0 or x.shape[0] not in (1, timesteps):
        raise ConfigError(f"LIF: the input must be [{timesteps} or 1, B, ...], but got {list(x.shape)}")
    on_cpu = x.device.type == "cpu"
    if x.dtype.itemsize < 4 and not (on_cpu and x.dtype in _KERNEL_DTYPES):
        return lif(x.float(), timesteps, tau, v_threshold, v_reset, alpha).to(x.dtype)
    function = _FusedLIF if on_cpu else _TorchLIF
    spikes: Tensor = function.apply(x, timesteps, tau, v_threshold, v_reset, alpha)
    return spikes


def lif_step(
    x: Tensor,
    v: Tensor,
    tau: float = 4 / 3,
    v_threshold: float = 1.0,
    v_reset: float = 0.0,
    alpha: float = 2.0,
) -> tuple[Tensor, Tensor]:
    """Compute one timestep, for cells with feedback; its loop over time is the reference for `lif`.

    Args:
        x: Input current, [B, ...].
        v: Potential after the last timestep, broadcastable to x; v_reset at first.
        tau: Membrane time constant in timesteps, at least 1.
        v_threshold: Potential from which a neuron fires.
        v_reset: Potential after a spike.
        alpha: Sharpness of the ATan surrogate gradient.

    Returns:
        Spikes, 0 or 1, of x's dtype, and the potential after the reset, at least float32; both of x's shape.
    """
    h = _charge(at_least_float32(x), at_least_float32(v), tau, v_reset)
    spikes: Tensor = _Fire.apply(h, v_threshold, alpha)
    return spikes.to(x.dtype), torch.where(spikes.detach() > 0, v_reset, h)


class _Fire(torch.autograd.Function):
    """The Heaviside step fires at the threshold and has the ATan surrogate as its derivative."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, v_threshold: float, alpha: float) -> Tensor:
        ctx.save_for_backward(h)
        ctx.surrogate = v_threshold, alpha
        return (h >= v_threshold).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives("LIF")
        (h,) = ctx.saved_tensors
        return grad * _surrogate(h, *ctx.surrogate), None, None


class _TorchLIF(torch.autograd.Function):
    """This LIF runs on any device; it saves its input alone and computes the potentials anew."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, timesteps: int, tau: float, v_threshold: float, v_reset: float, alpha: float
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.neuron = timesteps, tau, v_threshold, v_reset, alpha
        charged = _charge_all(x, timesteps, tau, v_threshold, v_reset)
        return torch.stack([h >= v_threshold for h in charged]).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives("LIF")
        (x,) = ctx.saved_tensors
        timesteps, tau, v_threshold, v_reset, alpha = ctx.neuron
        charged = _charge_all(x, timesteps, tau, v_threshold, v_reset)
        grad_x = torch.zeros_like(x)
        grad_v = torch.zeros_like(x[0])
        for t in reversed(range(timesteps)):
            h = charged[t]
            grad_h = grad_spikes[t] * _surrogate(h, v_threshold, alpha) + grad_v.masked_fill(h >= v_threshold, 0)
            charge = grad_h / tau
            grad_v = grad_h - charge
            grad_x[min(t, len(x) - 1)] += charge
        return grad_x, None, None, None, None, None


class _FusedLIF(torch.autograd.Function):
    """This LIF runs Numba kernels over all timesteps on the CPU; it saves its input alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, timesteps: int, tau: float, v_threshold: float, v_reset: float, alpha: float
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.timesteps = timesteps
        ctx.neuron = tau, v_threshold, v_reset, alpha
        order = memory_order(x)
        spikes = _empty((timesteps, *x.shape[1:]), x.dtype, order)
        kernels.lif_forward(_rows(x, order), _rows(spikes, order), torch.get_num_threads(), tau, v_threshold, v_reset)
        return spikes

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives("LIF")
        (x,) = ctx.saved_tensors
        order = memory_order(x)
        grad_x = _empty(x.shape, x.dtype, order)
        kernels.lif_backward(
            _rows(x, order),
            _rows(grad_x, order),
            _rows(grad_spikes, order),
            torch.get_num_threads(),
            *ctx.neuron,
        )
        return grad_x, None, None, None, None, None


def _check_neuron(timesteps: int, tau: float, v_threshold: float, v_reset: float, alpha: float) -> None:
    if timesteps < 1:
        raise ConfigError(f"LIF: timesteps must be at least 1, but got {timesteps}")
    if not 1 <= tau < math.inf:
        raise ConfigError(f"LIF: tau must be at least 1 timestep, but got {tau}")
    if not -math.inf < v_reset < v_threshold < math.inf:
        raise ConfigError(f"LIF: v_reset < v_threshold must hold, but got v_reset={v_reset}, v_threshold={v_threshold}")
    if not 0 < alpha < math.inf:
        raise ConfigError(f"LIF: alpha must be positive, but got {alpha}")


def refuse_second_derivatives(neuron: str) -> None:
    """Refuse a backward pass that is to be differentiated again, of a neuron of that name.

    Raises:
        NotImplementedError: It was called with create_graph=True.
    """
    if torch.is_grad_enabled():
        raise NotImplementedError(
            f"{neuron}: the surrogate gradient has no derivative; create_graph=True cannot be used"
        )


def at_least_float32(x: Tensor) -> Tensor:
    """Return a tensor as potentials are: float32, or what it is where that is wider."""
    return x.float() if x.dtype.itemsize < 4 else x


def _charge(x: Tensor, v: Tensor, tau: float, v_reset: float) -> Tensor:
    # A tensor on the device, since CUDA divides by a number by multiplying with its rounded inverse.
    return v + (x - (v - v_reset)) / torch.full((), tau, dtype=x.dtype, device=x.device)


def _charge_all(x: Tensor, timesteps: int, tau: float, v_threshold: float, v_reset: float) -> list[Tensor]:
    """Return the potentials before the reset, T times [B, ...]."""
    charged = []
    v = torch.full_like(x[0], v_reset)
    for t in range(timesteps):
        h = _charge(x[min(t, len(x) - 1)], v, tau, v_reset)
        charged.append(h)
        v = h.masked_fill(h >= v_threshold, v_reset)
    return charged


def _surrogate(h: Tensor, v_threshold: float, alpha: float) -> Tensor:
    return alpha / 2 / (1 + (math.pi / 2 * alpha * (h - v_threshold)) ** 2)


def memory_order(x: Tensor) -> list[int]:
    """Return the dimensions as they lie in memory, time first, so that channels-last maps need no copy."""
    return [0, *sorted(range(1, x.dim()), key=x.stride, reverse=True)]


def _empty(shape: tuple[int, ...], dtype: torch.dtype, order: list[int]) -> Tensor:
    flat = kernels.empty(tuple(shape[d] for d in order), dtype)
    return flat.permute([order.index(d) for d in range(len(order))])


def _rows(x: Tensor, order: list[int]) -> NDArray[Any]:
    """Return a view [T, N] of x, or a copy where x has another order in memory."""
    rows = x.detach().permute(order).contiguous().view(len(x), -1)
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()
