"""Score networks without training. The scores' names are known here without torch; `engine` computes them."""

from spikenas.scores.catalogue import SCORES, TRAINING

__all__ = ["SCORES", "TRAINING"]
