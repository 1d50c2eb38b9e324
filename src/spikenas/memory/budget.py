"""Compares what a network costs with limits."""

from __future__ import annotations

from spikenas._util.units import format_size
from spikenas.config import BudgetConfig
from spikenas.memory.estimator import MemoryFigures
from spikenas.memory.model import Footprint


def violations(footprint: Footprint | MemoryFigures, budget: BudgetConfig) -> dict[str, tuple[int, int]]:
    """Return the limits that a footprint exceeds: name -> (value, limit)."""
    pairs = {
        "params": (footprint.params, budget.params),
        "flash": (footprint.flash_bytes, budget.flash),
        "ram": (footprint.ram_bytes, budget.ram),
    }
    return {name: (value, limit) for name, (value, limit) in pairs.items() if limit is not None and value > limit}


def describe(footprint: Footprint) -> str:
    """Return one line for people: `12,345 params, 14.1 KiB flash, 33.0 KiB RAM`."""
    return (
        f"{footprint.params:,} params, {format_size(footprint.flash_bytes)} flash, "
        f"{format_size(footprint.ram_bytes)} RAM"
    )


def sizes(footprint: Footprint) -> dict[str, int]:
    """Return the three figures by name."""
    return {"params": footprint.params, "flash_bytes": footprint.flash_bytes, "ram_bytes": footprint.ram_bytes}
