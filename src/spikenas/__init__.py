"""SpikeNAS: training-free search for spiking neural networks that fit the memory of an embedded device.

What needs torch is imported at its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikenas.checkpoint import Model, load_model
    from spikenas.config import Config, NetworkConfig
    from spikenas.errors import SpikeNASError
    from spikenas.memory import Footprint, footprint
    from spikenas.report import SavedRun, load_run
    from spikenas.score import Scorer
    from spikenas.search import SearchResult, TrialStore
    from spikenas.snn import LIF, Network
    from spikenas.space import Cell, Genotype, InputSpec, Op, Plan, Space, make_plan

_HOME = {
    "Cell": "spikenas.space",
    "Config": "spikenas.config",
    "Footprint": "spikenas.memory",
    "Genotype": "spikenas.space",
    "InputSpec": "spikenas.space",
    "LIF": "spikenas.snn",
    "Model": "spikenas.checkpoint",
    "Network": "spikenas.snn",
    "NetworkConfig": "spikenas.config",
    "Op": "spikenas.space",
    "Plan": "spikenas.space",
    "SavedRun": "spikenas.report",
    "Scorer": "spikenas.score",
    "SearchResult": "spikenas.search",
    "Space": "spikenas.space",
    "SpikeNASError": "spikenas.errors",
    "TrialStore": "spikenas.search",
    "footprint": "spikenas.memory",
    "load_model": "spikenas.checkpoint",
    "load_run": "spikenas.report",
    "make_plan": "spikenas.space",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spikenas' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "LIF",
    "Cell",
    "Config",
    "Footprint",
    "Genotype",
    "InputSpec",
    "Model",
    "Network",
    "NetworkConfig",
    "Op",
    "Plan",
    "SavedRun",
    "Scorer",
    "SearchResult",
    "Space",
    "SpikeNASError",
    "TrialStore",
    "footprint",
    "load_model",
    "load_run",
    "make_plan",
]
