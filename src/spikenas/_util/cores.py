"""Say how many cores a piece of work may use; nothing here needs PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_most: ContextVar[int | None] = ContextVar("spikenas-cores", default=None)


def usable_cores() -> int:
    """Return how many threads or processes may work side by side.

    These are as many as the setting `threads` of the work that is going on says, and at most the cores of the CPU
    affinity of this process.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_most.get() or available, available)


@contextmanager
def at_most(cores: int | None) -> Iterator[None]:
    """Let `usable_cores` say no more than so many while the context is open; None changes nothing."""
    before = _most.get()
    _most.set(cores or before)
    try:
        yield
    finally:
        _most.set(before)
