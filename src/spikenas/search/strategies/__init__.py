"""The search strategies by name."""

from __future__ import annotations

import difflib

from spikenas.config import SearchConfig
from spikenas.errors import ConfigError
from spikenas.search.strategies.bayesian import NSGA2, TPE, GaussianProcess
from spikenas.search.strategies.evolution import Evolution
from spikenas.search.strategies.exhaustive import Exhaustive
from spikenas.search.strategies.lightsnn import LightSNN
from spikenas.search.strategies.local import LocalSearch
from spikenas.search.strategies.reinforce import Reinforce
from spikenas.search.strategies.spikenas import SpikeNAS
from spikenas.search.strategies.uniform import RandomSearch
from spikenas.search.strategy import Problem, Strategy

__all__ = ["DEFAULT_EVALUATIONS", "STRATEGIES", "find_strategy", "make_strategy", "most_evaluations"]

_CLASSES: tuple[type[Strategy], ...] = (
    SpikeNAS,
    Exhaustive,
    RandomSearch,
    LocalSearch,
    Evolution,
    Reinforce,
    TPE,
    GaussianProcess,
    NSGA2,
    LightSNN,
)
STRATEGIES: dict[str, type[Strategy]] = {strategy.name: strategy for strategy in _CLASSES}
DEFAULT_EVALUATIONS = 100


def find_strategy(name: str) -> type[Strategy]:
    """The strategy of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(STRATEGIES)}"
        raise ConfigError(f"search.strategy: unknown strategy {name!r}, {hint}")
    return STRATEGIES[name]


def make_strategy(settings: SearchConfig, problem: Problem) -> Strategy:
    """The strategy of a configuration, at its start.

    Raises:
        ConfigError: an unknown name, a space that it cannot search, or a package that is not installed.
    """
    return find_strategy(settings.strategy).configured(problem, settings)


def most_evaluations(settings: SearchConfig, strategy: Strategy) -> int | None:
    """The limit on evaluations: as configured, else 100 for a strategy that never ends by itself, else none."""
    return settings.evaluations or (DEFAULT_EVALUATIONS if strategy.expected is None else None)
