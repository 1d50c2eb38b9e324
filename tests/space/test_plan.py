from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cells import QUICK, cells, connected, run_cell, run_plan_cell
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import NetworkConfig
from spikenas.memory.model import params
from spikenas.space import BENCH_OPS, Cell, Genotype, InputSpec, LayerSpec, Plan, Term, make_plan, parse_bench

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "snasnet_params.json").read_text())
BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench" / "spikenas_bench_cifar10_public.csv"
CIFAR10 = InputSpec(3, 32, 32, 10)
SNASNET: dict[str, tuple[dict[str, int], InputSpec]] = {
    "cifar10": ({"channels": 256, "votes": 10}, CIFAR10),
    "cifar100": ({"channels": 128, "votes": 5}, InputSpec(3, 32, 32, 100)),
    "tinyimagenet": (
        {"channels": 128, "votes": 5, "hidden": 4096, "stem_stride": 2},
        InputSpec(3, 64, 64, 200),
    ),
}
TINY = InputSpec(1, 8, 8, 3)


def count(plan: Plan) -> int:
    return sum(params(layer) for layer in plan.layers)


def plan_of(text: str, spec: InputSpec = TINY, as_written: bool = False, **settings: Any) -> Plan:
    genotype = Genotype.parse(text)
    network = NetworkConfig(**{"channels": 4, "cells": len(genotype.cells)} | settings)
    return make_plan(genotype, network, spec, as_written)


def kinds(plan: Plan, stage: str) -> list[str]:
    return [layer.kind for layer in plan.stages[stage]]


def single_cell(cell: Cell, as_written: bool = False, static: bool = True) -> Plan:
    spec = InputSpec(2, 6, 5, 3, static)
    return make_plan(Genotype((cell,)), NetworkConfig(channels=4, cells=1), spec, as_written)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['dataset']}-{row['cnt_mat']}-{row['second_avgpooling']}")
def test_parameters_are_snasnets(row: dict[str, Any]) -> None:
    settings, spec = SNASNET[row["dataset"]]
    network = NetworkConfig(kind="snasnet", pool=row["second_avgpooling"], **settings)
    cell = Cell.parse(row["cnt_mat"])
    assert cell.has_feedback <= (row["celltype"] == "backward")
    assert count(make_plan(Genotype((cell, cell)), network, spec, as_written=True)) == row["params"]


def test_the_golden_file_is_whole() -> None:
    assert len(GOLDEN) == 72


@pytest.mark.data
@pytest.mark.skipif(not BENCH.exists(), reason="the shared benchmark is not here")
def test_parameters_are_the_benchmarks() -> None:
    network = NetworkConfig(kind="snasnet", channels=128)
    rows = 0
    with BENCH.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            cell = parse_bench(row["ops"], BENCH_OPS)
            rows += 1
            assert count(make_plan(Genotype((cell, cell)), network, CIFAR10, as_written=True)) == int(row["params"]), (
                row
            )
    assert rows == 7652


def test_the_layers_of_a_small_network() -> None:
    plan = plan_of("0-3:conv3x3 / 0-1:conv1x1 1-3:skip 0-3:skip")
    assert [(layer.name, layer.kind, layer.shape, layer.static) for layer in plan.layers] == [
        ("input", "input", (1, 8, 8), True),
        ("stem.conv", "conv", (4, 8, 8), True),
        ("stem.bn", "batchnorm", (4, 8, 8), True),
        ("cell1.op1.ilif", "neuron", (4, 8, 8), False),
        ("cell1.op1.conv", "conv", (4, 8, 8), False),
        ("cell1.op1.bn", "batchnorm", (4, 8, 8), False),
        ("reduction1.bn", "batchnorm", (4, 8, 8), False),
        ("reduction1.ilif", "neuron", (4, 8, 8), False),
        ("reduction1.conv", "conv", (8, 8, 8), False),
        ("reduction1.bn2", "batchnorm", (8, 8, 8), False),
        ("reduction1.pool", "avgpool", (8, 4, 4), False),
        ("cell2.op1.ilif", "neuron", (8, 4, 4), False),
        ("cell2.op1.conv", "conv", (8, 4, 4), False),
        ("cell2.op1.bn", "batchnorm", (8, 4, 4), False),
        ("cell2.value1", "sum", (8, 4, 4), False),
        ("head.bn", "batchnorm", (8, 4, 4), False),
        ("head.ilif", "neuron", (8, 4, 4), False),
        ("head.pool", "globalpool", (8,), False),
        ("head.linear", "linear", (3,), False),
    ]
    assert plan.by_name["cell2.value1"].terms == (Term("reduction1.pool"), Term("cell2.op1.bn"))
    assert [plan.by_name[f"{name}.conv"].weights for name in ("stem", "cell1.op1", "reduction1", "cell2.op1")] == [
        9 * 1 * 4,
        9 * 4 * 4,
        9 * 4 * 8,
        1 * 8 * 8,
    ]
    assert plan.by_name["head.linear"].bias
    # stem, op, reduction, op, head; each BatchNorm has a scale and a bias for each channel.
    assert count(plan) == (36 + 8) + (144 + 8) + (8 + 288 + 16) + (64 + 16) + 16 + (8 * 3 + 3)


def test_the_head_of_snasnet() -> None:
    plan = plan_of("0-3:skip / 0-3:skip", CIFAR10, kind="snasnet", channels=8, hidden=32, votes=10, pool=4)
    head = [(layer.kind, layer.shape, layer.bias) for layer in plan.stages["head"]]
    assert head == [
        ("batchnorm", (16, 16, 16), False),
        ("neuron", (16, 16, 16), False),
        ("avgpool", (16, 4, 4), False),
        ("dropout", (16, 4, 4), False),
        ("linear", (32,), False),
        ("neuron", (32,), False),
        ("linear", (100,), True),
        ("vote", (10,), False),
    ]
    assert plan.by_name["head.hidden"].weights == 16 * 4 * 4 * 32


@pytest.mark.parametrize(
    ("size", "stride", "shapes"),
    [
        ((8, 8), 1, [(4, 8, 8), (8, 4, 4), (16, 2, 2)]),
        ((9, 7), 1, [(4, 9, 7), (8, 4, 3), (16, 2, 1)]),
        ((9, 13), 2, [(4, 5, 7), (8, 2, 3), (16, 1, 1)]),
    ],
)
def test_shapes_of_cells(size: tuple[int, int], stride: int, shapes: list[tuple[int, ...]]) -> None:
    plan = plan_of(" / ".join(["0-3:conv3x3"] * 3), InputSpec(1, *size, 3), stem_stride=stride)
    assert [plan.by_name[f"cell{n}.op1.ilif"].shape for n in (1, 2, 3)] == shapes
    assert plan.by_name["head.pool"].shape == (16,)


def test_a_depthwise_separable_op_is_two_convolutions() -> None:
    plan = plan_of("0-3:dwconv3x3")
    assert kinds(plan, "cell1") == ["neuron", "conv", "conv", "batchnorm"]
    _, depthwise, pointwise, _ = plan.stages["cell1"]
    assert (depthwise.kernel, depthwise.groups, depthwise.weights) == (3, 4, 9 * 4)
    assert (pointwise.kernel, pointwise.groups, pointwise.weights) == (1, 1, 4 * 4)


@pytest.mark.parametrize(
    ("text", "thresholds"),
    [
        ("0-1:conv3x3 0-2:conv1x1 1-3:skip 2-3:skip", [1.0]),
        ("0-1:conv3x3 0-2:conv3x3@1.0 1-3:skip 2-3:skip", [1.0]),
        ("0-1:conv3x3@0.5 0-2:conv3x3 1-3:skip 2-3:skip", [1.0, 0.5]),
        ("0-1:skip 0-3:conv3x3 1-3:conv3x3", [1.0]),
        ("0-1:conv3x3 1-3:conv3x3", [1.0, 1.0]),
        ("0-1:conv3x3 0-3:dwconv3x3 1-3:skip", [1.0]),
    ],
)
def test_convolutions_of_one_value_at_one_threshold_share_their_neurons(text: str, thresholds: list[float]) -> None:
    found = [layer.threshold for layer in plan_of(text).stages["cell1"] if layer.kind == "neuron"]
    assert sorted(found) == sorted(thresholds)


def test_the_networks_threshold_is_the_default_one() -> None:
    plan = plan_of("0-1:conv3x3 0-3:conv3x3@0.5 1-3:skip", v_threshold=0.75)
    assert sorted(layer.threshold for layer in plan.layers if layer.kind == "neuron") == [0.5, 0.75, 0.75]


def test_multiplicity_becomes_a_factor() -> None:
    plan = plan_of("0-1:skip 1-3:skip 0-2:conv3x3 2-3:skip 0-3:skip")
    assert plan.by_name["cell1.value1"].terms == (Term("stem.bn", times=2), Term("cell1.op1.bn"))


def test_what_is_static() -> None:
    text = "0-1:avgpool3x3 0-3:skip 1-3:skip 0-2:conv3x3"
    assert {layer.name for layer in plan_of(text).layers if layer.static} == {
        *("input", "stem.conv", "stem.bn", "cell1.op1.pool", "cell1.value1", "head.bn"),
    }
    assert not any(layer.static for layer in plan_of(text, InputSpec(2, 8, 8, 3, static=False)).layers)


def test_feedback_is_read_with_delay() -> None:
    plan = plan_of("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:avgpool3x3 / 0-3:skip")
    delayed = [(layer.name, term) for layer in plan.layers for term in layer.terms if term.delayed]
    assert delayed == [("cell1.value1", Term("cell1.op3.pool", delayed=True))]
    assert plan.steps_through_time("cell1")
    assert not plan.steps_through_time("head")
    assert plan.only_fed_back == {"cell1.op3.pool"}


def test_a_delayed_skip_reads_a_value() -> None:
    plan = plan_of("0-1:skip 1-2:conv3x3 2-3:skip 3-1:skip")
    assert plan.by_name["cell1.value1"].terms == (Term("stem.bn"), Term("cell1.value2", delayed=True))
    assert plan.by_name["cell1.value2"].kind == "sum"
    assert not plan.only_fed_back


def test_a_whole_branch_can_be_only_fed_back() -> None:
    plan = plan_of("0-1:skip 1-3:skip 0-2:conv3x3 2-1:conv1x1")
    assert plan.only_fed_back == {
        f"cell1.{name}" for name in ("op1.ilif", "op1.conv", "op1.bn", "op2.ilif", "op2.conv", "op2.bn")
    }


@QUICK
@given(cells().filter(connected), st.booleans(), st.booleans())
def test_a_plan_is_well_formed(cell: Cell, as_written: bool, static: bool) -> None:
    plan = single_cell(cell, as_written, static)
    done: dict[str, LayerSpec] = {}
    assert len(plan.by_name) == len(plan.layers)
    for layer in plan.layers:
        sources = [plan.by_name[term.layer] for term in layer.terms]
        assert all(term.delayed or term.layer in done for term in layer.terms), layer
        assert len(sources) == 1 or layer.kind in ("sum", "input"), layer
        assert all(source.shape == layer.in_shape for source in sources), layer
        assert not layer.static or all(source.static for source in sources), layer
        assert layer.static == (
            (static or layer.kind != "input")
            and layer.kind != "neuron"
            and all(source.static for source in sources)
            and not any(term.delayed for term in layer.terms)
        )
        done[layer.name] = layer
    assert as_written or all(plan.readers[layer.name] for layer in plan.layers[:-1])


@QUICK
@given(cells().filter(connected), st.booleans())
def test_a_plan_computes_what_the_cell_does(cell: Cell, as_written: bool) -> None:
    inputs = (2, 7, 1, 8)
    found = run_plan_cell(single_cell(cell, as_written), "cell1", "stem.bn", inputs)
    assert found == run_cell(cell, inputs, as_written)


@QUICK
@given(cells().filter(connected))
def test_nothing_dead_is_built(cell: Cell) -> None:
    convs = [layer for layer in single_cell(cell).layers if ".op" in layer.name and layer.kind == "batchnorm"]
    assert len(convs) == sum(atom.op.spiking for atom in cell.canonical.atoms) <= sum(op.spiking for op in cell.ops)


def test_dead_edges_are_built_only_as_written() -> None:
    text = "0-3:conv3x3 0-1:conv3x3 2-3:conv1x1"
    assert kinds(plan_of(text), "cell1") == ["neuron", "conv", "batchnorm"]
    written = plan_of(text, as_written=True)
    assert sum(layer.kind == "conv" for layer in written.stages["cell1"]) == 3
    assert count(written) - count(plan_of(text)) == (9 * 16 + 8) + (16 + 8)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("0-3:conv3x3", True),
        ("0-1:conv3x3 0-3:conv3x3 1-3:skip", True),
        ("0-3:skip", True),
        ("0-3:avgpool3x3", False),
        ("0-1:conv3x3 1-3:skip 0-3:skip", False),
        ("0-1:conv3x3 1-3:skip 0-3:avgpool3x3", False),
        ("0-1:conv3x3 1-3:skip 1-2:conv3x3 2-3:skip", False),  # the first convolution is read twice
        ("0-3:conv3x3 0-2:conv1x1 1-2:skip 2-3:skip 3-1:conv3x3", False),  # and so is the sum, which is fed back
    ],
)
def test_a_batchnorm_folds_only_behind_convolutions(text: str, folded: bool) -> None:
    plan = plan_of(text)
    assert plan.folds(plan.by_name["head.bn"]) == folded
    assert plan.folds(plan.by_name["stem.bn"])


def test_a_batchnorm_behind_delayed_terms_alone_does_not_fold() -> None:
    """Its bias is there at t = 0, when what is fed back is exactly 0."""
    plan = plan_of("0-2:conv3x3 2-1:conv3x3 1-3:skip")
    assert plan.by_name["cell1.value2"].terms == (Term("cell1.op2.bn", delayed=True),)
    assert not plan.folds(plan.by_name["head.bn"])


@pytest.mark.parametrize(
    ("text", "settings", "error", "fragment"),
    [
        ("0-3:skip", {"cells": 2}, GenotypeError, "the network has 2 cells (network.cells), the genotype 1: 0-3:skip"),
        ("0-3:skip", {"kind": "snasnet", "cells": 1}, ConfigError, "network.cells: snasnet has 2 cells, got 1"),
        ("0-3:skip", {"channels": "auto"}, ConfigError, "network.channels: the width 'auto' must be resolved"),
        ("0-3:skip / 0-1:skip", {}, GenotypeError, "cell 2 has no path from its input to its output"),
        ("none", {}, GenotypeError, "cell 1 has no path from its input to its output: none"),
    ],
)
def test_errors(text: str, settings: dict[str, Any], error: type[Exception], fragment: str) -> None:
    with pytest.raises(error) as caught:
        plan_of(text, **settings)
    assert fragment in str(caught.value)


def test_a_disconnected_cell_can_be_planned_as_written() -> None:
    plan = plan_of("0-1:conv3x3 / 0-3:skip", as_written=True)
    assert plan.by_name["reduction1.bn"].terms == (Term("cell1.value3"),)
    assert plan.by_name["cell1.value3"].terms == ()


def test_too_small_an_image_says_where_and_what_would_help() -> None:
    text = " / ".join(["0-3:skip"] * 4)
    assert plan_of(text, InputSpec(1, 8, 9, 3)).by_name["head.ilif"].shape == (32, 1, 1)
    with pytest.raises(ConfigError) as caught:
        plan_of(text, InputSpec(1, 7, 9, 3))
    message = str(caught.value)
    assert "7x9 images are too small for 4 cells with stem stride 1" in message
    assert "1x2 is left at reduction3.pool, which pools 2x2" in message
    assert "use fewer cells, a smaller stride or larger images (data.image_size)" in message
    with pytest.raises(ConfigError, match=r"2x2 is left at head.pool, which pools 4x4"):
        plan_of("0-3:skip / 0-3:skip", InputSpec(1, 4, 4, 3), kind="snasnet", pool=4)
