"""Define cells: frozen, hashable values with a text form.

The text form of a cell lists its edges `FROM-TO:OP`, with blanks or commas between them and `none` edges left out. An
edge with FROM > TO is a feedback edge. A cell has 4 nodes unless it begins with `nodes=N`; a cell without edges is
`none`. The cells of a genotype are joined by ` / `:

    0-1:conv3x3 1-3:conv3x3@0.5 0-3:skip / 0-3:conv3x3

    genotype = cell { "/" cell } ;          cell = [ "nodes=" N ] ( "none" | edge { sep edge } ) | matrix ;
    edge = node "-" node ":" op ;           op = name [ "@" threshold ] ;         sep = blanks | "," ;
    matrix = four blocks of four digits ;   (SNASNet's: row = from, column = to, lower triangle = feedback)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations

from spikenas._util.errors import GenotypeError
from spikenas.space.graph import CellGraph, canonical_graph, written_graph
from spikenas.space.ops import NONE, SNASNET_OPS, Op

_EDGE = re.compile(r"([0-9]{1,2})-([0-9]{1,2}):(\S+)")
_MATRIX = re.compile(r"[0-9]{4}([ ,]+[0-9]{4}){3}")


@dataclass(frozen=True)
class Edge:
    """An edge says what a pair of nodes carries.

    Attributes:
        op: Op of the edge; `none` where the pair is not connected.
        feedback: Whether the edge runs backward, from the later node to the earlier one.

    Raises:
        GenotypeError: A feedback edge has the op `none`.
    """

    op: Op = NONE
    feedback: bool = False

    def __post_init__(self) -> None:
        if self.feedback and self.op == NONE:
            raise GenotypeError("a feedback edge needs an op other than none")


@cache
def pairs(nodes: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs (i, j), i < j, of a cell's nodes in order; of 4 nodes (0,1) (0,2) (0,3) (1,2) (1,3) (2,3)."""
    return tuple(combinations(range(nodes), 2))


@dataclass(frozen=True)
class Cell:
    """A cell is a directed graph with one op for each pair of nodes; node 0 is the input, the last node the output.

    Attributes:
        edges: One `Edge` for each pair of `pairs(nodes)`, in that order.
        nodes: Number of nodes, at least 2.

    Raises:
        GenotypeError: There are too few nodes, or the number of edges is wrong.
    """

    edges: tuple[Edge, ...]
    nodes: int = 4

    def __post_init__(self) -> None:
        if self.nodes < 2 or len(self.edges) != len(pairs(self.nodes)):
            raise GenotypeError(
                f"a cell of {self.nodes} nodes has {len(pairs(self.nodes))} edges, got {len(self.edges)}"
            )

    @classmethod
    def of(cls, ops: Iterable[Op | str], nodes: int = 4) -> Cell:
        """Make a cell without feedback from one op for each pair, in the order of `pairs`."""
        return cls(tuple(Edge(Op.parse(op) if isinstance(op, str) else op) for op in ops), nodes)

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Read the text or matrix form of one cell.

        Raises:
            GenotypeError: The text cannot be read; the message names the part.
        """
        text = text.strip()
        if _MATRIX.fullmatch(text):
            return _from_matrix(re.split(r"[ ,]+", text))
        if re.fullmatch(r"[\d\s,]+", text):
            raise GenotypeError(
                "digits alone are a matrix, four blocks of four such as 0100 0000 0001 0000, or in the space "
                "spikenas-bench an id"
            )
        nodes, tokens = 4, re.split(r"[\s,]+", text)
        if match := re.fullmatch(r"nodes=([0-9]{1,9})", tokens[0]):
            nodes = int(match[1])
            if not 2 <= nodes <= 7:
                raise GenotypeError(f"{tokens[0]!r}: a cell has 2 to 7 nodes")
            tokens = tokens[1:]
        if tokens == ["none"]:
            tokens = []
        elif not any(tokens):
            raise GenotypeError("empty cell; a cell without edges is written 'none'")
        edges: dict[tuple[int, int], Edge] = {}
        for token in tokens:
            pair, edge = _read_edge(token, nodes)
            if pair in edges:
                raise GenotypeError(f"{token!r}: nodes {pair[0]} and {pair[1]} already have an edge")
            edges[pair] = edge
        return cls(tuple(edges.get(pair, Edge()) for pair in pairs(nodes)), nodes)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:  # cells are keys of what is kept for millions of designs
        return hash((self.edges, self.nodes))

    @property
    def has_feedback(self) -> bool:
        """Whether any edge runs backward, live or not."""
        return any(edge.feedback for edge in self.edges)

    @property
    def ops(self) -> tuple[Op, ...]:
        """Op of each pair, in edge order."""
        return tuple(edge.op for edge in self.edges)

    def links(self) -> Iterator[tuple[int, int, Op]]:
        """Iterate over (from, to, op) of every edge that is not none."""
        for (i, j), edge in zip(pairs(self.nodes), self.edges, strict=True):
            if edge.op != NONE:
                yield (j, i, edge.op) if edge.feedback else (i, j, edge.op)

    def at_threshold(self, default: float) -> Cell:
        """Return the cell with the threshold of its network at every op that has none of its own."""
        edges = (Edge(edge.op.at_threshold(default), edge.feedback) for edge in self.edges)
        return Cell(tuple(edges), self.nodes)

    @cached_property
    def canonical(self) -> CellGraph:
        """Canonical form of the cell; cells that are equal networks have equal ones."""
        return canonical_graph(self.nodes, tuple(self.links()))

    @cached_property
    def has_weights(self) -> bool:
        """Whether it has a convolution that is no dead edge."""
        return any(atom.op.spiking for atom in self.canonical.atoms)

    @cached_property
    def written(self) -> CellGraph:
        """Graph of the cell with every edge kept, dead ones too."""
        return written_graph(self.nodes, tuple(self.links()))

    @property
    def matrix(self) -> str:
        """SNASNet's matrix form of the cell.

        Raises:
            GenotypeError: The cell has other than 4 nodes, or an op that SNASNet lacks.
        """
        if self.nodes != 4:
            raise GenotypeError(f"the matrix form has 4 nodes, this cell {self.nodes}")
        rows = [["0"] * 4 for _ in range(4)]
        for source, target, op in self.links():
            if op.info.code is None or op.threshold is not None:
                raise GenotypeError(f"the matrix form has no code for {op}")
            rows[source][target] = str(op.info.code)
        return " ".join("".join(row) for row in rows)

    def __str__(self) -> str:
        prefix = [] if self.nodes == 4 else [f"nodes={self.nodes}"]
        edges = [f"{source}-{target}:{op}" for source, target, op in self.links()]
        return " ".join(prefix + (edges or ["none"]))


def _read_edge(token: str, nodes: int) -> tuple[tuple[int, int], Edge]:
    match = _EDGE.fullmatch(token)
    if not match:
        raise GenotypeError(f"{token!r} is not an edge; edges look like 0-1:conv3x3")
    source, target = int(match[1]), int(match[2])
    if source == target or max(source, target) >= nodes:
        raise GenotypeError(f"{token!r}: an edge joins two of the nodes 0 to {nodes - 1}")
    try:
        op = Op.parse(match[3])
        return (min(source, target), max(source, target)), Edge(op, feedback=source > target)
    except GenotypeError as error:
        raise GenotypeError(f"{token!r}: {error}") from None


def _from_matrix(rows: list[str]) -> Cell:
    edges = []
    for i, j in pairs(4):
        forward, backward = int(rows[i][j]), int(rows[j][i])
        if forward and backward:
            raise GenotypeError(f"matrix: nodes {i} and {j} are joined in both directions")
        code = forward or backward
        if code >= len(SNASNET_OPS):
            raise GenotypeError(f"matrix: no op has the code {code}, codes are 0 to {len(SNASNET_OPS) - 1}")
        edges.append(Edge(SNASNET_OPS[code], feedback=backward > 0))
    if any(rows[i][i] != "0" for i in range(4)):
        raise GenotypeError("matrix: the diagonal must be 0")
    return Cell(tuple(edges))


def parse_bench(text: str, ops: tuple[Op, ...]) -> Cell:
    """Read SpikeNAS-Bench's id (0 to 15624) or its six op digits.

    Six characters are op digits, edge (0,1) first; anything shorter is an id, base 5, edge (0,1) least significant.

    Raises:
        GenotypeError: The text is neither, or is out of range.
    """
    edges = len(pairs(4))
    if not text.isascii() or not text.isdigit():
        raise GenotypeError(f"{text!r} is not an id or six op digits")
    if len(text) == edges:
        digits = [int(char) for char in text]
        if max(digits) >= len(ops):
            raise GenotypeError(f"{text!r}: op digits are 0 to {len(ops) - 1}")
    else:
        number, count = int(text[:edges]), len(ops) ** edges
        if len(text) > edges or number >= count:
            raise GenotypeError(f"{text!r}: ids are 0 to {count - 1}")
        digits = [number // len(ops) ** k % len(ops) for k in range(edges)]
    return Cell.of(ops[digit] for digit in digits)
