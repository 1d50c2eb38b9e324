"""What readers return: whether it is what it has to be."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from attacks.attempt import WrongError
from spikenas import IntegerNetwork, Model
from spikenas.bench.table import Table
from spikenas.nas import Trial


def read_table(path: Path) -> None:
    """Read a table, and what searches and correlations ask of it."""
    table = Table.read(path)
    table.network_values()
    table.row_values(adjusted=True)
    _ = table.space


def check_trials(trials: Iterable[Trial]) -> None:
    """Check that trials that were read have the types that everybody relies on."""
    for trial in trials:
        numbers = (trial.params, trial.flash_bytes, trial.ram_bytes, trial.score, trial.seconds, trial.synops)
        if not all(value is None or isinstance(value, int | float) for value in numbers):
            raise WrongError(f"a trial with {numbers}")
        if not isinstance(trial.genotype, str) or trial.status not in ("scored", "over budget", "outside"):
            raise WrongError(f"a trial of {trial.genotype!r}, {trial.status!r}")


def values_of(found: Any) -> object:
    """Return all that a file of weights says, in a form that can be compared."""
    match found:
        case Model():
            weights = {key: value.numpy().tobytes() for key, value in found.network.state_dict().items()}
            return (
                weights,
                str(found.plan.genotype),
                found.plan.network,
                found.plan.input,
                found.classes,
                found.statistics,
            )
        case IntegerNetwork():
            constants = {k: {n: v.tobytes() for n, v in named.items()} for k, named in found.constants.items()}
            rest = (
                found.leak,
                found.zero,
                found.input_scale,
                found.score_scale,
                found.classes,
                str(found.plan.genotype),
            )
            return constants, rest, found.plan.network, found.plan.input
        case (tensors, header):
            return {key: value.numpy().tobytes() for key, value in tensors.items()}, header
    return found


def odd_events(path: Path, rng: random.Random) -> bytes:
    """Return an archive of an array of another type, shape or name, or of several."""
    shape = rng.choice(((3, 2, 6, 6), (2, 2, 6, 6), (3, 2, 6), (0, 2, 6, 6), (3, 1, 6, 6), (), (3, 2, 0, 6)))
    array = np.ones(
        shape, rng.choice(("float32", "int8", "uint64", "float64", "bool", "complex64", "U2", "O", "datetime64[s]"))
    )
    if array.size and array.dtype.kind == "f" and rng.random() < 0.5:
        array.flat[0] = rng.choice((np.nan, np.inf, -1, 1e30, 300))
    names = rng.choice((("frames",), ("x",), ("x", "y"), ("frames", "y"), ("../x",), ()))
    np.savez(path, **dict.fromkeys(names, array))
    return path.read_bytes()
