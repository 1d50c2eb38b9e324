"""Define sets of genotypes: size, enumeration, sampling, neighbours, membership."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import DEFAULT_THRESHOLD
from spikenas.space.cell import Cell, Edge, pairs
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.ops import NONE, SKIP, Op

MOST_CELLS = 10**6


@dataclass(frozen=True)
class Space:
    """A space is a set of genotypes whose cells take each edge's op from one set.

    Attributes:
        ops: Ops that an edge can have, at least one.
        cells: Number of cells of a network.
        nodes: Number of nodes of each cell.
        feedback: Whether a pair may also run backward (with any op but none).
        shared: Whether all places of a network hold the same cell, as in SNASNet and SpikeNAS-Bench.
        members: Canonical forms of the cells that exist; None stands for all. Samples and neighbours may have others,
            which are no members of the space.

    Raises:
        ConfigError: There is no op, one occurs twice, or there is none but `none`.
    """

    ops: tuple[Op, ...]
    cells: int = 2
    nodes: int = 4
    feedback: bool = False
    shared: bool = False
    members: frozenset[CellGraph] | None = None

    def __post_init__(self) -> None:
        if not self.ops or len(set(self.ops)) != len(self.ops):
            raise ConfigError(f"a space needs at least one op, each once; got {[str(op) for op in self.ops]}")
        if not any(op != NONE for op in self.ops):
            raise ConfigError("a space with the op none alone has no network")

    @classmethod
    def of(
        cls,
        ops: Iterable[str],
        cells: int = 2,
        nodes: int = 4,
        feedback: bool = False,
        shared: bool = False,
        v_threshold: float = DEFAULT_THRESHOLD,
    ) -> Space:
        """Make a space from the names of its ops; those that are equal at the network's threshold are one.

        Args:
            ops: Texts of the ops, such as `conv3x3`; with another `v_threshold` than the default, ops without one
                of their own get it written out.
            cells: Number of cells of a network.
            nodes: Number of nodes of each cell.
            feedback: Whether a pair may also run backward (with any op but none).
            shared: Whether all places of a network hold the same cell.
            v_threshold: Firing threshold of the network.

        Raises:
            GenotypeError: An op is unknown.
            ConfigError: There is no op, one occurs twice, or there is none but `none`.
        """
        named = list(ops)
        parsed = [Op.parse(op) for op in named]
        if len(set(named)) == len(named):
            if v_threshold != DEFAULT_THRESHOLD:
                parsed = [op.at_threshold(v_threshold) for op in parsed]
            parsed = list({op.plain: op for op in reversed(parsed)}.values())[::-1]
        return cls(tuple(parsed), cells, nodes, feedback, shared)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Options of each edge: every op forward, then, with feedback, every op but none backward."""
        backward = [Edge(op, feedback=True) for op in self.ops if op != NONE] if self.feedback else []
        return (*(Edge(op) for op in self.ops), *backward)

    @property
    def cell_count(self) -> int:
        """Number of cells, with equal networks counted separately."""
        return int(len(self.edges) ** len(pairs(self.nodes)))

    @property
    def free_cells(self) -> int:
        """Number of cells that can be chosen; 1 when they are shared."""
        return 1 if self.shared else self.cells

    @property
    def size(self) -> int:
        """Number of genotypes, with equal networks counted separately."""
        return int(self.cell_count**self.free_cells)

    def enumerate_cells(self) -> Iterator[Cell]:
        """Iterate over all cells, the last edge varying fastest."""
        return _cells(self.edges, self.nodes)

    @cached_property
    def distinct_cells(self) -> tuple[Cell, ...]:
        """Connected cells that exist, the first of each set of equal networks, in enumeration order.

        Raises:
            ConfigError: There are more cells than can be enumerated in minutes.
        """
        if self.cell_count > MOST_CELLS:
            raise ConfigError(
                f"a cell of this space can be {self.cell_count:,} things, at most {MOST_CELLS:,} can be enumerated; "
                "use fewer ops or nodes, or no feedback"
            )
        return _distinct_cells(self.edges, self.nodes, self.members)

    @property
    def usual_cell(self) -> Cell:
        """The cell that one takes without a search: a chain of convolutions, and skips past its members."""

        def worth(edge: Edge) -> tuple[bool, ...]:
            op = edge.op
            return not edge.feedback, op.kind == "conv", op.info.kernel == 3, op.spiking, op != NONE

        chained = max(self.edges, key=worth)
        past = next((edge for op in (SKIP, NONE) for edge in self.edges if edge == Edge(op)), chained)
        return Cell(tuple(chained if j == i + 1 else past for i, j in pairs(self.nodes)), self.nodes)

    @property
    def plain_cell(self) -> Cell:
        """The cell that takes the least memory, as far as its ops tell: one edge through it, or all the same."""

        def size(edge: Edge) -> tuple[int, ...]:
            return edge.feedback, edge.op == NONE, edge.op.spiking, edge.op.info.kernel, edge.op != SKIP

        through = min(self.edges, key=size)
        past = next((edge for edge in self.edges if edge == Edge(NONE)), through)
        return Cell(tuple(through if (i, j) == (0, self.nodes - 1) else past for i, j in pairs(self.nodes)), self.nodes)

    @property
    def choices(self) -> tuple[int, ...]:
        """Number of options at each free position: the edges of the first cell, then, unless shared, of the others."""
        return (len(self.edges),) * (len(pairs(self.nodes)) * self.free_cells)

    def encode(self, genotype: Genotype) -> tuple[int, ...]:
        """Return the option that a genotype takes at each position of `choices`, as an index into `edges`.

        Raises:
            GenotypeError: The edges of the genotype are not of this space.
        """
        if not self._has_edges_of(genotype):
            raise GenotypeError(f"genotype '{genotype}' is not of this space")
        return tuple(self._index[edge] for cell in genotype.cells[: self.free_cells] for edge in cell.edges)

    def decode(self, vector: Sequence[int]) -> Genotype:
        """Return the genotype that takes the given option at each position of `choices`.

        Args:
            vector: One index into `edges` for each position of `choices`.

        Raises:
            GenotypeError: The number of options is wrong, or one is out of range.
        """
        if len(vector) != len(self.choices) or not all(0 <= option < len(self.edges) for option in vector):
            raise GenotypeError(
                f"{len(self.choices)} options from 0 to {len(self.edges) - 1} make a genotype, got {tuple(vector)}"
            )
        edges, count = [self.edges[option] for option in vector], len(pairs(self.nodes))
        return self.network(Cell(tuple(edges[k : k + count]), self.nodes) for k in range(0, len(edges), count))

    def network(self, free: Iterable[Cell]) -> Genotype:
        """Return the genotype of the given free cells.

        Args:
            free: One cell where the cells are shared, else all of them.
        """
        cells = tuple(free)
        return Genotype(cells * self.cells if self.shared else cells)

    def enumerate(self) -> Iterator[Genotype]:
        """Iterate over all genotypes, the last cell varying fastest."""
        return map(self.network, product(tuple(self.enumerate_cells()), repeat=self.free_cells))

    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype with every edge uniform; it may be disconnected, or not among the members."""
        return self.network(
            Cell(tuple(rng.choice(self.edges) for _ in pairs(self.nodes)), self.nodes) for _ in range(self.free_cells)
        )

    def draw(self, rng: random.Random, fits: Callable[[Genotype], bool]) -> Genotype:
        """Draw a genotype with every edge uniform, but the one from a cell's input to its output is never `none`.

        Args:
            rng: Draws.
            fits: Is not asked.
        """
        whole = (0, self.nodes - 1)
        options = [self._some if pair == whole else self.edges for pair in pairs(self.nodes)]
        return self.network(Cell(tuple(map(rng.choice, options)), self.nodes) for _ in range(self.free_cells))

    @cached_property
    def _some(self) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.op != NONE)

    def active(self, vector: Sequence[int]) -> tuple[bool, ...]:
        """Say of each position of `choices` whether it counts: every one does."""
        return (True,) * len(vector)

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Iterate over the genotypes that differ in one edge of one cell, or of all cells when they are shared."""
        free = genotype.cells[: self.free_cells]
        for c, cell in enumerate(free):
            for k, edge in enumerate(cell.edges):
                for other in self.edges:
                    if other != edge:
                        changed = Cell((*cell.edges[:k], other, *cell.edges[k + 1 :]), cell.nodes)
                        yield self.network((*free[:c], changed, *free[c + 1 :]))

    def __contains__(self, genotype: object) -> bool:
        return (
            isinstance(genotype, Genotype)
            and self._has_edges_of(genotype)
            and (self.members is None or self.members.issuperset(genotype.canonical))
        )

    def _has_edges_of(self, genotype: Genotype) -> bool:
        return (
            len(genotype.cells) == self.cells
            and (not self.shared or len(set(genotype.cells)) == 1)
            and all(cell.nodes == self.nodes and self._index.keys() >= set(cell.edges) for cell in genotype.cells)
        )

    @cached_property
    def _index(self) -> dict[Edge, int]:
        return {edge: k for k, edge in enumerate(self.edges)}


def _cells(edges: tuple[Edge, ...], nodes: int) -> Iterator[Cell]:
    for chosen in product(edges, repeat=len(pairs(nodes))):
        yield Cell(chosen, nodes)


@lru_cache(maxsize=64)
def _distinct_cells(edges: tuple[Edge, ...], nodes: int, members: frozenset[CellGraph] | None) -> tuple[Cell, ...]:
    """Return the distinct cells; they are the same for all spaces of these edges, whatever the number of cells."""
    found: dict[CellGraph, Cell] = {}
    for cell in _cells(edges, nodes):
        if cell.canonical.connected and (members is None or cell.canonical in members):
            found.setdefault(cell.canonical, cell)
    return tuple(found.values())
