"""Computes what a plan costs: learnable parameters, flash and RAM, without torch."""

from spikenas.memory.budget import FIGURES, Cost, describe, excess, limits_of, sizes, speed, violations
from spikenas.memory.estimator import Estimator, MemoryFigures
from spikenas.memory.lowering import make_program
from spikenas.memory.model import Footprint, LayerCost, footprint
from spikenas.memory.placement import Arena, make_arena
from spikenas.memory.program import Buffer, Program, Step

__all__ = [
    "FIGURES",
    "Arena",
    "Buffer",
    "Cost",
    "Estimator",
    "Footprint",
    "LayerCost",
    "MemoryFigures",
    "Program",
    "Step",
    "describe",
    "excess",
    "footprint",
    "limits_of",
    "make_arena",
    "make_program",
    "sizes",
    "speed",
    "violations",
]
