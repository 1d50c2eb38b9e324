from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cells import QUICK, cells, connected, run_cell, run_graph
from hypothesis import assume, given
from hypothesis import strategies as st

from spikenas.config import NetworkConfig
from spikenas.space import (
    BENCH_OPS,
    Atom,
    Cell,
    CellGraph,
    Edge,
    Genotype,
    InputSpec,
    Op,
    Space,
    make_plan,
    parse_bench,
)
from spikenas.space.cell import pairs

BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench" / "spikenas_bench_cifar10_public.csv"
INPUTS = (3, 1, 4, 1, 5)


def graph(text: str) -> CellGraph:
    return Cell.parse(text).canonical


def from_links(links: dict[tuple[int, int], Op], nodes: int) -> Cell:
    """A cell from its links, keyed (from, to)."""
    edges = []
    for i, j in pairs(nodes):
        op = links.get((i, j)) or links.get((j, i)) or Op("none")
        edges.append(Edge(op, (j, i) in links))
    return Cell(tuple(edges), nodes)


def links_of(cell: Cell) -> dict[tuple[int, int], Op]:
    return {(source, target): op for source, target, op in cell.links()}


@QUICK
@given(cells().filter(connected))
def test_the_canonical_form_computes_what_the_cell_does(cell: Cell) -> None:
    assert run_graph(cell.canonical, INPUTS) == run_cell(cell, INPUTS)


@QUICK
@given(cells())
def test_the_written_form_computes_what_is_dead_too(cell: Cell) -> None:
    assert run_graph(cell.written, INPUTS) == run_cell(cell, INPUTS, as_written=True)


@QUICK
@given(cells())
def test_the_written_form_has_every_convolution(cell: Cell) -> None:
    spiking = [op for op in cell.ops if op.spiking]
    assert sorted(str(a.op) for a in cell.written.atoms if a.op.spiking) == sorted(str(op.plain) for op in spiking)
    assert cell.written.connected


@QUICK
@given(st.data(), st.integers(4, 7))
def test_dead_edges_change_nothing(data: st.DataObject, nodes: int) -> None:
    cell = data.draw(cells(nodes))
    node = data.draw(st.integers(1, nodes - 2))
    links = links_of(cell)
    without = from_links({pair: op for pair, op in links.items() if node not in pair}, nodes)
    nothing_leaves = from_links({pair: op for pair, op in links.items() if pair[0] != node}, nodes)
    nothing_enters = from_links({pair: op for pair, op in links.items() if pair[1] != node}, nodes)
    assert nothing_leaves.canonical == without.canonical
    assert nothing_enters.canonical == without.canonical


@QUICK
@given(st.data(), st.integers(4, 7))
def test_numbers_of_nodes_do_not_matter(data: st.DataObject, nodes: int) -> None:
    one = data.draw(st.integers(1, nodes - 3))
    links = {pair: op for pair, op in links_of(data.draw(cells(nodes))).items() if set(pair) != {one, one + 1}}
    new = {one: one + 1, one + 1: one}
    swapped = {(new.get(i, i), new.get(j, j)): op for (i, j), op in links.items()}
    assert from_links(swapped, nodes).canonical == from_links(links, nodes).canonical


@QUICK
@given(st.data(), st.integers(4, 6))
def test_a_skip_on_the_way_changes_nothing(data: st.DataObject, nodes: int) -> None:
    middle = data.draw(st.integers(1, nodes - 2))
    links = {pair: op for pair, op in links_of(data.draw(cells(nodes))).items() if middle not in pair}
    across = [pair for pair in links if pair[0] < middle < pair[1]]
    assume(across)
    start, end = data.draw(st.sampled_from(across))
    longer = dict(links)
    longer[start, middle], longer[middle, end] = Op("skip"), longer.pop((start, end))
    assert from_links(longer, nodes).canonical == from_links(links, nodes).canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0-3:conv3x3", "0-1:skip 1-3:conv3x3"),
        ("0-3:conv3x3", "0-1:conv3x3 1-2:skip 2-3:skip"),
        ("0-3:conv3x3", "0-3:conv3x3 0-1:conv3x3 1-2:conv1x1"),
        ("0-3:conv3x3", "0-3:conv3x3 1-2:conv1x1 2-3:avgpool3x3"),
        ("0-1:conv3x3 0-2:conv1x1 1-3:skip 2-3:skip", "0-1:conv1x1 0-2:conv3x3 1-3:skip 2-3:skip"),
        ("0-1:conv3x3 1-3:conv1x1", "0-2:conv3x3 2-3:conv1x1"),
        ("0-1:skip 1-3:skip 0-3:skip", "0-2:skip 2-3:skip 0-3:skip"),
        ("0-1:avgpool3x3 0-2:avgpool3x3 1-3:skip 2-3:skip", "0-1:avgpool3x3 1-2:skip 1-3:skip 2-3:skip"),
        ("0-3:skip 3-1:conv3x3", "0-3:skip"),
        ("0-1:none", "1-2:conv3x3"),
        ("nodes=5 0-4:conv3x3", "0-3:conv3x3"),
    ],
)
def test_equal_networks_have_equal_forms(one: str, other: str) -> None:
    assert graph(one) == graph(other)
    assert hash(graph(one)) == hash(graph(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # 2 conv(x) is one convolution, doubled; conv(x) + conv'(x) has two.
        ("0-1:conv3x3 1-2:skip 1-3:skip 2-3:skip", "0-1:conv3x3 0-2:conv3x3 1-3:skip 2-3:skip"),
        ("0-3:skip", "0-1:skip 1-3:skip 0-3:skip"),
        ("0-3:conv3x3", "0-3:conv3x3@0.5"),
        ("0-3:conv3x3", "0-3:dwconv3x3"),
        ("0-1:conv3x3 1-3:conv1x1", "0-1:conv1x1 1-3:conv3x3"),
        ("0-3:conv3x3", "0-3:conv3x3 0-1:skip 1-3:skip"),
        # A feedback edge is not the forward one, and a delayed skip is an op.
        ("0-1:conv3x3 1-2:skip 2-3:skip 0-3:skip", "0-1:conv3x3 1-3:skip 0-2:skip 2-3:skip 3-0:skip"),
        ("0-1:conv3x3 0-2:skip 1-3:skip 2-1:skip", "0-1:conv3x3 0-2:skip 1-3:skip 1-2:skip"),
    ],
)
def test_different_networks_have_different_forms(one: str, other: str) -> None:
    assert graph(one) != graph(other)


def test_the_form_of_a_cell_read_by_hand() -> None:
    conv, pool = Op("conv3x3"), Op("avgpool3x3")
    # node 1 = conv(x); node 2 = node 1 + x; output = 2 node 1 + pool(node 2) + x
    found = graph("0-1:conv3x3 1-2:skip 0-2:skip 1-3:skip 2-3:avgpool3x3 0-3:skip")
    assert found.atoms == (Atom(conv, 0), Atom(pool, 1))
    assert found.values == (((0, 1), (1, 1)), ((0, 1), (1, 1), (2, 1)))
    assert found.output == 2
    assert found.depth == 1


def test_the_form_of_a_cell_with_feedback_read_by_hand() -> None:
    conv, skip = Op("conv3x3"), Op("skip")
    # output = conv(node 1); node 1 = x + the output one timestep earlier
    found = graph("0-1:skip 1-2:conv3x3 2-3:skip 3-1:skip")
    assert found.has_feedback
    assert found.atoms == (Atom(conv, 1), Atom(skip, 2, feedback=True))
    assert found.values == (((0, 1), (2, 1)), ((1, 1),))
    assert found.output == 2


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("none", 0),
        ("0-1:conv3x3", 0),
        ("0-3:skip", 0),
        ("0-3:avgpool3x3", 0),
        ("0-3:conv3x3", 1),
        ("0-1:conv3x3 1-2:conv1x1 2-3:dwconv3x3 0-3:skip", 3),
        ("0-1:conv3x3 1-2:avgpool3x3 2-3:conv3x3", 2),
        ("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:conv3x3", 2),
    ],
)
def test_depth_counts_spiking_ops(text: str, depth: int) -> None:
    assert graph(text).depth == depth


def test_a_path_through_feedback_connects() -> None:
    assert graph("0-2:conv3x3 2-1:conv3x3 1-3:skip").connected
    assert not graph("0-1:conv3x3 2-1:conv3x3 2-3:skip").connected
    assert not graph("none").connected
    assert graph("0-3:skip").output == 0


def test_loops_that_are_equal_only_together_are_found() -> None:
    """Nodes 1 and 2 are each x plus the other's last value, so they are equal; so is x plus its own last value."""
    crossed = Cell.parse("nodes=6 0-1:skip 0-2:skip 1-3:skip 2-4:skip 4-1:skip 3-2:skip 1-5:conv3x3 2-5:conv1x1")
    single = Cell.parse("nodes=6 0-1:skip 1-2:skip 2-3:skip 3-1:skip 1-5:conv3x3 2-5:conv1x1")
    assert run_cell(crossed, INPUTS) == run_cell(single, INPUTS)
    assert crossed.canonical == single.canonical


def test_the_benchmarks_space_has_5425_networks() -> None:
    assert len({cell.canonical for cell in Space(BENCH_OPS).enumerate_cells()}) == 5425


@pytest.mark.data
@pytest.mark.skipif(not BENCH.exists(), reason="the shared benchmark is not here")
def test_the_benchmarks_groups_are_the_canonical_forms() -> None:
    with BENCH.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7652
    pairs_seen = set()
    for row in rows:
        form = parse_bench(row["ops"], BENCH_OPS).canonical
        assert parse_bench(row["arch_id"], BENCH_OPS).canonical == form
        assert len(form.atoms) == int(row["convs"]), row["ops"]
        pairs_seen.add((row["network"], form))
    assert len({network for network, _ in pairs_seen}) == 2675
    assert len({form for _, form in pairs_seen}) == 2675
    assert len(pairs_seen) == 2675


PRINT_FORMS = """
import random, zlib
from spikenas.space import SNASNET_OPS, Space
rng = random.Random(1)
space = Space(SNASNET_OPS, cells=1, nodes=5, feedback=True)
cells = [space.sample(rng).cells[0] for _ in range(200)]
print(zlib.crc32(repr([(cell.canonical, cell.written) for cell in cells]).encode()))
"""


def test_forms_are_the_same_in_every_process() -> None:
    def crc(seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", PRINT_FORMS], capture_output=True, check=True, env=environment)
        return done.stdout.decode()

    assert crc("1") == crc("2")


def test_a_genotype_collects_the_forms_of_its_cells() -> None:
    genotype = Genotype.parse("0-3:conv3x3 / 0-1:skip 1-3:conv3x3")
    assert genotype.canonical[0] == genotype.canonical[1] == graph("0-3:conv3x3")


def test_a_threshold_that_is_the_default_is_none_of_its_own() -> None:
    plain, written = (Genotype.parse(text) for text in ("0-3:conv3x3", "0-3:conv3x3@1.0"))
    assert plain.canonical == written.canonical
    assert plain.canonical != Genotype.parse("0-3:conv3x3@0.5").canonical
    assert len(Space.of(["skip", "conv3x3", "conv3x3@1.0"]).distinct_cells) == 39
    assert len(Space.of(["skip", "conv3x3"]).distinct_cells) == 39


def test_in_a_network_of_another_threshold_they_are_two() -> None:
    ops = ["skip", "conv3x3", "conv3x3@1.0"]
    assert len(Space.of(ops, v_threshold=0.5).distinct_cells) == len(
        Space.of(["skip", "conv3x3", "conv3x3@0.5"]).distinct_cells
    )
    plans = {
        text: make_plan(
            Genotype.parse(text), NetworkConfig(cells=1, channels=4, v_threshold=0.5), InputSpec(1, 8, 8, 2)
        )
        for text in ("0-3:conv3x3", "0-3:conv3x3@1.0", "0-3:conv3x3@0.5")
    }
    thresholds = {text: plan.by_name["cell1.op1.ilif"].threshold for text, plan in plans.items()}
    assert thresholds == {"0-3:conv3x3": 0.5, "0-3:conv3x3@1.0": 1.0, "0-3:conv3x3@0.5": 0.5}
