"""Search strategies are found by name. Packages register them in the group `spikenas.strategies`."""

from __future__ import annotations

from spikenas._util.errors import ConfigError
from spikenas._util.registry import Registry
from spikenas.config import SearchConfig
from spikenas.nas.strategy import Problem, Strategy

__all__ = ["DEFAULT_EVALUATIONS", "STRATEGIES", "make_strategy", "most_evaluations"]

STRATEGIES: Registry[type[Strategy]] = Registry("spikenas.strategies", "strategy", ConfigError)
DEFAULT_EVALUATIONS = 100


def make_strategy(settings: SearchConfig, problem: Problem) -> Strategy:
    """Make the strategy of a configuration, at its start.

    Raises:
        ConfigError: Its name is unknown, it cannot search the space, or its package is not installed.
    """
    return STRATEGIES.find(settings.strategy).configured(problem, settings)


def most_evaluations(settings: SearchConfig, strategy: Strategy) -> int | None:
    """Return the limit on evaluations: as configured, else 100 for a strategy that never ends by itself, else none."""
    return settings.evaluations or (DEFAULT_EVALUATIONS if strategy.expected is None else None)
