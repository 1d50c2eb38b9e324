from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from cells import QUICK, cells
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import GenotypeError
from spikenas.space import BENCH_OPS, SNASNET_OPS, Cell, Edge, Genotype, Op, parse_bench
from spikenas.space.cell import pairs


@QUICK
@given(st.lists(cells(), min_size=1, max_size=3))
def test_text_round_trip(drawn: list[Cell]) -> None:
    genotype = Genotype(tuple(drawn))
    assert Genotype.parse(str(genotype)) == genotype
    assert str(Genotype.parse(str(genotype))) == str(genotype)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(SNASNET_OPS), st.booleans()), min_size=6, max_size=6))
def test_matrix_round_trip(drawn: list[tuple[Op, bool]]) -> None:
    cell = Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in drawn))
    assert Cell.parse(cell.matrix) == cell


def test_matrix_rows_are_sources_and_columns_targets() -> None:
    cell = Cell.parse("0302 0030 3003 0000")
    assert str(cell) == "0-1:conv3x3 2-0:conv3x3 0-3:conv1x1 1-2:conv3x3 2-3:conv3x3"
    assert cell.has_feedback
    assert cell.matrix == "0302 0030 3003 0000"
    assert Cell.parse("0302,0030,3003,0000") == cell


def test_text_is_forgiving_about_blanks_commas_and_order() -> None:
    cell = Cell.parse("0-1:conv3x3 1-3:skip")
    assert Cell.parse("  1-3:skip ,\t0-1:conv3x3, 0-2:none ") == cell
    assert str(cell) == "0-1:conv3x3 1-3:skip"
    assert [str(op) for op in cell.ops] == ["conv3x3", "none", "none", "none", "skip", "none"]


def test_other_numbers_of_nodes_are_written_down() -> None:
    assert str(Cell.parse("nodes=5 0-4:skip")) == "nodes=5 0-4:skip"
    assert str(Cell.parse("nodes=4 0-3:skip")) == "0-3:skip"
    assert str(Cell.parse("nodes=2 none")) == "nodes=2 none"
    assert len(Cell.parse("nodes=7 none").edges) == 21


def test_several_cells() -> None:
    genotype = Genotype.parse("0-3:skip / nodes=3 0-2:conv1x1/0300 0000 0001 0000")
    assert [cell.nodes for cell in genotype.cells] == [4, 3, 4]
    assert str(genotype) == "0-3:skip / nodes=3 0-2:conv1x1 / 0-1:conv3x3 2-3:skip"
    assert not genotype.connected
    assert Genotype(genotype.cells[:2]).connected


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "cell 1: empty cell; a cell without edges is written 'none'"),
        ("   ", "cell 1: empty cell"),
        ("nodes=4", "cell 1: empty cell"),
        ("0-3:skip / ", "cell 2: empty cell"),
        ("0-3:skip //0-3:skip", "cell 2: empty cell"),
        ("0-1", "cell 1: '0-1' is not an edge; edges look like 0-1:conv3x3"),
        ("0-3:skip / 0>1:skip", "cell 2: '0>1:skip' is not an edge"),
        ("a-b:skip", "'a-b:skip' is not an edge"),
        ("none 0-1:skip", "'none' is not an edge"),
        ("0-1:conv3x4", "'0-1:conv3x4': unknown op 'conv3x4', did you mean 'conv3x3'?"),
        ("0-1:conv3x3@x", "'0-1:conv3x3@x': 'conv3x3@x': the threshold after @"),
        ("0-1:skip@1", "'0-1:skip@1': 'skip@1': skip has no neurons"),
        ("0-4:skip", "'0-4:skip': an edge joins two of the nodes 0 to 3"),
        ("nodes=3 0-3:skip", "'0-3:skip': an edge joins two of the nodes 0 to 2"),
        ("1-1:skip", "'1-1:skip': an edge joins two of the nodes 0 to 3"),
        ("0-1:skip 0-1:skip", "'0-1:skip': nodes 0 and 1 already have an edge"),
        ("0-1:skip 1-0:conv3x3", "'1-0:conv3x3': nodes 0 and 1 already have an edge"),
        ("1-0:none", "'1-0:none': a feedback edge needs an op other than none"),
        ("nodes=1 none", "'nodes=1': a cell has 2 to 7 nodes"),
        ("nodes=8 none", "'nodes=8': a cell has 2 to 7 nodes"),
        ("nodes=x 0-1:skip", "'nodes=x' is not an edge"),
        ("0500 0000 0000 0000", "cell 1: matrix: no op has the code 5, codes are 0 to 4"),
        ("0100 1000 0000 0000", "matrix: nodes 0 and 1 are joined in both directions"),
        ("0100 0200 0000 0000", "matrix: the diagonal must be 0"),
        ("0100 0000 0000", "cell 1: digits alone are a matrix, four blocks of four such as 0100 0000 0001 0000"),
        ("0-3:skip / 0100 0000 000 0000", "cell 2: digits alone are a matrix"),
    ],
)
def test_a_malformed_text_names_the_place(text: str, fragment: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        Genotype.parse(text)
    assert fragment in str(caught.value)
    assert repr(text.strip()) in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "fragment"),
    [
        ("nodes=5 0-4:skip", "the matrix form has 4 nodes, this cell 5"),
        ("0-3:conv5x5", "the matrix form has no code for conv5x5"),
        ("0-3:conv3x3@0.5", "the matrix form has no code for conv3x3@0.5"),
    ],
)
def test_what_the_matrix_form_cannot_say(cell: str, fragment: str) -> None:
    with pytest.raises(GenotypeError, match=fragment):
        _ = Cell.parse(cell).matrix


def test_a_wrong_number_of_edges_is_refused() -> None:
    with pytest.raises(GenotypeError, match="a cell of 4 nodes has 6 edges, got 5"):
        Cell.of(["skip"] * 5)
    with pytest.raises(GenotypeError, match="at least one cell"):
        Genotype(())
    with pytest.raises(GenotypeError, match="feedback edge needs an op"):
        Edge(Op("none"), feedback=True)


@QUICK
@given(st.integers(0, 5**6 - 1))
def test_bench_ids_and_digits_agree(number: int) -> None:
    digits = "".join(str(number // 5**k % 5) for k in range(6))
    assert parse_bench(digits, BENCH_OPS) == Cell.of(BENCH_OPS[int(digit)] for digit in digits)
    if number < 100_000:
        assert parse_bench(str(number), BENCH_OPS) == parse_bench(digits, BENCH_OPS)


def test_the_first_edge_is_the_least_significant_digit() -> None:
    assert str(parse_bench("2", BENCH_OPS)) == "0-1:conv3x3@0.5"
    assert str(parse_bench("200001", BENCH_OPS)) == "0-1:conv3x3@0.5 2-3:skip"
    assert parse_bench(str(2 + 5**5), BENCH_OPS) == parse_bench("200001", BENCH_OPS)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("15625", "'15625': ids are 0 to 15624"),
        ("500000", "'500000': op digits are 0 to 4"),
        ("-1", "'-1' is not an id or six op digits"),
        ("12a", "'12a' is not an id"),
        ("", "'' is not an id"),
        ("²", "is not an id"),
        ("0000000000000099999", "ids are 0 to 15624"),
    ],
)
def test_a_bad_bench_id_is_refused(text: str, fragment: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        parse_bench(text, BENCH_OPS)
    assert fragment in str(caught.value)


def test_cells_and_genotypes_are_values() -> None:
    one, other = Genotype.parse("0-3:skip / 0-1:skip"), Genotype.parse("0-3:skip / 0-1:skip")
    assert one == other
    assert len({one, other}) == 1
    with pytest.raises(FrozenInstanceError):
        one.cells[0].nodes = 5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        one.cells = ()  # type: ignore[misc]


def test_pairs_are_in_the_order_of_the_design() -> None:
    assert pairs(4) == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
