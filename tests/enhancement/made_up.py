"""Judges of made-up networks, for the tests of analyses."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from spikenas._util.seeding import seed_of
from spikenas.config import NetworkConfig
from spikenas.memory import Footprint, footprint
from spikenas.nas.executors import InProcess
from spikenas.space import Genotype, InputSpec, Space, make_plan
from spikenas.training.evaluators import Evaluator

OPS = ("none", "skip", "conv1x1", "conv3x3")
SPACE = Space.of(OPS, cells=2, nodes=3, shared=True)


@dataclass(frozen=True)
class Value:
    score: float
    seconds: float = 0.0
    synops: float | None = None


def cost(genotype: Genotype) -> Footprint:
    return footprint(make_plan(genotype, NetworkConfig(channels=4), InputSpec(3, 8, 8, 10)))


def convs(genotype: Genotype, op: str = "conv3x3") -> int:
    """How often an op is in the live part of a cell."""
    graph = genotype.cells[0].canonical
    return repr(graph).count(f"'{op}'")


def evaluators(value: Callable[[Genotype, int], float], count: int) -> list[Evaluator]:
    """Initialisations; `value` is asked for a genotype and the number of the initialisation."""

    def evaluator(number: int) -> Callable[[Genotype], Value]:
        return lambda genotype: Value(value(genotype, number))

    return [Evaluator("made up", str(number), InProcess(evaluator(number))) for number in range(count)]


def noise(genotype: Genotype, *keys: int) -> float:
    """Of unit variance, the same for equal networks."""
    return random.Random(seed_of(repr(genotype.canonical), *keys)).gauss(0, 1)
