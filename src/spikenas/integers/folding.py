"""Folds the BatchNorms of a trained network: what each kernel of its program needs, as real numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spikenas.memory.lowering import make_program
from spikenas.memory.program import Program
from spikenas.snn.network import Network, module_key
from spikenas.space.plan import RELU_BOUND, LayerSpec, Plan
from spikenas.training.checkpoint import Model

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Folded:
    """Holds the real constants of a program.

    Attributes:
        program: The program.
        originals: The weights of convolutions and linear layers as they were trained.
        factors: What each is multiplied with, BatchNorm, poolings, input and what neurons send included; broadcastable
            to it.
        biases: The biases of each map that has some, [C], and of linear layers.
        scales: (scale, bias), [C] each, of the BatchNorm that a LIF reads through, where one does not fold.
        mean: Mean of each of the input's channels; the stem takes the input less that.
    """

    program: Program
    originals: dict[str, Reals]
    factors: dict[str, Reals]
    biases: dict[str, Reals]
    scales: dict[str, tuple[Reals, Reals]]
    mean: Reals

    @property
    def plan(self) -> Plan:
        """Return the plan of the program."""
        return self.program.plan

    @property
    def weights(self) -> dict[str, Reals]:
        """Return the folded weights, by layer."""
        return {name: weight * self.factors[name] for name, weight in self.originals.items()}


def fold(model: Model) -> Folded:
    """Fold BatchNorms, the divisors of poolings and the deviation of the input into weights and biases."""
    network, plan = model.network, model.network.plan
    program = make_program(plan)
    originals = {layer.name: _array(_module(network, layer), "weight") for layer in plan.layers if layer.weights}
    factors = {name: np.ones((len(weight), *(1,) * (weight.ndim - 1))) for name, weight in originals.items()}
    added: dict[str, Reals] = {}
    scales: dict[str, tuple[Reals, Reals]] = {}
    for layer in plan.layers:
        if layer.kind != "batchnorm":
            continue
        scale, bias = _affine(network, layer)
        if plan.folds(layer):
            for part in _folded_parts(plan, layer):
                if part.kind == "conv":
                    factors[part.name] = factors[part.name] * scale[:, None, None, None]
                else:
                    added[part.name] = added[part.name] * scale
            added[layer.name] = bias
        else:
            for reader, _ in plan.readers[layer.name]:
                scales[reader.name] = scale, bias
    biases: dict[str, Reals] = {}
    for name, bias in added.items():
        home = program.homes[name]
        biases[home] = biases.get(home, np.zeros_like(bias)) + bias
    for step in program.steps:
        if step.record.pools > 1:
            factors[step.layer] = factors[step.layer] / step.record.pools
        elif step.record.reads == "input":
            deviation = np.asarray(model.statistics.std, dtype=np.float64)
            factors[step.layer] = factors[step.layer] / deviation[None, :, None, None]
    for layer in plan.layers:
        if layer.kind == "linear" and layer.bias:
            biases[layer.name] = _array(_module(network, layer), "bias")
        if layer.kind == "linear" and (pool := pooled_before(plan, layer)):
            factors[layer.name] = factors[layer.name] / pool.kernel**2
        if not plan.network.is_spiking and layer.weights and _reads_neurons(plan, layer):
            factors[layer.name] = factors[layer.name] * (RELU_BOUND / plan.levels)
    mean = np.asarray(model.statistics.mean, dtype=np.float64)
    return Folded(program, originals, factors, biases, scales, mean)


def pooled_before(plan: Plan, linear: LayerSpec) -> LayerSpec | None:
    """Return the average pooling whose result a linear layer reads, if it reads one."""
    before = plan.by_name[linear.terms[0].layer]
    if before.kind == "dropout":
        before = plan.by_name[before.terms[0].layer]
    return before if before.kind == "avgpool" else None


def sent_for(plan: Plan, neurons: LayerSpec) -> float:
    """Return the potential for which a neuron sends one spike, or of a ReLU one step of its activation."""
    return RELU_BOUND / plan.levels if plan.network.neuron == "relu" else neurons.threshold


def _reads_neurons(plan: Plan, layer: LayerSpec) -> bool:
    before = plan.by_name[layer.terms[0].layer]
    return before.kind == "neuron" or (before.kind == "globalpool" and _reads_neurons(plan, before))


def _folded_parts(plan: Plan, layer: LayerSpec) -> list[LayerSpec]:
    """The convolutions and BatchNorms that a BatchNorm behind them scales."""
    before = plan.by_name[layer.terms[0].layer]
    if before.kind == "conv":
        return [before]
    if before.kind == "batchnorm":
        return [before, *_folded_parts(plan, before)]
    parts = [plan.by_name[term.layer] for term in before.terms]
    return [found for part in parts for found in (part, *_folded_parts(plan, part))]


def _affine(network: Network, layer: LayerSpec) -> tuple[Reals, Reals]:
    norm = _module(network, layer)
    if not isinstance(norm, nn.BatchNorm2d):
        raise TypeError(f"{layer.name}: not a BatchNorm")
    gamma, beta, mean, variance = (_array(norm, key) for key in ("weight", "bias", "running_mean", "running_var"))
    scale = gamma / np.sqrt(variance + norm.eps)
    return scale, beta - mean * scale


def _module(network: Network, layer: LayerSpec) -> nn.Module:
    return network.layers[module_key(layer.name)]


def _array(module: nn.Module, key: str) -> Reals:
    return np.asarray(module.state_dict()[key].detach().cpu().numpy(), dtype=np.float64)
