"""A cache around an executor evaluates each network once, over several searches and several runs of a command."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from spikenas._util.errors import ConfigError, GenotypeError, RunError
from spikenas._util.files import RowFile
from spikenas.nas.candidates import Candidate, CandidateEvaluation, RecordedEvaluation
from spikenas.space.texts import parse_candidate

if TYPE_CHECKING:
    from spikenas.nas.executors import Executor

TOGETHER = 512  # candidates that are put in an order in which neighbours share layers
_COLUMNS = ("genotype", "score", "seconds", "synops")


class CachedExecutor:
    """A cached executor asks another executor about each distinct network once, and keeps the results.

    Args:
        open: Makes the other executor when a network is not known yet; leaving the context ends it.
        order: Gives the positions of candidates in the order in which they are best evaluated.
        path: CSV file that keeps the results, each as it comes; what it holds is known from the start.
    Attributes:
        on_new: Function that is called after each newly evaluated network with the number of known networks.
    Raises:
        RunError: The file cannot be used.
    """

    def __init__(
        self,
        open: Callable[[], Executor],
        order: Callable[[Sequence[Any]], Sequence[int]] = lambda candidates: range(len(candidates)),
        path: Path | None = None,
    ) -> None:
        self._open = open
        self._executor: Executor | None = None
        self._order = order
        self.on_new: Callable[[int], None] = lambda known: None
        self._file = RowFile(path, _COLUMNS) if path else None
        self._known: dict[Hashable, CandidateEvaluation] = {}
        for number, row in enumerate(self._file.rows if self._file else (), start=2):
            try:
                genotype, score, seconds, synops = row
                figures = float(score), float(seconds), float(synops) if synops else None
                if any(figure is not None and math.isnan(figure) for figure in figures):
                    raise ValueError("not a number")
                result = RecordedEvaluation(*figures)
                self._known[parse_candidate(genotype).canonical] = result
            except (ValueError, ConfigError, GenotypeError):
                raise RunError(f"{path}: line {number} cannot be read as scores; remove the file") from None

    def evaluate(self, candidates: Sequence[Candidate]) -> Iterator[CandidateEvaluation]:
        """Yield the results in the order of the candidates.

        Equal networks have the result of the first, including its seconds.
        """
        for start in range(0, len(candidates), TOGETHER):
            part = candidates[start : start + TOGETHER]
            new = [*{one.canonical: one for one in reversed(part) if one.canonical not in self._known}.values()][::-1]
            if new:
                self._evaluate([new[position] for position in self._order(new)])
            for candidate in part:
                yield self._known[candidate.canonical]

    def _evaluate(self, candidates: Sequence[Candidate]) -> None:
        self._executor = self._executor or self._open()
        for candidate, result in zip(candidates, self._executor.evaluate(candidates), strict=True):
            self._known[candidate.canonical] = result
            if self._file:
                self._file.add((candidate, result.score, result.seconds, result.synops))
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
