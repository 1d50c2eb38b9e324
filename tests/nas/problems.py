"""What the tests of the search share: costs, scores, and one call that runs a strategy."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from spikenas._util.seeding import seed_of
from spikenas.config import BudgetConfig, NetworkConfig, SearchConfig
from spikenas.memory import Footprint, footprint
from spikenas.nas import Problem, SearchResult, Strategy, Trial, TrialStore, make_strategy, most_evaluations, search
from spikenas.nas.executors import InProcess
from spikenas.space import Genotype, InputSpec, Space, make_plan

FREE = BudgetConfig()
DEFAULT = SearchConfig()
_INPUT = InputSpec(3, 32, 32, 10)


@dataclass
class Value:
    score: float
    seconds: float = 0.0
    synops: float | None = None


Evaluate = Callable[[Genotype], Value]


def cost(cells: int) -> Callable[[Genotype], Footprint]:
    network = NetworkConfig(channels=4, cells=cells)
    return lambda genotype: footprint(make_plan(genotype, network, _INPUT))


def noise(genotype: Genotype) -> Value:
    """A score that is anything, but always the same for one network."""
    return Value(random.Random(seed_of(repr(genotype.canonical))).random())


def problem(space: Space, budget: BudgetConfig = FREE, seed: int = 0) -> Problem:
    return Problem(space, budget, cost(space.cells), seed)


def drive(
    strategy: Strategy,
    evaluate: Evaluate = noise,
    store: TrialStore | None = None,
    evaluations: int | None = None,
) -> tuple[SearchResult, list[Trial]]:
    """The result and the trials of a strategy."""
    store, given = store or TrialStore(), strategy.problem
    result = search(given.space, strategy, given.budget, given.cost, InProcess(evaluate), store, evaluations)
    return result, list(store)


def run(
    space: Space,
    settings: SearchConfig = DEFAULT,
    budget: BudgetConfig = FREE,
    evaluate: Evaluate = noise,
    store: TrialStore | None = None,
    seed: int = 0,
) -> tuple[SearchResult, list[Trial]]:
    """The result and the trials of a configuration."""
    strategy = make_strategy(settings, problem(space, budget, seed))
    return drive(strategy, evaluate, store, most_evaluations(settings, strategy))


def median_of(space: Space, *names: str) -> BudgetConfig:
    """A budget that half of the networks with equal cells meet, for each of the limits named."""
    costs = [cost(space.cells)(Genotype((cell,) * space.cells)) for cell in space.distinct_cells]
    figures = {"params": "params", "flash": "flash_bytes", "ram": "ram_bytes"}
    return BudgetConfig(
        **{name: sorted(getattr(one, figures[name]) for one in costs)[len(costs) // 2] for name in names}
    )
