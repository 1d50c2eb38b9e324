from __future__ import annotations

import pytest

from spikenas._util.units import format_size, format_time
from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.memory import MemoryFigures, excess, footprint, violations
from spikenas.space import Genotype, InputSpec, make_plan

FOUND = footprint(make_plan(Genotype.parse("0-3:conv3x3"), NetworkConfig(channels=2, cells=1), InputSpec(1, 4, 4, 3)))
PARAMS, FLASH, RAM = FOUND.params, FOUND.flash_bytes, FOUND.ram_bytes


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (BudgetConfig(), {}),
        (BudgetConfig(params=PARAMS, flash=FLASH, ram=RAM), {}),
        (BudgetConfig(params=PARAMS - 1), {"params": (PARAMS, PARAMS - 1)}),
        (BudgetConfig(flash=FLASH - 1, ram=RAM), {"flash": (FLASH, FLASH - 1)}),
        (BudgetConfig(flash=FLASH - 1, ram=1), {"flash": (FLASH, FLASH - 1), "ram": (RAM, 1)}),
        (BudgetConfig(params=1, flash=1, ram=1), {"params": (PARAMS, 1), "flash": (FLASH, 1), "ram": (RAM, 1)}),
    ],
)
def test_violations_name_each_limit_that_is_exceeded(
    budget: BudgetConfig, expected: dict[str, tuple[int, int]]
) -> None:
    assert violations(FOUND, budget) == expected


def test_instructions_time_and_energy_are_limits_too() -> None:
    taken = FOUND.instructions
    device = {"clock": 1e8, "cycles": 2.0, "power": 0.05}
    exact = BudgetConfig(instructions=round(taken) + 1, latency=taken * 2e-8, energy=taken * 1e-9, **device)
    assert violations(FOUND, exact) == {}
    less = BudgetConfig(instructions=round(taken) - 1, latency=taken * 1.9e-8, energy=taken * 0.9e-9, **device)
    assert list(violations(FOUND, less)) == ["instructions", "latency", "energy"]
    unknown = MemoryFigures(PARAMS, FLASH, RAM)
    assert violations(unknown, BudgetConfig(flash=FLASH)) == {}
    assert list(violations(unknown, exact)) == ["instructions", "latency", "energy"]  # nothing is let through unseen


def test_the_excess_of_the_smallest_is_said_in_each_unit() -> None:
    budget = BudgetConfig(ram=RAM - 100, latency=1e-6, clock=1e8, cycles=2.0)
    assert excess([FOUND], budget) == (
        f"the smallest takes {format_size(RAM)} of RAM, allowed are {format_size(RAM - 100)}, "
        f"the smallest takes {format_time(FOUND.instructions * 2e-8)} of time, allowed are 1 us"
    )
    assert "none meets them together" in excess([FOUND], BudgetConfig(ram=RAM))
