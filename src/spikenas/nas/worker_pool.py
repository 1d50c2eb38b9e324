"""A worker pool decides who evaluates what, takes in what workers send back, and replaces workers that die."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from spikenas._util.errors import RunError
from spikenas.nas.candidates import CandidateEvaluation, EvaluationFunction

Make = Callable[[], EvaluationFunction]
Tell = Callable[[str], None]

MOST_DEATHS = 3


@dataclass(frozen=True)
class Outcome:
    """An outcome is what came of a call in a worker: a value, or an error and the worker's traceback as text."""

    value: Any = None
    error: Exception | None = None
    trace: str = ""

    @classmethod
    def of(cls, work: Callable[[], Any]) -> Outcome:
        """Call a function, and keep what comes of it."""
        try:
            return cls(work())
        except Exception as error:
            return cls(error=error, trace=traceback.format_exc())

    def pack(self) -> bytes:
        """Pickle the outcome; one that cannot be pickled becomes an error that says so."""
        try:
            packed = pickle.dumps(self)
            if self.error:
                pickle.loads(packed)
            return packed
        except Exception as problem:
            what = f"{type(self.error or self.value).__name__} cannot be pickled ({problem})"
            return pickle.dumps(Outcome(error=RuntimeError(what), trace=self.trace or traceback.format_exc()))

    @staticmethod
    def unpack(packed: bytes) -> Outcome:
        """Restore the outcome that `pack` was called on."""
        outcome: Outcome = pickle.loads(packed)
        return outcome

    def get(self) -> Any:
        """Return the value, or raise the error."""
        if self.error:
            raise self.error from (_InWorkerError(self.trace) if self.trace else None)
        return self.value


class _InWorkerError(Exception):
    """This error shows a worker's traceback above that of the error it sent."""

    def __str__(self) -> str:
        return f"in a worker:\n\n{self.args[0]}"


@dataclass(eq=False)
class Worker:
    """A worker has a queue of candidates; every kind of worker adds what it runs on.

    Attributes:
        queue: Numbers of the candidates it was given and has not answered, in order; it works on the first.
        ready: Whether it has made its evaluator.
    """

    queue: deque[int] = field(default_factory=deque, init=False)
    ready: bool = field(default=False, init=False)


W = TypeVar("W", bound=Worker)


class WorkerPool(ABC, Generic[W]):
    """A worker pool gives candidates to workers, and replaces workers when they die.

    A worker answers in order, so the candidate that it died of is the first of its queue. The failure counts for that
    candidate alone; the others are given out again.

    Args:
        workers: Number of workers.
        on_retry: Called with a line of text for each worker that is replaced.
    Attributes:
        ahead: Number of candidates that a worker may have beside the one it works on; 0 where an answer can be lost
            with a worker that dies after it.
    """

    ahead: ClassVar[int] = 1

    def __init__(self, workers: int, on_retry: Tell) -> None:
        self._on_retry = on_retry
        self._next = 0
        self._open: dict[int, Any] = {}  # asked for and not yielded
        self._waiting: deque[int] = deque()
        self._outcomes: dict[int, Outcome] = {}
        self._deaths: Counter[int] = Counter()
        self._false_starts = 0
        self._workers: list[W] = []
        try:
            for _ in range(workers):
                self._workers.append(self._start())
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _start(self) -> W:
        """Start a worker; its first message is the outcome of making its evaluator, then come those of its queue."""

    @abstractmethod
    def _give(self, worker: W, candidate: Any) -> None:
        """Have a worker evaluate a candidate; a worker that is dead is not an error here."""

    @abstractmethod
    def _messages(self) -> Iterator[tuple[W, Outcome | str]]:
        """Wait for messages, and yield at least one worker with its next outcome or with the reason it ended."""

    @abstractmethod
    def _stop(self, worker: W) -> None:
        """End a worker that may be dead."""

    def evaluate(self, candidates: Sequence[Any]) -> Iterator[CandidateEvaluation]:
        """Yield the results in the order of the candidates; errors as in `Executor.evaluate`."""
        numbers = range(self._next, self._next + len(candidates))
        self._next = numbers.stop
        self._open.update(zip(numbers, candidates, strict=True))
        self._waiting.extend(numbers)
        try:
            for number in numbers:
                while number not in self._outcomes:
                    self._step()
                del self._open[number]
                yield self._outcomes.pop(number).get()
        finally:
            for number in numbers:
                self._open.pop(number, None)
                self._outcomes.pop(number, None)
                self._deaths.pop(number, None)
            self._waiting = deque(number for number in self._waiting if number in self._open)

    def close(self) -> None:
        """End the workers."""
        while self._workers:
            self._stop(self._workers.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _step(self) -> None:
        if not self._workers:
            raise RunError("the executor is closed")
        self._assign()
        for worker, message in self._messages():
            if isinstance(message, str):
                self._replace(worker, message)
            elif worker.ready:
                number = worker.queue.popleft()
                if number in self._open:
                    self._outcomes[number] = message
            else:
                message.get()
                worker.ready = True
                self._false_starts = 0

    def _assign(self) -> None:
        """Give one candidate to each idle worker, and candidates ahead while enough for all workers are left."""
        ready = [worker for worker in self._workers if worker.ready]
        for length in range(1 + self.ahead):
            left = len(self._workers) if length else 1
            for worker in ready:
                if len(worker.queue) == length and len(self._waiting) >= left:
                    worker.queue.append(self._waiting.popleft())
                    self._give(worker, self._open[worker.queue[-1]])

    def _replace(self, worker: W, reason: str) -> None:
        self._stop(worker)
        unanswered = [number for number in worker.queue if number in self._open]
        self._waiting.extendleft(reversed(unanswered))
        if not worker.ready:
            self._false_starts += 1
            doing = "before it was ready"
        elif unanswered and unanswered[0] == worker.queue[0]:
            self._count_failure(unanswered[0], reason)
            doing = f"while it evaluated '{self._open[unanswered[0]]}'"
        else:
            doing = "without a candidate"
        if self._false_starts == MOST_DEATHS:
            self._workers.remove(worker)
            raise RunError(
                f"workers end before they are ready ({reason}); memory may be short, or a script that starts them "
                "lacks 'if __name__ == \"__main__\":'"
            )
        self._on_retry(f"a worker ended ({reason}) {doing}; another takes its place")
        self._workers[self._workers.index(worker)] = self._start()

    def _count_failure(self, number: int, reason: str) -> None:
        self._deaths[number] += 1
        if self._deaths[number] == MOST_DEATHS:
            self._waiting.remove(number)
            self._outcomes[number] = Outcome(
                error=RunError(
                    f"candidate '{self._open[number]}': {MOST_DEATHS} workers ended while they evaluated it "
                    f"({reason}); if memory ran out, fewer workers or a lower fidelity may help"
                )
            )
