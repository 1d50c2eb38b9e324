"""Training, its checkpoints and log, evaluation, and a short training in the place of a score."""
