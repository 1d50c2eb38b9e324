from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.space import OPS, Cell, Edge, Genotype, Op
from spikenas.space.cell import pairs
from spikenas.space.drawing import draw_svg, draw_text

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def genotypes(draw: st.DrawFn) -> Genotype:
    cells = []
    for nodes in draw(st.lists(st.integers(2, 7), min_size=1, max_size=3)):
        drawn = [(Op(draw(st.sampled_from(sorted(OPS)))), draw(st.booleans())) for _ in pairs(nodes)]
        cells.append(Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in drawn), nodes))
    return Genotype(tuple(cells))


@settings(max_examples=30, deadline=None)
@given(genotypes())
def test_a_picture_shows_every_node_and_every_edge(genotype: Genotype) -> None:
    root = ElementTree.fromstring(draw_svg(genotype))
    links = [link for cell in genotype.cells for link in cell.links()]
    assert root.findtext(f"{SVG}title") == str(genotype)
    assert len(root.findall(f".//{SVG}circle")) == sum(cell.nodes for cell in genotype.cells)
    drawn = [group.findtext(f"{SVG}text") for group in root.iter(f"{SVG}g")]
    assert drawn == [str(op) for _, _, op in links]
    dashed = [group.find(f"{SVG}path").get("stroke-dasharray") is not None for group in root.iter(f"{SVG}g")]  # type: ignore[union-attr]
    assert dashed == [source > target for source, target, _ in links]
    markers = {marker.get("id") for marker in root.iter(f"{SVG}marker")}
    assert {op.kind for _, _, op in links} <= markers


@settings(max_examples=30, deadline=None)
@given(genotypes())
def test_everything_is_inside_the_picture(genotype: Genotype) -> None:
    root = ElementTree.fromstring(draw_svg(genotype))
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    for element in [*root.iter(f"{SVG}text"), *root.iter(f"{SVG}circle")]:
        x, y = (float(element.get(a) or element.get(f"c{a}") or -1) for a in "xy")
        assert 0 <= x <= width
        assert 0 <= y <= height


def test_dead_edges_are_faint() -> None:
    root = ElementTree.fromstring(draw_svg(Genotype.parse("0-3:conv3x3 0-1:conv1x1 2-3:skip")))
    titles = {group.findtext(f"{SVG}title"): group.get("opacity") for group in root.iter(f"{SVG}g")}
    assert titles == {
        "0-3:conv3x3": "1",
        "0-1:conv1x1, dead: never computed": "0.3",
        "2-3:skip, dead: never computed": "0.3",
    }


def test_text_of_a_cell() -> None:
    assert draw_text(Genotype.parse("0-1:conv3x3 1-3:skip 0-3:skip 3-2:avgpool3x3")).splitlines() == [
        "cell 1: 0-1:conv3x3 0-3:skip 1-3:skip 3-2:avgpool3x3",
        "",
        "  [0] input",
        "  [1]        <-- conv3x3 -- [0]",
        "  [2]        <== avgpool3x3 == [3] at t-1",
        "  [3] output <-- skip -- [0]",
        "             <-- skip -- [1]",
        "",
        "  computes: output = x + conv3x3(x)  (1 conv3x3, depth 1)",
    ]


@pytest.mark.parametrize(
    ("text", "computed"),
    [
        ("none", "nothing; no path leads from input to output"),
        ("0-3:skip", "the input itself"),
        ("0-1:skip 1-3:skip 0-3:skip", "output = 2 x  (no op, depth 0)"),
        (
            "0-1:conv3x3@0.5 1-2:skip 1-3:skip 2-3:skip",
            "output = 2 conv3x3@0.5(x)  (1 conv3x3@0.5, depth 1)",
        ),
        (
            "0-1:skip 1-2:conv3x3 2-3:skip 3-1:skip",
            "v1 = x + skip(v2[t-1]); output = conv3x3(v1)  (1 conv3x3, 1 skip, depth 1)",
        ),
    ],
)
def test_what_a_cell_computes(text: str, computed: str) -> None:
    assert draw_text(Genotype.parse(text)).splitlines()[-1] == f"  computes: {computed}"


def test_cells_are_numbered() -> None:
    text = draw_text(Genotype.parse("0-3:skip / nodes=2 0-1:conv1x1"))
    assert "cell 1: 0-3:skip\n" in text
    assert "\n\ncell 2: nodes=2 0-1:conv1x1\n" in text
