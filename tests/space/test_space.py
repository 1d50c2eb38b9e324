from __future__ import annotations

import random

import pytest
from cells import QUICK
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import NAMED_SPACES
from spikenas.space import BENCH_OPS, SNASNET_OPS, Cell, Genotype, Op, Space

SMALL = Space.of(["skip", "conv3x3"])


def test_sizes() -> None:
    assert Space(SNASNET_OPS, cells=1).cell_count == 15_625
    assert Space(SNASNET_OPS, cells=2).size == 15_625**2
    assert Space(SNASNET_OPS, cells=1, feedback=True).size == 9**6
    assert Space(BENCH_OPS, cells=3, nodes=3).size == 125**3
    assert SMALL.size == 64**2


def test_enumeration_meets_every_genotype_once() -> None:
    space = Space.of(["none", "skip", "conv1x1"], cells=2, nodes=3)
    found = list(space.enumerate())
    assert len(found) == len(set(found)) == space.size == 27**2
    assert all(genotype in space for genotype in found)
    assert [str(genotype) for genotype in found[:2]] == [
        "nodes=3 none / nodes=3 none",
        "nodes=3 none / nodes=3 1-2:skip",
    ]


def test_enumeration_with_feedback() -> None:
    space = Space.of(["none", "conv3x3"], cells=1, nodes=3, feedback=True)
    found = list(space.enumerate_cells())
    assert len(set(found)) == space.cell_count == 27
    assert sum(cell.has_feedback for cell in found) == 27 - 8


@pytest.mark.parametrize(
    ("ops", "nodes", "cell"),
    [
        ("none skip conv3x3", 4, "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"),
        ("avgpool3x3 conv1x1 conv3x3 dwconv3x3 none", 3, "nodes=3 0-1:conv3x3 1-2:conv3x3"),
        ("dwconv3x3 avgpool3x3", 3, "nodes=3 0-1:dwconv3x3 0-2:dwconv3x3 1-2:dwconv3x3"),
    ],
)
@pytest.mark.parametrize("feedback", [False, True])
def test_the_usual_cell_is_a_chain(ops: str, nodes: int, cell: str, feedback: bool) -> None:
    assert str(Space.of(ops.split(), 1, nodes, feedback).usual_cell) == cell


def test_the_default_space_has_39_distinct_cells() -> None:
    distinct = SMALL.distinct_cells
    assert len(distinct) == len({cell.canonical for cell in distinct}) == 39
    assert all(cell.canonical.connected for cell in distinct)
    first: dict[object, Cell] = {}
    for cell in SMALL.enumerate_cells():
        first.setdefault(cell.canonical, cell)
    assert list(distinct) == list(first.values())  # without none, every cell is connected


def test_disconnected_cells_are_not_candidates() -> None:
    space = Space.of(["none", "skip"], cells=1, nodes=3)
    assert [str(cell) for cell in space.distinct_cells] == ["nodes=3 0-2:skip", "nodes=3 0-1:skip 0-2:skip 1-2:skip"]


@QUICK
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 3), st.integers(2, 5))
def test_samples_are_members(seed: int, feedback: bool, cells: int, nodes: int) -> None:
    space = Space(SNASNET_OPS, cells, nodes, feedback)
    genotype = space.sample(random.Random(seed))
    assert genotype in space
    assert genotype == space.sample(random.Random(seed))


def test_samples_are_uniform_over_ops() -> None:
    rng = random.Random(0)
    space = Space(SNASNET_OPS, cells=1, feedback=True)
    drawn = [edge for _ in range(1500) for edge in space.sample(rng).cells[0].edges]
    assert len(set(drawn)) == 9
    assert all(900 < drawn.count(edge) < 1100 for edge in set(drawn))


@QUICK
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 3))
def test_neighbours_differ_in_exactly_one_edge(seed: int, feedback: bool, cells: int) -> None:
    space = Space(SNASNET_OPS, cells, feedback=feedback)
    genotype = space.sample(random.Random(seed))
    neighbours = list(space.neighbours(genotype))
    assert len(neighbours) == len(set(neighbours)) == cells * 6 * (8 if feedback else 4)
    for neighbour in neighbours:
        assert neighbour in space
        edges = zip(
            (edge for cell in genotype.cells for edge in cell.edges),
            (edge for cell in neighbour.cells for edge in cell.edges),
            strict=True,
        )
        assert sum(one != other for one, other in edges) == 1


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("0-1:skip 0-2:skip 0-3:skip 1-2:skip 1-3:conv3x3 2-3:skip / " * 2, True),
        ("0-3:skip / 0-3:skip", False),
        ("0-1:skip 0-2:skip 0-3:skip 1-2:skip 1-3:conv3x3@1.0 2-3:skip / " * 2, False),
        ("0-1:skip 0-2:skip 0-3:skip 1-2:skip 3-1:conv3x3 2-3:skip / " * 2, False),
        ("0-1:skip 0-2:skip 0-3:skip 1-2:skip 1-3:conv3x3 2-3:skip / ", False),
        ("nodes=2 0-1:skip / nodes=2 0-1:skip / ", False),
    ],
)
def test_membership(text: str, member: bool) -> None:
    assert (Genotype.parse(text.rstrip("/ ")) in SMALL) == member


def test_a_shared_space_has_one_free_cell() -> None:
    space = Space.of(["none", "skip", "conv3x3"], cells=3, nodes=3, shared=True)
    found = list(space.enumerate())
    assert len(found) == len(set(found)) == space.size == 27
    assert all(genotype in space and len(set(genotype.cells)) == 1 and len(genotype.cells) == 3 for genotype in found)
    assert space.sample(random.Random(0)) in space
    neighbours = list(space.neighbours(found[5]))
    assert len(neighbours) == len(set(neighbours)) == 6
    assert all(genotype in space for genotype in neighbours)
    assert Genotype((*found[5].cells[:2], found[6].cells[0])) not in space


@QUICK
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 3), st.booleans())
def test_encoding_and_decoding(seed: int, feedback: bool, cells: int, shared: bool) -> None:
    space = Space(SNASNET_OPS, cells, 4, feedback, shared)
    genotype = space.sample(random.Random(seed))
    vector = space.encode(genotype)
    assert space.decode(vector) == genotype
    assert len(vector) == len(space.choices) == 6 * (1 if shared else cells)
    assert all(0 <= option < count == len(space.edges) for option, count in zip(vector, space.choices, strict=True))
    assert len({space.encode(neighbour) for neighbour in space.neighbours(genotype)}) == sum(space.choices) - len(
        vector
    )


def test_what_cannot_be_encoded_or_decoded() -> None:
    with pytest.raises(GenotypeError, match="genotype '0-3:skip / 0-3:skip' is not of this space"):
        SMALL.encode(Genotype.parse("0-3:skip / 0-3:skip"))
    for vector in ((0,) * 11, (0,) * 11 + (2,), (-1,) + (0,) * 11):
        with pytest.raises(GenotypeError, match="12 options from 0 to 1 make a genotype"):
            SMALL.decode(vector)


def test_members_limit_the_distinct_cells_and_membership() -> None:
    kept = SMALL.distinct_cells[::3]
    space = Space(SMALL.ops, members=frozenset(cell.canonical for cell in kept))
    assert space.distinct_cells == kept
    assert Genotype((kept[0], kept[1])) in space
    assert Genotype((kept[0], SMALL.distinct_cells[1])) not in space
    assert space.size == SMALL.size
    outside = Genotype((SMALL.distinct_cells[1],) * 2)
    assert space.decode(space.encode(outside)) == outside


def test_other_things_are_not_members() -> None:
    assert "0-3:skip" not in SMALL
    assert Cell.parse("0-3:skip") not in SMALL


@pytest.mark.parametrize("ops", [(), ("skip", "skip"), ("conv3x3", "skip", "conv3x3")])
def test_no_op_or_one_twice_is_refused(ops: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="at least one op, each once"):
        Space.of(ops)


def test_none_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="none alone has no network"):
        Space((Op("none"),))


def test_an_unknown_op_is_refused() -> None:
    with pytest.raises(GenotypeError, match="did you mean 'conv3x3'"):
        Space.of(["conv3x"])


def test_named_spaces() -> None:
    assert Space.of(NAMED_SPACES["spikenas"].ops) == SMALL
    assert Space.of(NAMED_SPACES["snasnet"].ops).ops == SNASNET_OPS
    assert Space.of(NAMED_SPACES["spikenas-bench"].ops).ops == BENCH_OPS
