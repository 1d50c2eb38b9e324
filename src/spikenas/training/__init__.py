"""Training has a loop, checkpoints, a log, an evaluation, and a short form that takes the place of a score."""
