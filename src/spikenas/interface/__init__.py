"""The package as a few functions: tasks, searches, training, integers, firmware, whole runs."""

from spikenas.interface.functions import (
    deploy,
    enhance,
    evaluate,
    load,
    quantise,
    run,
    run_and_report,
    search,
    train,
)
from spikenas.interface.results import Firmware, Found, RunResult

__all__ = [
    "Firmware",
    "Found",
    "RunResult",
    "deploy",
    "enhance",
    "evaluate",
    "load",
    "quantise",
    "run",
    "run_and_report",
    "search",
    "train",
]
