"""Define genotypes: the cells of a network, first to last."""

from __future__ import annotations

from dataclasses import dataclass

from spikenas._util.errors import GenotypeError
from spikenas.config import DEFAULT_THRESHOLD, MOST_CELLS
from spikenas.space.cell import Cell
from spikenas.space.drawing import draw_svg
from spikenas.space.graph import CellGraph

_LONGEST = 100_000  # characters of a text

NetworkKey = tuple[CellGraph, ...]


@dataclass(frozen=True, repr=False)
class Genotype:
    """A genotype says what a search chooses: the cells of a network.

    Attributes:
        cells: Cells of the network, first to last, at least one.

    Raises:
        GenotypeError: There are no cells.
    """

    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        if not self.cells:
            raise GenotypeError("a genotype has at least one cell")

    def __repr__(self) -> str:
        return f"Genotype.parse({str(self)!r})"

    def _repr_svg_(self) -> str:
        return draw_svg(self)

    @classmethod
    def parse(cls, text: str) -> Genotype:
        """Read cells joined by `/`.

        Raises:
            GenotypeError: A cell cannot be read; the message names it and the part.
        """
        if len(text) > _LONGEST or text.count("/") >= MOST_CELLS:
            raise GenotypeError(f"genotype {text.strip()!r}: longer than {MOST_CELLS} cells of 7 nodes can be")
        cells = []
        for index, part in enumerate(text.split("/"), start=1):
            try:
                cells.append(Cell.parse(part))
            except GenotypeError as error:
                raise GenotypeError(f"genotype {text.strip()!r}, cell {index}: {error}") from None
        return cls(tuple(cells))

    @property
    def canonical(self) -> tuple[CellGraph, ...]:
        """Canonical form of every cell."""
        return tuple(cell.canonical for cell in self.cells)

    def at_threshold(self, default: float) -> Genotype:
        """Return the genotype as it is in a network with another threshold than the default.

        Args:
            default: Threshold of the network, for ops that have none of their own.
        """
        if default == DEFAULT_THRESHOLD:
            return self
        return Genotype(tuple(cell.at_threshold(default) for cell in self.cells))

    @property
    def connected(self) -> bool:
        """Whether every cell has a path from its input to its output."""
        return all(graph.connected for graph in self.canonical)

    def __str__(self) -> str:
        return " / ".join(str(cell) for cell in self.cells)


def network_key(genotype: Genotype) -> NetworkKey:
    """Return a key that is equal for genotypes of one network.

    All genotypes of as many cells in which a cell has no path to its output share one key, too.
    """
    if genotype.connected:
        return genotype.canonical
    return (CellGraph((), (), None),) * len(genotype.cells)
