"""Steps run in a process that is watched: one that dies or does not answer costs its step, not the campaign."""

from __future__ import annotations

import gc
import glob
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import spikenas
from attacks.record import LONGEST_S, Record, Step

PATIENCE_S = 25.0  # after which a step that no signal ends is killed
ROOM_BYTES = 6 << 30  # of address space, beyond what the process has when it begins: the machine is others' too
Attack = Callable[[str, int], Step]  # kind and number
PACKAGE = Path(spikenas.__file__).parent


class TimeUp(BaseException):
    """A step took longer than any may."""


def in_worker(record: Record, steps: Iterable[tuple[str, int]], attack: Attack, set_up: Callable[[], None]) -> None:
    """Run steps in a process of their own, and in another one where it dies.

    Args:
        record: Where their outcomes go.
        steps: Kind and number of each.
        attack: Does one; a message is in its outcome.
        set_up: Called once in each process, before its first step.
    """
    steps = list(steps)
    at = mmap.mmap(-1, 16)  # how many are done, and when the one at work began
    position = 0
    while position < len(steps):
        at[:] = struct.pack("qd", position, time.monotonic())
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _work(record.folder, record.seed, steps, position, attack, set_up, at)
        ended = _watch(child, at)
        position = struct.unpack("qd", at[:])[0]
        if ended:
            kind, number = steps[position]
            hang = ended == "killed after no answer"
            record.add(Step(kind, number, "hang" if hang else "traceback", "the process", ended))
            position += 1


def _work(
    folder: Path,
    seed: int,
    steps: list[tuple[str, int]],
    position: int,
    attack: Attack,
    set_up: Callable[[], None],
    at: mmap.mmap,
) -> None:
    status, parent = 1, os.getppid()
    try:
        record = Record(folder, seed)  # a connection of SQLite does not pass a fork
        set_up()
        limit_memory()
        for k in range(position, len(steps)):
            if os.getppid() != parent:  # the campaign was killed
                break
            at[:] = struct.pack("qd", k, time.monotonic())
            record.add(measured(lambda kind=steps[k][0], number=steps[k][1]: attack(kind, number)).judged())
        at[:] = struct.pack("qd", len(steps), time.monotonic())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(child: int, at: mmap.mmap) -> str:
    """Wait for a process; returns how it ended its step badly, or nothing."""
    position, before = -1, 0.0
    while True:
        if (now := struct.unpack("qd", at[:])[0]) != position:
            position, before = now, waited(child)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
            if os.WEXITSTATUS(status):
                raise SystemExit("the campaign itself is broken; see the traceback above")
            return ""
        if time.monotonic() - struct.unpack("qd", at[:])[1] > PATIENCE_S + waited(child) - before:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "killed after no answer"
        time.sleep(0.05)


def limit_memory() -> None:
    """Let allocations fail that would take the machine down."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def waited(process: int | str = "self") -> float:
    """Return the seconds for which threads of a process could have run and others had the cores: that is no hang."""
    total = 0
    for path in glob.glob(f"/proc/{process}/task/*/schedstat"):
        with suppress(OSError, IndexError):  # of a thread that has just ended
            total += int(Path(path).read_text().split()[1])
    return total / 1e9


def measured(work: Callable[[], Step]) -> Step:
    """Do a step, with its time and its peak of memory."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    began = time.perf_counter()
    step = work()
    seconds = time.perf_counter() - began
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    peak_bytes = int(peak.split()[1]) * 1024
    if peak_bytes > 1 << 30:
        gc.collect()
    return replace(step, seconds=seconds, peak_bytes=peak_bytes)


class Timer:
    """A timer calls a function after some seconds of this process, waiting for a core not counted.

    Args:
        seconds: First call.
        again: Time between further calls.
        call: Called with the number of its call, from 1; it may raise.
    """

    def __init__(self, seconds: float, again: float, call: Callable[[int], None]) -> None:
        self.seconds, self.again, self.call, self.calls = seconds, again, call, 0

    def __enter__(self) -> None:
        self._began = time.perf_counter() - waited()
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        left = self.seconds + self.calls * self.again - (time.perf_counter() - waited() - self._began)
        if left > 0.01:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        signal.setitimer(signal.ITIMER_REAL, self.again)
        self.calls += 1
        self.call(self.calls)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


def time_limit(seconds: float = LONGEST_S) -> Timer:
    """Raise `TimeUp` in the block when it takes longer, and again: one that is raised in a finaliser is dropped."""

    def stop(calls: int) -> None:
        raise TimeUp

    return Timer(seconds, 1.0, stop)


def place_of(error: BaseException) -> str:
    """Return the innermost line of the package that an exception passed, without which it would not have arisen."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(PACKAGE))]
    if not frames:
        return "outside the package"
    return f"{Path(frames[-1].filename).relative_to(PACKAGE)}:{frames[-1].name}"
