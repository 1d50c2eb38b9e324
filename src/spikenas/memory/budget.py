"""Compares what a network costs with limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spikenas._util.units import format_energy, format_instructions, format_size, format_time
from spikenas.config import BudgetConfig
from spikenas.memory.model import Footprint


class Cost(Protocol):
    """What is known of what a network takes; None is not known."""

    @property
    def params(self) -> int | None:
        """Learnable parameters."""

    @property
    def flash_bytes(self) -> int | None:
        """Read-only memory."""

    @property
    def ram_bytes(self) -> int | None:
        """Working memory."""

    @property
    def instructions(self) -> float | None:
        """Instructions of one inference."""


@dataclass(frozen=True)
class Figure:
    """Describes a figure that can be limited.

    Attributes:
        name: Its name, which is that of its limit in a budget.
        key: Its name in records, with its unit.
        title: Its name for people.
        said: Returns a value for people.
        of: Returns it of a cost, on a device of a budget whose instructions are counted; None where it is not known.
    """

    name: str
    key: str
    title: str
    said: Callable[[float], str]
    of: Callable[[Cost, BudgetConfig], float | None]


def _times(count: float | None, each: float | None) -> float | None:
    return None if count is None or each is None else count * each


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("params", "params", "params", lambda value: f"{value:,.0f}", lambda cost, device: cost.params),
        Figure("flash", "flash_bytes", "flash", format_size, lambda cost, device: cost.flash_bytes),
        Figure("ram", "ram_bytes", "RAM", format_size, lambda cost, device: cost.ram_bytes),
        Figure(
            "instructions", "instructions", "instructions", format_instructions, lambda cost, device: cost.instructions
        ),
        Figure(
            "latency",
            "seconds",
            "time",
            format_time,
            lambda cost, device: _times(cost.instructions, device.instruction_seconds),
        ),
        Figure(
            "energy",
            "joules",
            "energy",
            format_energy,
            lambda cost, device: _times(cost.instructions, device.instruction_joules),
        ),
    )
}


def limits_of(budget: BudgetConfig) -> dict[str, float]:
    """Return the limits that are set, by name."""
    return {name: limit for name in FIGURES if (limit := getattr(budget, name)) is not None}


def violations(cost: Cost, budget: BudgetConfig) -> dict[str, tuple[float, float]]:
    """Return the limits that a network exceeds: name -> (value, limit); of what is not known none is kept."""
    found = {name: (FIGURES[name].of(cost, budget), limit) for name, limit in limits_of(budget).items()}
    return {
        name: (float("inf") if value is None else value, limit)
        for name, (value, limit) in found.items()
        if value is None or value > limit
    }


def describe(footprint: Footprint) -> str:
    """Return one line for people: `12,345 params, 14.1 KiB flash, 33.0 KiB RAM`."""
    return (
        f"{footprint.params:,} params, {format_size(footprint.flash_bytes)} flash, "
        f"{format_size(footprint.ram_bytes)} RAM"
    )


def sizes(footprint: Footprint) -> dict[str, int]:
    """Return params, flash and RAM by name."""
    return {"params": footprint.params, "flash_bytes": footprint.flash_bytes, "ram_bytes": footprint.ram_bytes}


def speed(instructions: float | None, device: BudgetConfig) -> dict[str, float | None]:
    """Return instructions, seconds and joules of an inference by name; None is not known."""
    if not device.counts_instructions:
        instructions = None
    return {
        "instructions": None if instructions is None else round(instructions),
        "seconds": _times(instructions, device.instruction_seconds),
        "joules": _times(instructions, device.instruction_joules),
    }


def excess(costs: Sequence[Cost], budget: BudgetConfig) -> str:
    """Say by how much the smallest of some networks exceeds each limit that none meets."""
    parts, limits = [], limits_of(budget)
    for name, limit in limits.items():
        figure = FIGURES[name]
        least = min((value for cost in costs if (value := figure.of(cost, budget)) is not None), default=0.0)
        if least > limit and name == "params":
            parts.append(f"the smallest has {figure.said(least)} params, allowed are {figure.said(limit)}")
        elif least > limit:
            parts.append(f"the smallest takes {figure.said(least)} of {figure.title}, allowed are {figure.said(limit)}")
    return ", ".join(parts) or f"the smallest meet each of the limits ({', '.join(limits)}), none meets them together"
