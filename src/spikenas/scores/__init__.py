"""Training-free scores. Their names are known here without torch; the engine that computes them is in `engine`."""

from spikenas.scores.catalogue import SCORES, TRAINING

__all__ = ["SCORES", "TRAINING"]
