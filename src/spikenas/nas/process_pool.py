"""A process pool evaluates candidates in processes of this machine."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context, reduction, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any

from spikenas._util.errors import RunError
from spikenas._util.files import reason
from spikenas.nas.candidates import EvaluationFunction
from spikenas.nas.worker_pool import Make, Outcome, Tell, Worker, WorkerPool

_ALIGNMENT_BYTES = 64  # of arrays in the file
_SECONDS_TO_END = 5.0  # of a process that has closed its pipe


@dataclass(eq=False)
class _Process(Worker):
    process: SpawnProcess
    pipe: Connection
    sender: Thread


class _Recipe:
    """What makes an evaluator, pickled; its arrays are in a file without a name, which all workers map.

    Args:
        make: Makes an evaluator.
    Raises:
        RunError: The file cannot be written.
    """

    def __init__(self, make: Make) -> None:
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(make, protocol=5, buffer_callback=arrays.append)
        self.needs_main = b"__main__" in pickled
        try:
            self._file = tempfile.TemporaryFile() if arrays else open(os.devnull, "rb")  # noqa: SIM115
        except OSError as error:
            raise _unwritten(error) from error
        try:
            places = [self._append(array) for array in arrays]
            self._file.flush()
        except OSError as error:
            with suppress(OSError):  # what could not be written
                self._file.close()
            raise _unwritten(error) from error
        self._message = pickle.dumps((pickled, places))

    def _append(self, array: pickle.PickleBuffer) -> tuple[int, int]:
        start = self._file.seek(-(-self._file.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES)
        return start, start + self._file.write(array.raw())

    def send(self, pipe: Connection, process: int) -> None:
        """Send this to a process."""
        with suppress(OSError):  # whoever reads learns of the death
            reduction.send_handle(pipe, self._file.fileno(), process)
            pipe.send_bytes(self._message)

    def close(self) -> None:
        """Remove the file; what workers have of it stays."""
        self._file.close()

    @staticmethod
    def receive(pipe: Connection) -> Callable[[], EvaluationFunction]:
        """Receive what another process sent, and return a function that makes the evaluator."""
        handle = reduction.recv_handle(pipe)
        pickled, places = pickle.loads(pipe.recv_bytes())

        def make() -> EvaluationFunction:
            empty = os.fstat(handle).st_size == 0
            shared = memoryview(b"" if empty else mmap.mmap(handle, 0, access=mmap.ACCESS_COPY))
            os.close(handle)
            made: Make = pickle.loads(pickled, buffers=[shared[start:end] for start, end in places])
            return made()

        return make


def _unwritten(error: OSError) -> RunError:
    where = tempfile.gettempdir() if tempfile.tempdir else "TMPDIR"
    return RunError(f"{where}: the arrays of the workers cannot be written there ({reason(error)})")


class ProcessPool(WorkerPool[_Process]):
    """A process pool has worker processes on this machine, each with one thread of arithmetic.

    The processes start when the pool is made, beside each other and beside what is done here. They are new
    interpreters, not forks, which threads would not survive. Arrays of what they are made of are in memory once for all
    of them, by a file without a name in the folder for temporary files (TMPDIR).

    Args:
        make: Makes an evaluator; picklable; called once in each worker.
        workers: Number of processes.
        on_retry: Called with a line of text for each worker that is replaced.
    """

    def __init__(self, make: Make, workers: int, on_retry: Tell = lambda message: None) -> None:
        self._recipe = _Recipe(make)
        super().__init__(workers, on_retry)

    def close(self) -> None:
        """End the workers."""
        super().close()
        self._recipe.close()

    def _start(self) -> _Process:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there,), daemon=True)
        with there, _single_threaded_start(), nullcontext() if self._recipe.needs_main else _without_main():
            process.start()
        sender = Thread(target=self._recipe.send, args=(here, process.pid), daemon=True)  # blocks until it is read
        sender.start()
        return _Process(process, here, sender)

    def _give(self, worker: _Process, candidate: Any) -> None:
        _send(worker.pipe, pickle.dumps(candidate))

    def _messages(self) -> Iterator[tuple[_Process, Outcome | str]]:
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in pipes.wait(list(by_pipe)):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                packed = worker.pipe.recv_bytes()
            except (EOFError, OSError):
                worker.process.join(_SECONDS_TO_END)
                worker.process.kill()
                worker.process.join()
                yield worker, _exit_reason(worker.process.exitcode or 0)
            else:
                yield worker, Outcome.unpack(packed)

    def _stop(self, worker: _Process) -> None:
        worker.process.kill()
        worker.process.join()
        worker.sender.join()
        worker.pipe.close()


@contextmanager
def _single_threaded_start() -> Iterator[None]:
    """Let a process that starts in this context do arithmetic with one thread, and keep Ctrl-C from it."""
    resource_tracker.ensure_running()  # starting it unblocks the signal
    threads = os.environ.get("OMP_NUM_THREADS")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a process that starts in this context not import what this one was started with, which may start another."""
    main = sys.modules["__main__"].__dict__
    names: tuple[str, ...] = ("__file__", "__spec__")
    hidden = {name: main.pop(name) for name in names if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.pop("__spec__")
        main.update(hidden)


def _send(pipe: Connection, message: bytes) -> None:
    with suppress(OSError):  # whoever reads learns of the death
        pipe.send_bytes(message)


def _exit_reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _serve(pipe: Connection) -> None:
    """Run a worker process: make an evaluator, then answer each candidate with an outcome."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # they would be shown between the lines of the progress
    inbox: SimpleQueue[bytes] = SimpleQueue()
    try:
        make = _Recipe.receive(pipe)
    except (EOFError, OSError):  # the parent is gone
        os._exit(0)
    Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    made = Outcome.of(make)
    _send(pipe, Outcome(error=made.error, trace=made.trace).pack())
    while not made.error:
        _send(pipe, Outcome.of(lambda: made.value(pickle.loads(inbox.get()))).pack())


def _receive(pipe: Connection, inbox: SimpleQueue[bytes]) -> None:
    """Fill the inbox, and end the process with its parent, whatever it is doing."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(pipe.recv_bytes())
    os._exit(0)
