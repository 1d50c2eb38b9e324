"""Successive halving: of candidates that are trained alike, the better ones are trained on, rung by rung.

Sources: Jamieson & Talwalkar 2016, arXiv 1502.07943; without waiting for a rung to be complete, Li et al. 2018, arXiv
1810.05934. Races of trainings are of the first kind, so that the winner depends on nothing but what they say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from spikenas._util.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Rung:
    """A rung says how many candidates are trained, and how long in all.

    Attributes:
        entrants: The best so many of the rung before.
        length: Length of the training, what went before included; epochs, or another unit.
    """

    entrants: int
    length: float


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An entry is a candidate that was trained, and how far it came.

    Attributes:
        candidate: The candidate.
        length: Length of its training.
        value: What the training said, higher is better; NaN and -inf are the worst.
    """

    candidate: T
    length: float
    value: float


def halved(entrants: int, length: float) -> tuple[Rung, ...]:
    """Return rungs of half as many entrants each, down to two; each rung takes as long as any other in all.

    Args:
        entrants: Number in the first rung, brought down to a power of 2.
        length: Length of each training of the first rung.
    """
    count = max(1, int(math.log2(entrants)))
    return tuple(Rung(2 ** (count - k), length * (2 ** (k + 1) - 1)) for k in range(count))


def halved_within(total: float, least: float, most: int, workers: int = 1) -> tuple[Rung, ...]:
    """Return the rungs with most entrants that take so long, and in the first one at least a while.

    Args:
        total: How long the race takes where so many are trained at a time.
        least: Length that a training of the first rung has at least; two candidates race however short theirs is.
        most: Number of entrants that there are at most.
        workers: Number of candidates that are trained at a time.
    """
    counts = range(1, max(1, int(math.log2(max(2, most)))) + 1)
    fitting = (k for k in counts if total / duration_of(halved(2**k, 1.0), workers) >= least)
    count = 2 ** max(fitting, default=1)
    return halved(count, total / duration_of(halved(count, 1.0), workers))


def duration_of(rungs: Sequence[Rung], workers: int) -> float:
    """Return how long a race takes, as length, where so many candidates are trained at a time."""
    before = [0.0, *(rung.length for rung in rungs)]
    pairs = zip(rungs, before, strict=False)
    return sum(math.ceil(rung.entrants / workers) * (rung.length - done) for rung, done in pairs)


def check_rungs(rungs: Sequence[Rung]) -> None:
    """Check that each rung has fewer candidates, trained longer, than the one before.

    Raises:
        ConfigError: There is none, or one has not, or one has no candidate or no length.
    """
    if not rungs or min(rung.entrants for rung in rungs) < 1 or rungs[0].length <= 0:
        raise ConfigError("a race has at least one rung, each of at least one candidate and a length")
    for one, other in pairwise(rungs):
        if other.entrants >= one.entrants or other.length <= one.length:
            raise ConfigError(
                f"{other.entrants} candidates trained for {other.length} follow {one.entrants} trained for "
                f"{one.length}: a rung has fewer, trained longer"
            )


def length_of(rungs: Sequence[Rung]) -> float:
    """Return the length of all trainings together, where each goes on from the rung before."""
    return duration_of(rungs, 1)


def race(
    candidates: Sequence[T], rungs: Sequence[Rung], train: Callable[[Sequence[T], float], Sequence[float]]
) -> list[Entry[T]]:
    """Race candidates against each other.

    Args:
        candidates: The best first, which counts where trainings say the same; those beyond the first rung are left out.
        rungs: Rungs, each of fewer candidates and longer trainings.
        train: Trains candidates up to a length, from where they are, and returns what each is worth then.
    Returns:
        An entry for each candidate, as far as it came: the winner first, those of an earlier rung behind those of a
        later one.
    Raises:
        ConfigError: The rungs are none.
    """
    check_rungs(rungs)
    left, out = list(candidates[: rungs[0].entrants]), list[Entry[T]]()
    for number, rung in enumerate(rungs):
        values = [value if not math.isnan(value) else -math.inf for value in train(left, rung.length)]
        entries = [Entry(one, rung.length, value) for one, value in zip(left, values, strict=True)]
        entries.sort(key=lambda entry: -entry.value)
        kept = rungs[number + 1].entrants if number + 1 < len(rungs) else len(entries)
        out = entries[kept:] + out
        left = [entry.candidate for entry in entries[:kept]]
        done = entries[:kept]
    return done + out


def asynchronous_race(
    candidates: Sequence[T], lengths: Sequence[float], train: Callable[[T, float], float], total: float
) -> list[Entry[T]]:
    """Race candidates one by one: after each training, the best that is in the better half of its rung goes on.

    Where there is none, the next candidate begins. The race ends when the next training would take it beyond its total.

    Args:
        candidates: In the order in which they begin.
        lengths: Lengths of the rungs, rising.
        train: Trains a candidate up to a length, from where it is, and returns what it is worth then.
        total: Most length of all trainings together.
    Returns:
        An entry for each candidate that was trained, as far as it came: those that came farthest first, of these the
        best.
    """
    rungs: list[dict[int, float]] = [{} for _ in lengths]
    waiting, spent = deque(range(len(candidates))), 0.0
    while True:
        up = next((found for k in reversed(range(len(rungs) - 1)) if (found := _to_promote(rungs, k))), None)
        if up is None and not waiting:
            break
        number, rung = up or (waiting[0], 0)
        more = lengths[rung] - (lengths[rung - 1] if rung else 0.0)
        if spent + more > total:
            break
        if up is None:
            waiting.popleft()
        value = train(candidates[number], lengths[rung])
        rungs[rung][number] = -math.inf if math.isnan(value) else value
        spent += more
    last = {number: k for k, rung in enumerate(rungs) for number in rung}
    order = sorted(last, key=lambda number: (-last[number], -rungs[last[number]][number], number))
    return [Entry(candidates[number], lengths[last[number]], rungs[last[number]][number]) for number in order]


def _to_promote(rungs: Sequence[dict[int, float]], rung: int) -> tuple[int, int] | None:
    """The best of the better half of a rung that is not in the next one yet, and the number of that."""
    own = rungs[rung]
    better = sorted(own, key=lambda number: (-own[number], number))[: len(own) // 2]
    number = next((one for one in better if one not in rungs[rung + 1]), None)
    return None if number is None else (number, rung + 1)
