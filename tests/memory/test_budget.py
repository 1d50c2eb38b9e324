from __future__ import annotations

import pytest

from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.memory import footprint, violations
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
