"""Draw genotypes: as text for a terminal, as SVG for everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from spikenas.space.cell import Cell, Edge, pairs
from spikenas.space.graph import CellGraph
from spikenas.space.ops import NONE, Op

if TYPE_CHECKING:
    from spikenas.space.genotype import Genotype

_GAP_X, _GAP_Y, _RADIUS = 170, 130, 16
_COLOURS = {"skip": "#767676", "conv": "#0b63a5", "dwconv": "#7a3ea1", "avgpool": "#a2591a"}
_STYLE = (
    ".genotype text{font:13px system-ui,sans-serif;fill:#222}"
    ".genotype .halo{stroke:#fff;stroke-width:4px;paint-order:stroke}"
    "@media screen and (prefers-color-scheme:dark){.genotype text{fill:#eee}.genotype .halo{stroke:#1b1b1b}"
    ".genotype .paper{fill:#1b1b1b}}"
)


def draw_text(genotype: Genotype) -> str:
    """Describe each cell by the inputs of its nodes, and by what is computed after skips and dead edges are gone."""
    return "\n\n".join(_cell_text(number, cell) for number, cell in enumerate(genotype.cells, start=1))


def _cell_text(number: int, cell: Cell) -> str:
    lines = [f"cell {number}: {cell}", ""]
    last = cell.nodes - 1
    for node in range(cell.nodes):
        incoming = [(source, op) for source, target, op in cell.links() if target == node]
        role = "input" if node == 0 else "output" if node == last else ""
        head = f"  [{node}] {role:<6} "
        if not incoming:
            lines.append(f"{head}{'' if node == 0 else '(nothing)'}".rstrip())
        for k, (source, op) in enumerate(incoming):
            arrow = f"<== {op} == [{source}] at t-1" if source > node else f"<-- {op} -- [{source}]"
            lines.append((head if k == 0 else " " * len(head)) + arrow)
    return "\n".join([*lines, "", f"  computes: {_computed(cell.canonical)}"])


def _computed(graph: CellGraph) -> str:
    """Describe the canonical graph in words."""
    if not graph.connected:
        return "nothing; no path leads from input to output"
    if graph.output == 0:
        return "the input itself"
    names = {0: "x"} | {n: f"v{n}" for n in range(1, len(graph.values) + 1)}
    sums = []
    for number, terms in enumerate(graph.values, start=1):
        parts = []
        for term, times in terms:
            if term:
                atom = graph.atoms[term - 1]
                part = f"{atom.op}({names[atom.source]}{'[t-1]' if atom.feedback else ''})"
            else:
                part = "x"
            parts.append(part if times == 1 else f"{times} {part}")
        sums.append(f"{'output' if number == graph.output else names[number]} = {' + '.join(parts) or '0'}")
    counts = Counter(str(atom.op) for atom in graph.atoms)
    total = ", ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "no op"
    return "; ".join(sums) + f"  ({total}, depth {graph.depth})"


def draw_svg(genotype: Genotype, notes: Mapping[tuple[int, str], str] = MappingProxyType({}), name: str = "") -> str:
    """Draw one row of nodes for each cell; forward edges are above, feedback is dashed below, dead edges are faint.

    Args:
        genotype: Genotype to draw.
        notes: Text that is shown for an edge under the pointer, by number of the cell, from 1, and op.
        name: Prefix that makes identifiers unique where several pictures are on one page.

    Returns:
        The SVG document.
    """
    width = _GAP_X * (max(cell.nodes for cell in genotype.cells) - 1) + 120
    height = sum(_height(cell) for cell in genotype.cells)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'class="genotype" role="img"><title>{escape(str(genotype))}</title><style>{_STYLE}</style>',
        f"<defs>{''.join(_arrowhead(name + kind, colour) for kind, colour in _COLOURS.items())}</defs>",
        f'<rect class="paper" width="{width}" height="{height}" fill="#fff"/>',
    ]
    top = 0
    for number, cell in enumerate(genotype.cells, start=1):
        parts.append(_cell_svg(number, cell, top, notes, name))
        top += _height(cell)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _height(cell: Cell) -> int:
    below = max((source - target for source, target, _ in cell.links() if source > target), default=0)
    return 80 + _rise(cell.nodes - 1) + (_rise(below) if below else 20)


def _rise(span: int) -> int:
    return 24 + 38 * span


def _cell_svg(number: int, cell: Cell, top: int, notes: Mapping[tuple[int, str], str], name: str) -> str:
    axis = top + 50 + _rise(cell.nodes - 1)
    live = _live_links(cell)
    parts = [f'<text x="12" y="{top + 24}" font-weight="600">cell {number}</text>']
    for source, target, op in cell.links():
        note = notes.get((number, str(op)), "")
        parts.append(_edge_svg(source, target, op, axis, (source, target) in live, note, name))
    for node in range(cell.nodes):
        x = 60 + _GAP_X * node
        parts.append(
            f'<circle cx="{x}" cy="{axis}" r="{_RADIUS}" fill="#fff" stroke="#555" stroke-width="1.5"/>'
            f'<text x="{x}" y="{axis + 5}" text-anchor="middle" style="fill:#222">{node}</text>'
        )
        if node in (0, cell.nodes - 1):
            role = "input" if node == 0 else "output"
            parts.append(f'<text x="{x}" y="{axis + 34}" text-anchor="middle">{role}</text>')
    return "\n".join(parts)


def _edge_svg(source: int, target: int, op: Op, axis: int, live: bool, note: str, name: str) -> str:
    feedback = source > target
    side = 1 if feedback else -1
    start, end = 60 + _GAP_X * source, 60 + _GAP_X * target
    peak = axis + side * (_rise(abs(source - target)) * 4 // 3)
    begin = axis + side * _RADIUS
    colour = _COLOURS[op.kind]
    dashes = ' stroke-dasharray="6 4"' if feedback else ""
    label_y = axis + side * _rise(abs(source - target)) + 5
    title = f"{source}-{target}:{op}" + (", feedback" if feedback else "") + ("" if live else ", dead: never computed")
    title += f"; {note}" if note and live else ""
    return (
        f'<g opacity="{1 if live else 0.3}"><title>{escape(title)}</title>'
        f'<path d="M {start} {begin} C {start} {peak} {end} {peak} {end} {begin + side * 7}" fill="none" '
        f'stroke="{colour}" stroke-width="2"{dashes} marker-end="url(#{name}{op.kind})"/>'
        f'<text class="halo" x="{(start + end) / 2:g}" y="{label_y}" text-anchor="middle">{escape(str(op))}</text></g>'
    )


def _live_links(cell: Cell) -> set[tuple[int, int]]:
    """Return the links without which the cell would be another network."""
    found = set()
    for k, edge in enumerate(cell.edges):
        without = Cell((*cell.edges[:k], Edge(), *cell.edges[k + 1 :]), cell.nodes)
        if edge.op != NONE and without.canonical != cell.canonical:
            i, j = pairs(cell.nodes)[k]
            found.add((j, i) if edge.feedback else (i, j))
    return found


def _arrowhead(kind: str, colour: str) -> str:
    return (
        f'<marker id="{kind}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{colour}"/></marker>'
    )
