"""Sets of cells and genotypes: size, enumeration, sampling, neighbours, membership."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from spikenas.errors import ConfigError
from spikenas.space.genotype import Cell, Edge, Genotype, pairs
from spikenas.space.graph import CellGraph
from spikenas.space.ops import BENCH_OPS, NONE, SNASNET_OPS, Op

MOST_CELLS = 10**6


@dataclass(frozen=True)
class Space:
    """Genotypes whose cells take each edge's op from one set.

    Attributes:
        ops: Ops of an edge, at least one.
        cells: Number of cells, each with a cell of its own.
        nodes: Nodes of a cell.
        feedback: Whether a pair may also run backward (with any op but none).
    """

    ops: tuple[Op, ...]
    cells: int = 2
    nodes: int = 4
    feedback: bool = False

    def __post_init__(self) -> None:
        if not self.ops or len(set(self.ops)) != len(self.ops):
            raise ConfigError(f"a space needs at least one op, each once; got {[str(op) for op in self.ops]}")
        if not any(op != NONE for op in self.ops):
            raise ConfigError("a space with the op none alone has no network")

    @classmethod
    def of(cls, ops: Iterable[str], cells: int = 2, nodes: int = 4, feedback: bool = False) -> Space:
        """A space from the names of its ops.

        Raises:
            GenotypeError: an unknown op.
            ConfigError: no op, or one twice.
        """
        return cls(tuple(Op.parse(op) for op in ops), cells, nodes, feedback)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """What an edge can be: every op forward, then, with feedback, every op but none backward."""
        backward = [Edge(op, feedback=True) for op in self.ops if op != NONE] if self.feedback else []
        return (*(Edge(op) for op in self.ops), *backward)

    @property
    def cell_count(self) -> int:
        """Number of cells, equal networks counted apart."""
        return int(len(self.edges) ** len(pairs(self.nodes)))

    @property
    def size(self) -> int:
        """Number of genotypes, equal networks counted apart."""
        return int(self.cell_count**self.cells)

    def enumerate_cells(self) -> Iterator[Cell]:
        """All cells, the last edge varying fastest."""
        for edges in product(self.edges, repeat=len(pairs(self.nodes))):
            yield Cell(edges, self.nodes)

    @cached_property
    def distinct_cells(self) -> tuple[Cell, ...]:
        """The connected cells, the first of each set of equal networks, in enumeration order.

        Raises:
            ConfigError: more cells than can be enumerated in minutes.
        """
        if self.cell_count > MOST_CELLS:
            raise ConfigError(
                f"a cell of this space can be {self.cell_count:,} things, at most {MOST_CELLS:,} can be enumerated; "
                "use fewer ops or nodes, or no feedback"
            )
        found: dict[CellGraph, Cell] = {}
        for cell in self.enumerate_cells():
            if cell.canonical.connected:
                found.setdefault(cell.canonical, cell)
        return tuple(found.values())

    def enumerate(self) -> Iterator[Genotype]:
        """All genotypes, the last cell varying fastest."""
        for cells in product(tuple(self.enumerate_cells()), repeat=self.cells):
            yield Genotype(cells)

    def sample(self, rng: random.Random) -> Genotype:
        """A genotype with every edge drawn uniformly; it may be disconnected."""
        return Genotype(
            tuple(Cell(tuple(rng.choice(self.edges) for _ in pairs(self.nodes)), self.nodes) for _ in range(self.cells))
        )

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """The genotypes that differ in one edge of one cell."""
        for c, cell in enumerate(genotype.cells):
            for k, edge in enumerate(cell.edges):
                for other in self.edges:
                    if other != edge:
                        changed = Cell((*cell.edges[:k], other, *cell.edges[k + 1 :]), cell.nodes)
                        yield Genotype((*genotype.cells[:c], changed, *genotype.cells[c + 1 :]))

    def __contains__(self, genotype: object) -> bool:
        return (
            isinstance(genotype, Genotype)
            and len(genotype.cells) == self.cells
            and all(cell.nodes == self.nodes and set(cell.edges) <= set(self.edges) for cell in genotype.cells)
        )


NAMED_OPS: dict[str, tuple[str, ...]] = {
    "spikenas": ("skip", "conv3x3"),
    "snasnet": tuple(str(op) for op in SNASNET_OPS),
    "spikenas-bench": tuple(str(op) for op in BENCH_OPS),
}
