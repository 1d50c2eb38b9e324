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


def cost(plan: Plan) -> int:
    """Count what is computed for an item: connections at all positions, and neurons as some each, in every timestep."""
    positions = (
        layer.weights * (layer.shape[1] * layer.shape[2] if layer.kind == "conv" else 1) for layer in plan.layers
    )
    neurons = sum(layer.size for layer in plan.neurons)
    return plan.network.timesteps * (sum(positions) + _NEURON * neurons)


def capacity(plan: Plan, reach: float = math.inf) -> float:
    """Weigh what a network can learn against how far it comes in the time that there is; higher is better.

    In binary logarithms: the parameters, and what is computed for an item, which is how finely they look at it; more
    for neurons that can send more numbers at a time, less for LIF, whose gradients are poor. A network that sees each
    item less than twenty times in the time that there is has learnt less, by 1.6 for each halving.

    Args:
        plan: The network.
        reach: What can be computed in the training for each item of the training set, in units of `cost`; without a
            limit, how long a network learns is no matter.
    """
    network, work = plan.network, cost(plan)
    levels = _RELU_LEVELS if network.neuron == "relu" else plan.levels
    lif = _LIF if network.neuron == "lif" else 0.0
    behind = max(0.0, math.log2(_EPOCHS * work / reach)) if work and math.isfinite(reach) else 0.0
    return math.log2(footprint(plan).params * work) + _SENT * math.log2(1 + levels) - lif - _BEHIND * behind


_NEURON = 30  # connections that take as long as a neuron
_EPOCHS = 20  # after which a network has learnt most
_BEHIND, _SENT, _LIF = 1.6, 0.8, 2.0  # where they are from: docs/designs.md
_RELU_LEVELS = 15
CAPACITY = PlanScore(
    "capacity", "what a network can learn, and how far it comes", "this project, docs/designs.md", capacity, capacity
)
PARAMS = PlanScore("params", "learnable parameters at the fidelity's width", "baseline", params)
DEPTH = PlanScore("depth", "most LIF layers on a path", "baseline", depth)
CONVS = PlanScore("convs", "number of convolutions", "baseline", convs)
