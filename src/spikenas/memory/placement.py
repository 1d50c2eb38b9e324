"""Places buffers in one block of memory, such that what is needed at the same time does not overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spikenas.memory.program import Buffer, Program


@dataclass(frozen=True)
class Arena:
    """Describes the memory that a program works in.

    Attributes:
        offsets: Where each buffer begins, in bytes.
        zeroed_bytes: The first bytes, which hold what is 0 before the first timestep.
        size_bytes: Size of the whole.
        live_bytes: For each step, the bytes of all buffers that are needed at it; no arena is smaller than the largest.
    """

    offsets: dict[str, int]
    zeroed_bytes: int
    size_bytes: int
    live_bytes: tuple[int, ...]


def make_arena(program: Program) -> Arena:
    """Place the buffers: first what begins as 0, side by side, then the rest.

    The rest is placed one by one, each at the lowest place that is free for as long as it is needed; of a few orders
    the best is taken. This is greedy: it need not be the smallest arena; `live_bytes` bounds that from below.
    """
    buffers = program.buffers
    zeroed = [buffer for buffer in buffers if buffer.name in program.begin_as_zero]
    offsets: dict[str, int] = {}
    end = 0
    for buffer in zeroed:
        offsets[buffer.name] = end
        end += buffer.size_bytes
    size_bytes, found = place([buffer for buffer in buffers if buffer.name not in offsets], zeroed, offsets)
    live = tuple(
        sum(buffer.size_bytes for buffer in buffers if buffer.first <= step <= buffer.last)
        for step in range(len(program.steps))
    )
    return Arena(found, end, size_bytes, live)


def place(buffers: Iterable[Buffer], placed: list[Buffer], offsets: dict[str, int]) -> tuple[int, dict[str, int]]:
    """Place buffers beside those that are placed already; returns the size of the whole, and where each begins."""
    buffers = tuple(buffers)
    orders: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.size_bytes, b.first),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (b.first, -b.size_bytes),
    )
    tried = (_place(sorted(buffers, key=order), placed, offsets) for order in orders)
    return min(tried, key=lambda one: one[0])


def _place(buffers: Iterable[Buffer], placed: list[Buffer], offsets: dict[str, int]) -> tuple[int, dict[str, int]]:
    placed, offsets = list(placed), dict(offsets)
    size_bytes = max((offsets[one.name] + one.size_bytes for one in placed), default=0)
    for buffer in buffers:
        taken = sorted(
            (offsets[other.name], offsets[other.name] + other.size_bytes)
            for other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        place = 0
        for start, end in taken:
            if place + buffer.size_bytes <= start:
                break
            place = max(place, end)
        offsets[buffer.name] = place
        placed.append(buffer)
        size_bytes = max(size_bytes, place + buffer.size_bytes)
    return size_bytes, offsets
