"""The scores by name.

A module of scores imports `SpikeScore`, `NetworkScore` or `PlanScore`, with `Measured` and `Probe`, from
`spikenas.score.probe`, is listed here, and its names are in `spikenas.names`.
"""

from __future__ import annotations

from spikenas.errors import ScoreError
from spikenas.score import activation, baselines, gradient, rejection, sahd
from spikenas.score.probe import NetworkScore, PlanScore, SpikeScore

Score = SpikeScore | NetworkScore | PlanScore

_LISTED: tuple[Score, ...] = (*rejection.SCORES, *sahd.SCORES, *activation.SCORES, *gradient.SCORES, *baselines.SCORES)
SCORES: dict[str, Score] = {score.name: score for score in _LISTED}


def find_score(name: str) -> Score:
    """The score of that name.

    Raises:
        ScoreError: there is none.
    """
    if name not in SCORES:
        raise ScoreError(f"unknown score {name!r}; known: {', '.join(SCORES)}")
    return SCORES[name]
