"""SpikeNAS: training-free search for spiking neural networks that fit the memory of an embedded device.

What needs torch is imported at its first use, so that what is set here holds for it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikenas._util.errors import SpikeNASError
    from spikenas.config import Config, NetworkConfig
    from spikenas.data import DataSource
    from spikenas.integers import IntegerNetwork
    from spikenas.interface.exporting import export
    from spikenas.interface.functions import deploy, enhance, evaluate, load, quantise, run, search, train
    from spikenas.interface.products import Firmware, Found, RunResult
    from spikenas.memory import Footprint, footprint
    from spikenas.nas import Strategy, TrialStore
    from spikenas.scores.engine import Scorer
    from spikenas.scores.probe import NetworkScore, PlanScore, SpikeScore
    from spikenas.snn import LIF, Network
    from spikenas.space import Cell, Genotype, InputSpec, Op, Plan, Space, make_plan
    from spikenas.targets import Target
    from spikenas.task import Task
    from spikenas.training.checkpoint import Model
    from spikenas.training.prediction import Prediction

# OpenMP reads it when it is loaded, with torch: threads that wait sleep. They would spin on cores that others use.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_NAMES = {
    "_util.errors": ("SpikeNASError",),
    "config": ("Config", "NetworkConfig"),
    "data": ("DataSource",),
    "integers": ("IntegerNetwork",),
    "interface.functions": ("deploy", "enhance", "evaluate", "load", "quantise", "run", "search", "train"),
    "interface.exporting": ("export",),
    "interface.products": ("Firmware", "Found", "RunResult"),
    "memory": ("Footprint", "footprint"),
    "nas": ("Strategy", "TrialStore"),
    "scores.engine": ("Scorer",),
    "scores.probe": ("NetworkScore", "PlanScore", "SpikeScore"),
    "snn": ("LIF", "Network"),
    "space": ("Cell", "Genotype", "InputSpec", "Op", "Plan", "Space", "make_plan"),
    "targets": ("Target",),
    "task": ("Task",),
    "training.checkpoint": ("Model",),
    "training.prediction": ("Prediction",),
}
_HOME = {name: f"spikenas.{module}" for module, names in _NAMES.items() for name in names}

__all__ = [
    "LIF",
    "Cell",
    "Config",
    "DataSource",
    "Firmware",
    "Footprint",
    "Found",
    "Genotype",
    "InputSpec",
    "IntegerNetwork",
    "Model",
    "Network",
    "NetworkConfig",
    "NetworkScore",
    "Op",
    "Plan",
    "PlanScore",
    "Prediction",
    "RunResult",
    "Scorer",
    "Space",
    "SpikeNASError",
    "SpikeScore",
    "Strategy",
    "Target",
    "Task",
    "TrialStore",
    "deploy",
    "enhance",
    "evaluate",
    "export",
    "footprint",
    "load",
    "make_plan",
    "quantise",
    "run",
    "search",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spikenas' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
