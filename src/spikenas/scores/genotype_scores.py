"""Score the genotypes of a list."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from spikenas._util.progress import Reporter
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import Executor, open_executor
from spikenas.scores.batch import scorer_factory
from spikenas.space.genotype import Genotype
from spikenas.task import Task

_log = logging.getLogger(__name__)


def score_genotypes(
    task: Task, genotypes: list[tuple[str, Genotype]], report: Reporter
) -> Iterator[tuple[str, float, float]]:
    """Score genotypes in the order given; equal networks are scored once.

    Args:
        task: Task whose images, score, fidelity and executor are used.
        genotypes: Genotypes, each with the text that names it.
        report: Reporter that shows the progress.

    Yields:
        The text as given, the score, and seconds, 0 for a network that came before.

    Raises:
        ConfigError: There are fewer images or timesteps than the fidelity asks for.
        ScoreError: The score is unknown.
    """
    make = scorer_factory(task, task.config.search.score)

    def open_() -> Executor:
        return open_executor(task.config.executor, make, _log.warning, len(genotypes))

    def rows() -> Iterator[tuple[str, float, float]]:
        distinct, seen = len({genotype.canonical for _, genotype in genotypes}), set[object]()
        with report.task("score") as progress, CachedExecutor(open_, make.sharing_order) as executor:
            executor.on_new = lambda known: progress(known, distinct, "")
            results = executor.evaluate([genotype for _, genotype in genotypes])
            for (text, genotype), result in zip(genotypes, results, strict=True):
                again = genotype.canonical in seen
                seen.add(genotype.canonical)
                yield text, result.score, 0.0 if again else round(result.seconds, 6)

    return rows()
