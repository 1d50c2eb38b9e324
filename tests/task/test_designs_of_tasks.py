"""What rules of thumb suggest, where designs are searched."""

from __future__ import annotations

import pytest

from spikenas import Task
from spikenas._util.errors import BudgetError
from spikenas.memory import violations
from spikenas.task.designs import design_space_of, rule_of_thumb


@pytest.mark.parametrize(("flash", "ram"), [("64KiB", "16KiB"), ("16KiB", "4KiB"), ("64KiB", "3KiB")])
def test_the_design_of_the_rules_of_thumb_fits_and_is_of_the_space(flash: str, ram: str) -> None:
    task = Task("digits", flash=flash, ram=ram, settings={"race.epochs": 1})
    design = rule_of_thumb(task)
    assert design in design_space_of(task, task.asked)
    assert not violations(task.cost(design), task.limits)
    assert design.widths[0] <= task.sized().config.network.cell_widths[0]
    assert set(design.genotype.cells) == {task.space.usual_cell}


def test_where_no_network_fits_it_is_said_what_would() -> None:
    with pytest.raises(BudgetError, match="flash"):
        rule_of_thumb(Task("digits", flash="1KiB", settings={"race.epochs": 1}))
