"""Score a network by what is known without running it: a better score must beat these baselines."""

from __future__ import annotations

import math

from spikenas.memory.model import params as params_of
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
    return sum(map(params_of, plan.layers))


def cost(plan: Plan) -> int:
    """Count what is computed for an item: connections at all positions, and neurons as some each, in every timestep."""
    positions = (
        layer.weights * (layer.shape[1] * layer.shape[2] if layer.kind == "conv" else 1) for layer in plan.layers
    )
    neurons = sum(layer.size for layer in plan.neurons)
    return plan.network.timesteps * (sum(positions) + _NEURON * neurons)


def shortfall(epochs: float) -> float:
    """Return by how many points of accuracy a training of so many epochs falls short of a long one."""
    return _STEEP * max(0.0, math.log2(_ENOUGH) - math.log2(epochs)) ** 2 if epochs > 0 else math.inf


def idle(plan: Plan) -> int:
    """Count the cells without a convolution, which pass on what they are given."""
    working = {layer.name.partition(".")[0] for layer in plan.layers if layer.kind == "conv"}
    return sum(f"cell{number}" not in working for number in range(1, len(plan.genotype.cells) + 1))


def capacity(plan: Plan, reach: float = math.inf) -> float:
    """Weigh what a network can learn against how far it comes in the time that there is, in points of accuracy.

    More parameters learn more, and so does a finer look at each item, which takes more to compute, each doubling less
    than the one before; so do more pixels, weights of more bits, and neurons that send more numbers. LIF learns worse,
    and a cell without a convolution is wasted.
    What sees each item few times has not learnt it yet.

    Args:
        plan: The network.
        reach: What can be computed in the training for each item of the training set, in units of `cost`; without a
            limit, how long a network learns is no matter.
    Returns:
        Points, which are good for comparison alone; higher is better.
    """
    network, work = plan.network, max(1, cost(plan))
    levels = _RELU_LEVELS if network.neuron == "relu" else plan.levels
    missing = max(0.0, _MOST - math.log2(work * params(plan)))
    weights = sum(layer.weights for layer in plan.layers)
    coarse = sum(layer.weights * math.log2(8 / layer.bits) for layer in plan.layers) / weights
    learnt = _SEEN * math.log2(plan.input.height * plan.input.width) + _SENT * math.log2(1 + levels)
    lost = _SMALL * missing**2 + _COARSE * coarse + _IDLE * idle(plan) + (_LIF if network.neuron == "lif" else 0.0)
    return learnt - lost - shortfall(reach / work)


# Where these are from: docs/designs.md. All but the first two are points of accuracy.
_NEURON = 30  # connections that take as long as a neuron
_ENOUGH = 27  # epochs
_STEEP = 0.9  # for the square of each halving of the epochs below that
_MOST, _SMALL = (
    48,
    0.1,
)  # doublings of parameters x work, of which there can hardly be more; for the square of missing ones
_SEEN, _SENT = 1.5, 1.6  # for twice the pixels; for each bit that a neuron sends
_COARSE, _IDLE, _LIF = 1.3, 2.0, 4.0  # lost for each halving of the bits of weights; each idle cell; with LIF
_RELU_LEVELS = 15
CAPACITY = PlanScore(
    "capacity", "what a network can learn, and how far it comes", "this project, docs/designs.md", capacity, capacity
)
PARAMS = PlanScore("params", "learnable parameters at the fidelity's width", "baseline", params)
DEPTH = PlanScore("depth", "most LIF layers on a path", "baseline", depth)
CONVS = PlanScore("convs", "number of convolutions", "baseline", convs)
