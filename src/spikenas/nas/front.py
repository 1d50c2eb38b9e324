"""The Pareto front of a search weighs the score against one cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from spikenas.nas.store import Trial

Objective = Literal["params", "flash_bytes", "ram_bytes", "synops"]

_COST: dict[Objective, Callable[[Trial], float | None]] = {
    "params": lambda trial: trial.params,
    "flash_bytes": lambda trial: trial.flash_bytes,
    "ram_bytes": lambda trial: trial.ram_bytes,
    "synops": lambda trial: trial.synops,
}


def front(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that no other one beats by a higher score at no higher cost, or a lower cost at no lower score.

    Args:
        trials: Trials of a search; those without a finite score, or without the cost, are left out.
        objective: The cost.
    Returns:
        The trials by rising cost and score; of trials that are equal in both, the first alone.
    """
    cost = _COST[objective]
    points = [
        (figure, -trial.value, k, trial)
        for k, trial in enumerate(trials)
        if trial.value is not None and (figure := cost(trial)) is not None
    ]
    found: list[Trial] = []
    least = float("inf")
    for _, negative, _, trial in sorted(points, key=lambda point: point[:3]):
        if negative < least:
            least = negative
            found.append(trial)
    return found
