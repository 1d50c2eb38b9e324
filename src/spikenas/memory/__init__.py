"""What a plan costs: learnable parameters, flash and RAM, computed without torch."""

from spikenas.memory.budget import describe, sizes, violations
from spikenas.memory.model import Footprint, LayerCost, footprint
from spikenas.memory.schedule import Buffer, Schedule, schedule

__all__ = ["Buffer", "Footprint", "LayerCost", "Schedule", "describe", "footprint", "schedule", "sizes", "violations"]
