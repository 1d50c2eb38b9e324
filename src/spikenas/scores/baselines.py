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


def capacity(plan: Plan) -> float:
    """Weigh what decides how much a network can learn in a short time."""
    return math.log2(footprint(plan).params)


CAPACITY = PlanScore("capacity", "what a network can learn, by its plan", "this project, docs/designs.md", capacity)
PARAMS = PlanScore("params", "learnable parameters at the fidelity's width", "baseline", params)
DEPTH = PlanScore("depth", "most LIF layers on a path", "baseline", depth)
CONVS = PlanScore("convs", "number of convolutions", "baseline", convs)
