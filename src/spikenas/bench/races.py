"""Races on a table: a search by an evaluator opens one, and the table says what each short training would have said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from spikenas.bench.table import Lookup
from spikenas.nas import Trial
from spikenas.nas.halving import Rung, asynchronous_race, length_of, race
from spikenas.space import Genotype

RACE, ASHA = RACES = "race", "asha"  # rung by rung; without waiting for a rung to be complete
OPENING = "spikenas"  # the strategy whose best candidates race
RUNGS = (Rung(8, 10), Rung(4, 20), Rung(2, 40))  # lengths in epochs; of 15 kinds of rungs the best (docs/compare.md)


class Raced(NamedTuple):
    """What a race found.

    Attributes:
        genotype: The winner.
        value: Its accuracy at the end of the last rung.
        seconds: What all trainings would have taken, each going on from the rung before.
    """

    genotype: str
    value: float
    seconds: float


def race_on_table(
    trials: Sequence[Trial], lookup: Callable[[str], Lookup], name: str = RACE, rungs: Sequence[Rung] = RUNGS
) -> Raced | None:
    """Race the best of a search by trainings that a table knows.

    Args:
        trials: Candidates that fit; those without a score are left out.
        lookup: Gives the lookup of a metric of the table, such as `epoch 10`.
        name: `race`, or `asha`, whose trainings take as long in all.
        rungs: Rungs, their lengths in epochs.
    Returns:
        What it found; None where no candidate has a score.
    Raises:
        DataError: The table does not know a training.
    """
    scored = sorted((trial for trial in trials if trial.value is not None), key=lambda trial: -(trial.value or 0.0))
    candidates = [trial.genotype for trial in scored]
    if not candidates:
        return None

    def train(genotype: str, epochs: float) -> float:
        return lookup(f"epoch {epochs:g}")(Genotype.parse(genotype)).score

    if name == ASHA:
        entries = asynchronous_race(candidates, [rung.length for rung in rungs], train, length_of(rungs))
    else:
        entries = race(candidates, rungs, lambda some, epochs: [train(genotype, epochs) for genotype in some])
    seconds = (lookup(f"epoch {entry.length:g}")(Genotype.parse(entry.candidate)).seconds for entry in entries)
    return Raced(entries[0].candidate, entries[0].value, sum(seconds))
