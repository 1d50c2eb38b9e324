"""A cache around an executor evaluates each network once, over several searches and several runs of a command."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from spikenas._util.errors import GenotypeError, RunError
from spikenas._util.files import RowFile
from spikenas.nas.candidates import CandidateEvaluation, RecordedEvaluation
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph

if TYPE_CHECKING:
    from spikenas.nas.executors import Executor

TOGETHER = 512  # genotypes that are put in an order in which neighbours share layers
_COLUMNS = ("genotype", "score", "seconds", "synops")


class CachedExecutor:
    """A cached executor asks another executor about each distinct network once, and keeps the results.

    Args:
        open: Makes the other executor when a network is not known yet; leaving the context ends it.
        order: Gives the positions of genotypes in the order in which they are best evaluated.
        path: CSV file that keeps the results, each as it comes; what it holds is known from the start.
    Attributes:
        on_new: Function that is called after each newly evaluated network with the number of known networks.
    Raises:
        RunError: The file cannot be used.
    """

    def __init__(
        self,
        open: Callable[[], Executor],
        order: Callable[[Sequence[Genotype]], Sequence[int]] = lambda genotypes: range(len(genotypes)),
        path: Path | None = None,
    ) -> None:
        self._open = open
        self._executor: Executor | None = None
        self._order = order
        self.on_new: Callable[[int], None] = lambda known: None
        self._file = RowFile(path, _COLUMNS) if path else None
        self._known: dict[tuple[CellGraph, ...], CandidateEvaluation] = {}
        for number, row in enumerate(self._file.rows if self._file else (), start=2):
            try:
                genotype, score, seconds, synops = row
                figures = float(score), float(seconds), float(synops) if synops else None
                if any(figure is not None and math.isnan(figure) for figure in figures):
                    raise ValueError("not a number")
                result = RecordedEvaluation(*figures)
                self._known[Genotype.parse(genotype).canonical] = result
            except (ValueError, GenotypeError):
                raise RunError(f"{path}: line {number} cannot be read as scores; remove the file") from None

    def evaluate(self, genotypes: Sequence[Genotype]) -> Iterator[CandidateEvaluation]:
        """Yield the results in the order of the genotypes.

        Equal networks have the result of the first, including its seconds.
        """
        for start in range(0, len(genotypes), TOGETHER):
            part = genotypes[start : start + TOGETHER]
            new = [*{g.canonical: g for g in reversed(part) if g.canonical not in self._known}.values()][::-1]
            if new:
                self._evaluate([new[position] for position in self._order(new)])
            for genotype in part:
                yield self._known[genotype.canonical]

    def _evaluate(self, genotypes: Sequence[Genotype]) -> None:
        self._executor = self._executor or self._open()
        for genotype, result in zip(genotypes, self._executor.evaluate(genotypes), strict=True):
            self._known[genotype.canonical] = result
            if self._file:
                self._file.add((genotype, result.score, result.seconds, result.synops))
            self.on_new(len(self._known))

    @property
    def seconds(self) -> float:
        """Total time of all known evaluations."""
        return sum(result.seconds for result in self._known.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        executor, self._executor = self._executor, None
        if executor:
            executor.__exit__(kind, error, trace)
