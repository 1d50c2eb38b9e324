"""List the scores by name. Packages register them in the group `spikenas.scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikenas._util.errors import ScoreError
from spikenas._util.registry import Registry

if TYPE_CHECKING:
    from spikenas.scores.probe import NetworkScore, PlanScore, SpikeScore

    Score = SpikeScore | NetworkScore | PlanScore

SCORES: Registry[Score] = Registry("spikenas.scores", "score", ScoreError)
TRAINING = "train"  # a short training, among the evaluators
