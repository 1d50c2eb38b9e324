"""Show the progress of long work on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Advance(Protocol):
    """This function is told how far a task is."""

    def __call__(self, done: int, total: int, remark: str, below: RenderableType | None = None) -> None:
        """Show how far the task is.

        Args:
            done: Number of steps done.
            total: Number of all steps.
            remark: A few words on the task's state.
            below: Content under the bar on a terminal, while the task goes on.
        """


def show_nothing(done: int, total: int, remark: str, below: RenderableType | None = None) -> None:
    """Take how far a task is, and show nothing."""


def counted(advance: Advance) -> Callable[[int, int], None]:
    """Return the function that tells a task of numbers done and in all, without a remark."""
    return lambda done, total: advance(done, total, "")


_SECONDS_BETWEEN_LINES = 15.0


class Reporter:
    """A reporter shows how far a task is.

    Args:
        console: Console to write to; None shows nothing.
        interrupted: Function that is asked after each step; when it says yes, the task ends in KeyboardInterrupt.
        of: What the tasks belong to, which is said before their names.
    """

    def __init__(
        self, console: Console | None = None, interrupted: Callable[[], bool] = lambda: False, of: str = ""
    ) -> None:
        self.console = console
        self.interrupted = interrupted
        self.of = of
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began

    @contextmanager
    def task(self, name: str) -> Iterator[Advance]:
        """Announce a task, and show its progress while the context is open.

        Yields:
            A function to call after each step.

        Raises:
            KeyboardInterrupt: The task is interrupted.
        """
        with self._shown(f"{self.of} {name}".lstrip()) as show:

            def advance(done: int, total: int, remark: str, below: RenderableType | None = None) -> None:
                show(done, total, remark, below)
                self.check()

            yield advance

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let the first Ctrl-C end the work while the context is open, for one that waits for others.

        Raises:
            KeyboardInterrupt: The task is interrupted.
        """
        self.check()
        before = signal.getsignal(signal.SIGINT)
        if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def check(self) -> None:
        """End in KeyboardInterrupt if interrupted; this is for work between the steps that are shown."""
        if self.interrupted():
            raise KeyboardInterrupt

    @contextmanager
    def _shown(self, name: str) -> Iterator[Advance]:
        if self.console is None:
            yield show_nothing
        elif self.console.is_terminal:
            with self._bar(name) as advance:
                yield advance
        else:
            with self._lines(name, self.console) as advance:
                yield advance

    @contextmanager
    def _bar(self, name: str) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False),
        )
        progress = Progress(*columns, console=self.console)
        bar = progress.add_task(name, total=None, remark="")
        with Live(progress, console=self.console, refresh_per_second=8) as live:

            def advance(done: int, total: int, remark: str, below: RenderableType | None = None) -> None:
                progress.update(bar, completed=done, total=total, remark=remark)
                live.update(Group(progress, below) if below else progress)

            yield advance
            live.update(progress)

    @contextmanager
    def _lines(self, name: str, console: Console) -> Iterator[Advance]:
        start = last = time.monotonic()
        first: int | None = None
        line = ""

        def advance(done: int, total: int, remark: str, below: RenderableType | None = None) -> None:
            nonlocal last, first, line
            first = done - 1 if first is None else first
            now = time.monotonic()
            left = (now - start) / max(1, done - first) * max(0, total - done)
            parts = [f"{name}: {done}/{total}", f"{now - start:.0f} s", f"{left:.0f} s left", remark]
            line = ", ".join(part for part in parts if part)
            if now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                show()

        def show() -> None:
            nonlocal line
            if line:
                console.print(line, soft_wrap=True)
            line = ""

        try:
            yield advance
        finally:
            show()
