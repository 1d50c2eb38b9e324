"""A Ray pool evaluates candidates on one machine or, with an address, on a cluster."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from spikenas._util.errors import RunError
from spikenas._util.files import reason
from spikenas.nas.candidates import EvaluationFunction
from spikenas.nas.worker_pool import Make, Outcome, Tell, Worker, WorkerPool

_SECONDS_TO_ANSWER = 10.0


@dataclass(eq=False)
class _Actor(Worker):
    handle: Any
    pending: list[Any] = field(default_factory=list)  # references of its messages to come, in order


class RayPool(WorkerPool[_Actor]):
    """A Ray pool has Ray actors of one CPU each as its workers.

    A Ray that this process has started or joined before is used and left as it is.

    Args:
        make: Makes an evaluator; picklable; sent once to each node, called once in each actor.
        workers: Number of actors; None takes the CPUs of the Ray.
        address: Address of a cluster, as `ray.init` takes it; None starts a Ray here for as long as the pool is open.
        on_retry: Called with a line of text for each worker that is replaced.
    Raises:
        RunError: Ray is not installed, or not at that address.
    """

    ahead = 0

    def __init__(
        self,
        make: Make,
        workers: int | None = None,
        address: str | None = None,
        on_retry: Tell = lambda message: None,
    ) -> None:
        try:
            import ray
        except ImportError:
            raise RunError("Ray is not installed; pip install 'spikenas[ray]'") from None
        self._ray = ray
        self._started = not ray.is_initialized()
        if self._started:
            _join(address, workers)
        try:
            self._make = ray.put(make)
            self._actor = ray.remote(num_cpus=1, max_restarts=0)(_EvaluatorActor)
            super().__init__(workers or int(ray.cluster_resources().get("CPU", 1)), on_retry)
        except BaseException:
            self._leave()
            raise

    def _start(self) -> _Actor:
        handle = self._actor.remote(self._make)
        return _Actor(handle, [handle.made.remote()])

    def _give(self, worker: _Actor, candidate: Any) -> None:
        worker.pending.append(worker.handle.evaluate.remote(candidate))

    def _messages(self) -> Iterator[tuple[_Actor, Outcome | str]]:
        by_reference = {worker.pending[0]: worker for worker in self._workers if worker.pending}
        done, _ = self._ray.wait(list(by_reference), num_returns=1)
        worker = by_reference[done[0]]
        try:
            packed = self._ray.get(worker.pending.pop(0))
        except self._ray.exceptions.RayError as error:
            yield worker, _first_line(error)
        else:
            yield worker, Outcome.unpack(packed)

    def _stop(self, worker: _Actor) -> None:
        self._ray.kill(worker.handle)

    def close(self) -> None:
        """End the workers, and the Ray if it was started for them."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        if self._started:
            self._ray.shutdown()


class _EvaluatorActor:
    """An actor makes an evaluator, and answers each candidate with an outcome."""

    def __init__(self, make: Make) -> None:
        self._made = Outcome.of(make)

    def made(self) -> bytes:
        return Outcome(error=self._made.error, trace=self._made.trace).pack()

    def evaluate(self, candidate: Any) -> bytes:
        evaluator: EvaluationFunction = self._made.value
        return Outcome.of(lambda: evaluator(candidate)).pack()


def _join(address: str | None, workers: int | None) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address:
        try:
            host, colon, port = address.removeprefix("ray://").rpartition(":")
            if colon:
                socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()  # Ray tries for two minutes
            ray.init(address, **quiet)
        except (ValueError, OverflowError):
            raise RunError(f"no Ray to join at {address!r}; expected HOST:PORT such as 10.0.0.1:6379") from None
        except (OSError, RuntimeError) as error:
            raise RunError(f"no Ray to join at {address!r} ({_first_line(error)})") from None
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
        ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)


def _first_line(error: Exception) -> str:
    text = reason(error) if isinstance(error, OSError) else str(error)
    return next(iter(text.splitlines()), type(error).__name__)
