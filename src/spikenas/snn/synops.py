"""Count synaptic operations: the additions that spikes cause in the convolutions and linear layers that read them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from spikenas.space.plan import LayerSpec, Plan


def fan_out(plan: Plan, lif: LayerSpec) -> Tensor:
    """Count the additions that one spike of each neuron causes; dead ops that read it count too.

    Args:
        plan: Plan of the network.
        lif: LIF layer of the plan that the neurons are in.

    Returns:
        Additions, float64, [1, H, W] or [1].
    """
    total = torch.zeros(1, *lif.shape[1:], dtype=torch.float64)
    for reader, _ in plan.readers[lif.name]:
        if reader.weights:
            total += additions_of(reader)
    return total


def additions_of(reader: LayerSpec) -> Tensor | float:
    """Count the additions that one spike causes in one convolution or linear layer, by its place, float64 [H, W]."""
    if reader.kind != "conv":
        return float(reader.shape[0])
    rows, columns = (_coverage(reader.kernel, reader.stride, *sizes) for sizes in _sides(reader))
    return torch.outer(rows, columns) * (reader.shape[0] / reader.groups)


def _sides(conv: LayerSpec) -> list[tuple[int, int]]:
    return [(conv.in_shape[axis], conv.shape[axis]) for axis in (1, 2)]


@cache
def _coverage(kernel: int, stride: int, inputs: int, outputs: int) -> Tensor:
    """Count, for each input position along one axis, the output positions whose window holds it."""
    place = torch.arange(inputs) - (torch.arange(outputs) * stride - kernel // 2)[:, None]
    return ((place >= 0) & (place < kernel)).sum(0).double()


def connections_of(layer: LayerSpec) -> int:
    """Count the weights of a layer, each as often as it is used at a timestep."""
    return layer.weights * (layer.shape[1] * layer.shape[2] if layer.kind == "conv" else 1)


def multiplications_of(plan: Plan, layer: LayerSpec) -> int:
    """Count the multiplications of a layer whose input is not spikes; once where it is static or averaged over T."""
    spikes = layer.weights and plan.by_name[layer.terms[0].layer].kind == "neuron" and plan.network.is_spiking
    if not layer.weights or spikes:
        return 0
    averaged = layer.kind == "linear" and not any(reader.kind == "neuron" for reader, _ in plan.readers[layer.name])
    times = 1 if layer.static or averaged else plan.network.timesteps
    return times * connections_of(layer)
