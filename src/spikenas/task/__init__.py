"""Define a task: data and limits, and all that follows from them."""

from spikenas.task.task import Task, base_config, words_of

__all__ = ["Task", "base_config", "words_of"]
