"""Training-free scores and the engine that computes them."""

from spikenas.score.catalogue import SCORES, Score, find_score
from spikenas.score.engine import Scorer, ScoreResult, ScorerFactory
from spikenas.score.probe import Measured, NetworkScore, PlanScore, Probe, SpikeScore
from spikenas.score.sahd import sahd_kernel, sahd_score

__all__ = [
    "SCORES",
    "Measured",
    "NetworkScore",
    "PlanScore",
    "Probe",
    "Score",
    "ScoreResult",
    "Scorer",
    "ScorerFactory",
    "SpikeScore",
    "find_score",
    "sahd_kernel",
    "sahd_score",
]
