"""Evaluators for the tests of executors, where their workers can import them."""

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import ScoreError
from spikenas._util.seeding import seed_of
from spikenas.space import Genotype

GENOTYPES = tuple(
    Genotype.parse(f"0-1:{a} 1-2:{b} 0-3:{c} 2-3:conv3x3")
    for a in ("conv3x3", "skip", "conv5x5")
    for b in ("conv3x3", "skip")
    for c in ("conv3x3", "skip")
)
VICTIM = GENOTYPES[4]


@dataclass
class Value:
    score: float
    seconds: float = 0.0
    synops: float | None = None


def noise(genotype: Genotype) -> Value:
    return Value(random.Random(seed_of(repr(genotype.canonical))).random())


@dataclass(frozen=True)
class Make:
    """Makes an evaluator that does something to the victim, or that is itself what is done."""

    act: Callable[[Genotype], Value]

    def __call__(self) -> Callable[[Genotype], Value]:
        return self.act


@dataclass(frozen=True)
class Dies:
    """Kills its process at the victim, `times` times."""

    folder: Path
    times: int
    victim: Genotype = VICTIM

    def __call__(self, genotype: Genotype) -> Value:
        if genotype == self.victim:
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return noise(genotype)


@dataclass(frozen=True)
class WaitsFor:
    """Holds the victim back until the file is opened for writing (a named pipe)."""

    pipe: Path

    def __call__(self, genotype: Genotype) -> Value:
        if genotype == VICTIM:
            self.pipe.open().close()
        return noise(genotype)


@dataclass(frozen=True)
class SumsShared:
    """Sums arrays of its own that lie in a file, or in a store of objects, that other processes see too."""

    arrays: tuple[NDArray[Any], ...]

    def __call__(self, genotype: Genotype) -> Value:
        return Value(sum(float(array.sum()) for array in self.arrays if _is_shared(array)))


def _is_shared(array: NDArray[Any]) -> bool:
    owner: Any = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner is not None and not isinstance(owner, bytes | bytearray)


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("odd")


def raises_score_error(genotype: Genotype) -> Value:
    if genotype == VICTIM:
        raise ScoreError("no score of this one")
    return noise(genotype)


def raises_bug(genotype: Genotype) -> Value:
    return Value(1 / (genotype != VICTIM))


def raises_odd_error(genotype: Genotype) -> Value:
    raise OddError(1, 2)


def returns_a_function(genotype: Genotype) -> Value:
    return lambda: None  # type: ignore[return-value]


def process_number(genotype: Genotype) -> Value:
    return Value(os.getpid())


def light(genotype: Genotype) -> Value:
    return Value(float("torch" not in sys.modules and os.environ["OMP_NUM_THREADS"] == "1"))


def torch_threads(genotype: Genotype) -> Value:
    import torch

    return Value(torch.get_num_threads() if os.environ["OMP_WAIT_POLICY"] else 0)


def never_ends(genotype: Genotype) -> Value:
    os.write(1, f"{os.getpid()}\n".encode())  # at once: two workers print into one pipe
    threading.Event().wait()
    raise AssertionError


def make_fails() -> Callable[[Genotype], Value]:
    raise ScoreError("unknown score")


def make_dies() -> Callable[[Genotype], Value]:
    sys.exit(3)
