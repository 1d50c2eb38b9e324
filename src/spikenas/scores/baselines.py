"""Score a network by what is known without running it: a better score must beat these baselines."""

from __future__ import annotations

import math

from spikenas.memory import footprint
from spikenas.scores.probe import PlanScore
from spikenas.space.plan import Plan


def depth(plan: Plan) -> int:
    """Return the largest number of LIF layers on a path from input to output, feedback aside.

    A convolution of a cell is behind one LIF, so within a kind of network this is the longest path in convolutions plus
    a constant.
    """
    longest: dict[str, int] = {}
    for layer in plan.layers:
        before = (longest[term.layer] for term in layer.terms if not term.delayed)
        longest[layer.name] = max(before, default=0) + (layer.kind == "neuron")
    return longest[plan.layers[-1].name]


def convs(plan: Plan) -> int:
    """Count the convolutions, those of stem and reductions included; a depthwise-separable one counts once."""
    return sum(
        layer.kind == "conv" and any(reader.kind == "batchnorm" for reader, _ in plan.readers[layer.name])
        for layer in plan.layers
    )


def params(plan: Plan) -> int:
    """Count the learnable parameters."""
    return footprint(plan).params


def synapses(plan: Plan) -> int:
    """Count the connections that are computed for an item: weights times positions, in every timestep."""
    positions = (
        layer.weights * (layer.shape[1] * layer.shape[2] if layer.kind == "conv" else 1) for layer in plan.layers
    )
    return plan.network.timesteps * sum(positions)


def capacity(plan: Plan) -> float:
    """Weigh what a network can learn against what a step of learning costs: higher is better.

    In binary logarithms: the parameters, less a part of the connections that are computed, more a part of the numbers
    that a neuron can send at a time, and less a constant for LIF, whose gradients are poor. The parts are those that
    ranked random designs of all kinds best after two minutes of training each (docs/designs.md).
    """
    network = plan.network
    said = _SENT[0] * math.log2(1 + (RELU_AS_LEVELS if network.neuron == "relu" else plan.levels))
    lif = _SENT[1] if network.neuron == "lif" else 0.0
    return math.log2(footprint(plan).params) - _COST * math.log2(synapses(plan)) + said - lif


_COST = 0.6  # of a connection, beside a parameter
_SENT = 0.8, 2.0  # of the numbers that a neuron can send; of LIF
RELU_AS_LEVELS = 15
CAPACITY = PlanScore("capacity", "what a network can learn, by its plan", "this project, docs/designs.md", capacity)
PARAMS = PlanScore("params", "learnable parameters at the fidelity's width", "baseline", params)
DEPTH = PlanScore("depth", "most LIF layers on a path", "baseline", depth)
CONVS = PlanScore("convs", "number of convolutions", "baseline", convs)
