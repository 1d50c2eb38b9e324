"""Executors evaluate candidates in this process, in a pool of processes, or on Ray, all with the same results.

`InProcess` calls the evaluator itself. The other two are worker pools: each worker makes its own evaluator, is given
candidates one by one, and is replaced when it dies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self

from spikenas._util.cores import usable_cores
from spikenas._util.errors import ConfigError, RunError
from spikenas.config import ExecutorConfig
from spikenas.nas.candidates import CandidateEvaluation, EvaluationFunction
from spikenas.nas.process_pool import ProcessPool
from spikenas.nas.worker_pool import Make, Tell


class Executor(Protocol):
    """An executor evaluates candidates; as a context manager it ends its workers."""

    def evaluate(self, candidates: Sequence[Any]) -> Iterator[CandidateEvaluation]:
        """Yield the results in the order of the candidates, each as soon as it and all before it are known.

        Raises:
            SpikeNASError: The evaluator raised it for a candidate; it is raised when the turn of that candidate comes.
            RunError: Workers die, three times at one candidate or before they are ready.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


FEW = 200  # candidates that are done before workers are ready


def open_executor(
    settings: ExecutorConfig, make: Make, on_retry: Tell = lambda message: None, candidates: int | None = None
) -> Executor:
    """Open the executor that a configuration asks for; its workers start at once.

    Args:
        settings: Kind, number of workers, which is `usable_cores` where it is not set, and address. `auto` is Ray
            where an address is given, in process with one worker or, where their number is not set, for few candidates,
            else a pool.
        make: Makes an evaluator; picklable; called once in each worker.
        on_retry: Called with a line of text for each worker that is replaced.
        candidates: Approximate number of candidates, where it is known.
    Returns:
        The open executor.
    Raises:
        ConfigError: There is an address without Ray, or several workers in process.
        RunError: Ray is not installed, or not at that address.
    """
    check_executor(settings)
    kind, workers = settings.kind, settings.workers or usable_cores()
    if kind == "auto":
        few = settings.workers is None and candidates is not None and candidates < FEW
        kind = "ray" if settings.address else "in-process" if workers == 1 or few else "pool"
    if kind == "ray":
        from spikenas.nas.ray_pool import RayPool

        return RayPool(make, settings.workers if settings.address else workers, settings.address, on_retry)
    if kind == "pool":
        return ProcessPool(make, workers, on_retry)
    return InProcess(make())


def check_executor(settings: ExecutorConfig) -> None:
    """Check that an executor can be opened, before anything else is done; whether there is a Ray to join is not tried.

    Raises:
        ConfigError: There is an address without Ray, or several workers in process.
        RunError: Ray is not installed.
    """
    kind, address, workers = settings.kind, settings.address, settings.workers or 1
    if address and kind not in ("auto", "ray"):
        raise ConfigError(f"executor.address: {address!r} is for executor.kind ray, not {kind}")
    if kind == "in-process" and workers > 1:
        raise ConfigError(f"executor.workers: {workers} asked, executor.kind in-process has one")
    if (kind == "ray" or address) and not find_spec("ray"):
        raise RunError("Ray is not installed; pip install 'spikenas[ray]'")


@dataclass(frozen=True)
class InProcess:
    """An in-process executor evaluates one candidate after the other in this process."""

    evaluator: EvaluationFunction

    def evaluate(self, candidates: Sequence[Any]) -> Iterator[CandidateEvaluation]:
        """Yield the results in the order of the candidates; errors as in `Executor.evaluate`."""
        return map(self.evaluator, candidates)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
