"""A process pool evaluates candidates in processes of this machine."""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any

from spikenas.nas.worker_pool import Make, Outcome, Tell, Worker, WorkerPool

_SECONDS_TO_END = 5.0  # of a process that has closed its pipe


@dataclass(eq=False)
class _Process(Worker):
    process: SpawnProcess
    pipe: Connection
    sender: Thread


class ProcessPool(WorkerPool[_Process]):
    """A process pool has worker processes on this machine, each with one thread of arithmetic.

    The processes start when the pool is made, beside each other and beside what is done here. They are new
    interpreters, not forks, which threads would not survive.

    Args:
        make: Makes an evaluator; picklable; called once in each worker.
        workers: Number of processes.
        on_retry: Called with a line of text for each worker that is replaced.
    """

    def __init__(self, make: Make, workers: int, on_retry: Tell = lambda message: None) -> None:
        self._make = pickle.dumps(make)
        super().__init__(workers, on_retry)

    def _start(self) -> _Process:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there,), daemon=True)
        with there, _single_threaded_start():
            process.start()
        sender = Thread(target=_send, args=(here, self._make), daemon=True)  # blocks until the process reads
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
    Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    made = Outcome.of(lambda: pickle.loads(inbox.get())())
    _send(pipe, Outcome(error=made.error, trace=made.trace).pack())
    while not made.error:
        _send(pipe, Outcome.of(lambda: made.value(pickle.loads(inbox.get()))).pack())


def _receive(pipe: Connection, inbox: SimpleQueue[bytes]) -> None:
    """Fill the inbox, and end the process with its parent, whatever it is doing."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(pipe.recv_bytes())
    os._exit(0)
