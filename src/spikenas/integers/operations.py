"""Counts what an inference of an integer network computes and reads, as the literature compares networks.

None of these figures is that of a device: they leave out what a processor does besides. NeuroBench is Yik et al. 2025;
the two energies are those that papers give most often (Horowitz 2014, 45 nm, 32-bit floating point: 0.9 pJ an addition,
4.6 pJ a multiplication with addition), and, with memory, by the model of Lemaire et al. 2022 (32-bit integers, 0.1 pJ
an addition, 3.2 pJ a multiplication with addition, and an access of a memory of 8 KiB, 32 KiB and 1 MiB 10, 20 and
100 pJ, interpolated; additions for addresses are left out).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.integers.tensors import run_batch
from spikenas.memory.kernels import tables
from spikenas.memory.program import bytes_of
from spikenas.snn.synops import additions_of, connections_of, multiplications_of
from spikenas.space.plan import LayerSpec

ADDITION_PJ, MULTIPLICATION_PJ = 0.9, 4.6  # Horowitz
_ADD_PJ, _MULTIPLY_PJ = 0.1, 3.2  # Lemaire
_MEMORY_BYTES, _ACCESS_PJ = (8 << 10, 32 << 10, 1 << 20), (10.0, 20.0, 100.0)


@dataclass(frozen=True)
class Operations:
    """Holds what one inference takes, on average over items.

    Attributes:
        footprint_bytes: Weights and constants of neurons, at the bits of the device.
        connection_sparsity: Share of weights that are 0.
        activation_sparsity: Share of neurons and timesteps that send nothing.
        dense: Operations of all connections, at every timestep.
        effective_acs: Additions of weights that are not 0, for spikes that are 0 or 1.
        effective_macs: Multiplications of weights that are not 0 by numbers of spikes and activations that are not 0;
            by what is neither, such as the input and sums, all.
        literature_joules: 0.9 pJ a synop, 4.6 pJ a multiplication of others.
        memory_joules: With what each operation reads and writes, after Lemaire et al. 2022.
    """

    footprint_bytes: int
    connection_sparsity: float
    activation_sparsity: float
    dense: float
    effective_acs: float
    effective_macs: float
    literature_joules: float
    memory_joules: float


def operations_of(network: IntegerNetwork, frames: NDArray[np.uint8]) -> Operations:
    """Count the operations of an inference.

    Args:
        network: The integers.
        frames: 8-bit input, [1 or T, B, C, H, W].
    """
    plan, items = network.plan, int(frames.shape[1])
    fired: dict[str, torch.Tensor] = {}
    run_batch(network, torch.from_numpy(frames), fired=fired)
    sent = {name: bits[-1] / items for name, bits in fired.items()}  # neurons that send, an inference
    spikes = {name: _numbers(bits[:-1]) / items for name, bits in fired.items()}
    timesteps = plan.network.timesteps
    steps = {step.layer: timesteps if step.phase == "each" else 1 for step in network.program.steps}
    weights = [network.constants[layer.name]["weight"] for layer in plan.layers if layer.weights]
    zeros = sum(int((one == 0).sum()) for one in weights)
    dense, synops, effective, others, memory = 0.0, 0.0, {"acs": 0.0, "macs": 0.0}, 0.0, 0.0
    for layer in plan.layers:
        if not layer.weights:
            continue
        times = steps.get(layer.name, 1)
        dense += times * connections_of(layer)
        weight, before = network.constants[layer.name]["weight"], plan.by_name[layer.terms[0].layer]
        kind = "acs" if before.kind == "neuron" and plan.levels == 1 else "macs"
        if before.kind == "neuron":
            effective[kind] += float((sent[before.name] * _targets(layer, weight, before)).sum())
        else:
            effective[kind] += multiplications_of(plan, layer) * float(np.mean(weight != 0))
        if before.kind == "neuron" and plan.network.is_spiking:
            added = float((spikes[before.name] * additions_of(layer)).sum())
            synops += added
            memory += _memory_pj(layer, added, _ADD_PJ, times)
        else:
            others += multiplications_of(plan, layer)
            memory += _memory_pj(layer, times * connections_of(layer), _MULTIPLY_PJ, times)
    every = sum(layer.size for layer in plan.neurons) * timesteps
    return Operations(
        sum(table.size_bytes for step in network.program.steps for table in tables(plan, step).values()),
        zeros / sum(one.size for one in weights),
        1 - sum(float(one.sum()) for one in sent.values()) / every if sent else 0.0,
        dense,
        effective["acs"],
        effective["macs"],
        1e-12 * (ADDITION_PJ * synops + MULTIPLICATION_PJ * others),
        1e-12 * memory,
    )


def _numbers(bits: torch.Tensor) -> torch.Tensor:
    return sum((bit * 2**place for place, bit in enumerate(bits)), torch.zeros_like(bits[0]))


def _targets(layer: LayerSpec, weight: Integers, neurons: LayerSpec) -> torch.Tensor:
    """Return how many weights that are not 0 go from each neuron, in the shape of the neurons or [C, 1, 1]."""
    used = torch.from_numpy(weight != 0).double()
    if layer.kind != "conv":
        return used.sum(0).reshape(neurons.shape if used.shape[1] == neurons.size else (-1, 1, 1))
    by_input = used.transpose(0, 1) if layer.groups > 1 else used.sum(0, keepdim=True)
    outputs = torch.ones(1, 1, *layer.shape[1:], dtype=torch.float64)
    sides = zip(layer.in_shape[1:], layer.shape[1:], strict=True)
    rest = [into - (out - 1) * layer.stride + layer.kernel // 2 * 2 - layer.kernel for into, out in sides]
    return torch.nn.functional.conv_transpose2d(outputs, by_input, None, layer.stride, layer.kernel // 2, rest)[0]


def _memory_pj(layer: LayerSpec, operations: float, each_pj: float, times: int) -> float:
    """Each operation reads a weight, reads and writes a sum; each sum is written once more a timestep, and read."""
    weights = -(-layer.weights * layer.bits // 8)
    sums = access_pj(bytes_of("map", layer.shape[0], prod(layer.shape[1:]), 1))
    return operations * (each_pj + access_pj(weights) + 2 * sums) + times * 2 * layer.size * sums


def access_pj(size_bytes: float) -> float:
    """Return the energy of an access of a memory of this size, in picojoules."""
    return float(np.interp(size_bytes, _MEMORY_BYTES, _ACCESS_PJ))
