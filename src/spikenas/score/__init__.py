"""Training-free scores and the engine that computes them."""

from spikenas.score.engine import Scorer, ScoreResult
from spikenas.score.sahd import SCORES, sahd_kernel, sahd_score

__all__ = ["SCORES", "ScoreResult", "Scorer", "sahd_kernel", "sahd_score"]
