from __future__ import annotations

from cells import QUICK, cells, connected
from hypothesis import given

from spikenas.config import NetworkConfig
from spikenas.space import Cell, Genotype, InputSpec, LayerSpec, Plan, make_plan

INPUT = InputSpec(1, 8, 8, 3)


def plan_of(text: str) -> Plan:
    genotype = Genotype.parse(text)
    return make_plan(genotype, NetworkConfig(channels=4, cells=len(genotype.cells)), INPUT)


def lineages(plan: Plan) -> dict[str, str]:
    return {layer.name: layer.lineage for layer in plan.layers}


def shared(one: str, other: str) -> set[str]:
    """Names of the first network's layers that the second one has too."""
    others = set(lineages(plan_of(other)).values())
    return {name for name, lineage in lineages(plan_of(one)).items() if lineage in others}


@QUICK
@given(cells().filter(connected))
def test_layers_with_weights_are_told_apart(cell: Cell) -> None:
    plan = make_plan(Genotype((cell, cell)), NetworkConfig(channels=4), INPUT)
    weighted = [layer.lineage for layer in plan.layers if layer.weights]
    assert len(weighted) == len(set(weighted))


def test_equal_canonical_forms_have_equal_lineages() -> None:
    one = plan_of("0-1:conv3x3 1-3:conv3x3 0-3:skip")
    other = plan_of("0-2:conv3x3 2-3:conv3x3 0-1:skip 1-3:skip")
    assert lineages(one) == lineages(other)


def test_cells_with_a_common_beginning_share_it() -> None:
    stem = {"input", "stem.conv", "stem.bn"}
    op1 = {"cell1.op1.ilif", "cell1.op1.conv", "cell1.op1.bn"}
    assert shared("0-1:conv3x3 1-3:conv3x3", "0-1:conv3x3 1-3:conv1x1") == stem | op1 | {"cell1.op2.ilif"}
    assert shared("0-1:conv3x3 1-3:skip", "0-3:conv3x3 0-1:conv1x1") == {
        layer.name for layer in plan_of("0-3:conv3x3").layers
    }
    assert shared("0-3:conv3x3", "0-3:conv5x5") == stem | {"cell1.op1.ilif"}
    assert shared("0-3:conv3x3", "0-3:conv3x3@0.5") == stem


def test_of_equal_convolutions_of_one_value_the_first_is_shared() -> None:
    both = plan_of("0-1:conv3x3 0-3:conv3x3 1-3:skip")
    convs = [layer.lineage for layer in both.stages["cell1"] if layer.kind == "conv"]
    alone = plan_of("0-3:conv3x3").by_name["cell1.op1.conv"].lineage
    assert convs[0] == alone != convs[1]


def test_a_later_cell_is_shared_where_its_input_is() -> None:
    def second_cell(text: str) -> set[str]:
        return {name for name in shared("0-3:conv3x3 / 0-3:conv3x3", text) if name.startswith("cell2")}

    whole = {"cell2.op1.ilif", "cell2.op1.conv", "cell2.op1.bn"}
    assert second_cell("0-1:conv3x3 1-3:skip / 0-1:conv3x3 1-3:conv3x3") == whole
    assert second_cell("0-3:conv1x1 / 0-3:conv3x3") == set()


def test_a_cell_with_feedback_is_shared_whole_or_not_at_all() -> None:
    loop = "0-1:conv3x3 1-3:conv1x1 3-0:conv5x5"
    assert not any(name.startswith("cell1") for name in shared(loop, "0-1:conv3x3 1-3:conv1x1 3-0:skip"))
    assert not any(name.startswith("cell1") for name in shared(loop, "0-1:conv3x3 1-3:conv1x1"))
    assert any(name.startswith("cell1") for name in shared(f"{loop} / 0-3:skip", f"{loop} / 0-3:conv3x3"))
    assert not any(name.startswith("cell2") for name in shared(f"0-3:skip / {loop}", f"0-3:conv3x3 / {loop}"))


def test_settings_of_a_layer_are_part_of_it() -> None:
    def of(**settings: object) -> dict[str, LayerSpec]:
        network = NetworkConfig(**{"kind": "snasnet", "channels": 4, "cells": 2, "hidden": 8, **settings})  # type: ignore[arg-type]
        return make_plan(Genotype.parse("0-3:skip / 0-3:skip"), network, INPUT).by_name

    assert of()["head.hidden"].lineage == of(votes=5)["head.hidden"].lineage
    assert of()["head.linear"].lineage != of(votes=5)["head.linear"].lineage
    assert of()["head.hidden"].lineage != of(hidden=9)["head.hidden"].lineage
    assert of()["head.lif"].lineage != of(v_threshold=0.5)["head.lif"].lineage
