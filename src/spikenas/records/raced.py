"""What a race came to, by its record: how far each design came, which none beats, what each setting was worth."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spikenas._util.units import format_duration
from spikenas.records.finding import Decision, RaceRecord
from spikenas.space.design import Design


@dataclass(frozen=True)
class Raced:
    """A design that raced, and how far it came.

    Attributes:
        design: Text of the design.
        score: Its score, before any training.
        accuracy: Validation accuracy of its last training, a share, with class weights the balanced one; None where it
            could not be trained.
        outlook: Accuracy that is expected of it after the final training, by which the race is decided.
        length: Length of that training with those before it: seconds, or epochs.
        seconds: Time of all its trainings.
        params: Learnable parameters.
        flash_bytes: Flash.
        ram_bytes: RAM.
    """

    design: str
    score: float
    accuracy: float | None
    outlook: float | None
    length: float
    seconds: float
    params: int
    flash_bytes: int
    ram_bytes: int


def raced(record: RaceRecord) -> list[Raced]:
    """Return the designs that were trained: the winner first, then those that came farthest, those that failed last."""
    last = {one["entrant"]: one for one in sorted(record["trained"], key=lambda one: one["length"])}
    found = {
        number: Raced(
            entrant["design"],
            entrant["score"],
            last[number]["accuracy"],
            last[number]["outlook"],
            last[number]["length"],
            last[number]["seconds"],
            entrant["params"],
            entrant["flash_bytes"],
            entrant["ram_bytes"],
        )
        for number, entrant in enumerate(record["entrants"])
        if number in last
    }
    return [found[number] for number in sorted(last, key=lambda number: _rank(record, number))]


def _rank(record: RaceRecord, entrant: int) -> tuple[float, ...]:
    """Order as the race does: by the last rung, then by the outlook there, in the rung before it, and so on.

    Those whose last training failed are behind all others, as a finalist that drops out is.
    """
    own = sorted((one for one in record["trained"] if one["entrant"] == entrant), key=lambda one: -one["length"])
    return (own[0]["accuracy"] is None, -own[0]["length"], *(-(one["outlook"] or -math.inf) for one in own), entrant)


def trained_front(found: Sequence[Raced]) -> list[Raced]:
    """Return the designs that no other one beats in accuracy at no more flash, by rising flash."""
    front: list[Raced] = []
    for one in sorted(found, key=lambda one: (one.flash_bytes, -(one.accuracy or 0.0))):
        if one.accuracy is not None and one.accuracy > max((other.accuracy or 0.0 for other in front), default=0.0):
            front.append(one)
    return front


_SETTINGS: dict[str, Callable[[Design], Any]] = {
    "data.image_size": lambda design: "{}x{}".format(*design.image),
    "data.channels": lambda design: design.colours,
    "network.stem_stride": lambda design: design.stem_stride,
    "network.cells": lambda design: design.cells,
    "network.channels": lambda design: design.widths[0],
    "network.widths": lambda design: list(design.widths),
    "network.neuron": lambda design: design.neuron,
    "network.levels": lambda design: design.levels,
    "network.timesteps": lambda design: design.timesteps,
    "network.weight_bits": lambda design: list(design.bits),
    "network.membrane_bits": lambda design: design.membrane_bits,
}


def decisions_of(record: RaceRecord, winner: Design) -> list[Decision]:
    """Return for each setting what the winner has, what was tried beside it, and what that came to.

    Values are compared after the first rung, in which all designs were trained alike.
    """
    length = record["rungs"][0]["length"]
    told = {one["entrant"]: one["accuracy"] for one in record["trained"] if one["length"] == length}
    unit = format_duration(length) if record["timed"] else f"{length:g} epochs"
    decisions: list[Decision] = []
    for key, value_of in _SETTINGS.items():
        tried: dict[str, list[float]] = defaultdict(list)
        for number, entrant in enumerate(record["entrants"]):
            if (accuracy := told.get(number)) is not None:
                tried[_shown(value_of(Design.parse(entrant["design"])))].append(accuracy)
        value = value_of(winner)
        if len(tried) == 1:
            reason = "every design that raced had it"
        else:
            best = ", ".join(
                f"{name}: {max(found):.1%} (best of {len(found)})"
                for name, found in sorted(tried.items(), key=lambda pair: -max(pair[1]))
            )
            reason = f"of the design that won; after {unit} each {best}"
        decisions.append({"key": key, "value": value, "reason": reason, "evidence": {}, "given": False})
    return decisions


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
