"""Says which network to take for which aim: the spiking one, its twin, or one that others have published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from spikenas._util.class_figures import Figures
from spikenas._util.proportions import Interval, difference, wilson
from spikenas._util.units import format_energy, format_instructions, format_size, format_time
from spikenas.config import BudgetConfig
from spikenas.memory import speed

SAME = 0.05  # share by which memory and time may differ and be called the same
MARGIN = 0.02  # of accuracy that a network may lose, as far as the items show, and still be called no worse
_CIFAR10 = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}


@dataclass(frozen=True)
class Standing:
    """Holds what a network reaches and takes; None is not known.

    Attributes:
        name: What it is, in words.
        accuracy: Share of the test items that are right.
        items: Number of test items; None where it was published without.
        flash_bytes: Flash.
        ram_bytes: RAM.
        instructions: Instructions of one inference.
        seconds: Time of one inference.
        joules: Energy of one inference.
        source: Where it is from, where it was not measured here.
    """

    name: str
    accuracy: float
    items: int | None = None
    flash_bytes: float | None = None
    ram_bytes: float | None = None
    instructions: float | None = None
    seconds: float | None = None
    joules: float | None = None
    source: str = ""

    @classmethod
    def of(
        cls, name: str, figures: Figures, sizes: Mapping[str, Any], instructions: float | None, device: BudgetConfig
    ) -> Standing:
        """Return what a network of a run reaches and takes.

        Args:
            name: What it is, in words.
            figures: Its figures on the test set.
            sizes: Its `flash_bytes` and `ram_bytes`.
            instructions: Those of one inference.
            device: The clock, cycles and power of the device.
        """
        taken = {key: sizes[key] for key in ("flash_bytes", "ram_bytes")} | speed(instructions, device)
        items = sum(one.items for one in figures.classes)
        return cls(name, figures.accuracy, items, **taken)

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the accuracy; None where the number of items is not known."""
        return wilson(self.accuracy, self.items) if self.items else None


RESNET8 = Standing(
    "ResNet-8 of MLPerf Tiny",
    accuracy=0.85,
    flash_bytes=96 << 10,
    seconds=0.16565,
    joules=5.25e-3,
    source="a CNN of 8 bits: the target accuracy of its reference, the size of its model alone; time and energy of "
    "version 1.4, closed division, on an STM32L4 at 120 MHz",
)


@dataclass(frozen=True)
class Aim:
    """An aim is something that a network is chosen by.

    Attributes:
        name: What is aimed at, in words.
        own: What the spiking network has of it, in words.
        other: What the other one has.
        better: `own`, `other`, `neither` where no difference is shown, or `unlike` where they are of other devices.
        difference: Of accuracy, the 95 % interval of the first less the second.
    """

    name: str
    own: str
    other: str
    better: Literal["own", "other", "neither", "unlike"]
    difference: Interval | None = None


@dataclass(frozen=True)
class Comparison:
    """A comparison says which of two networks is better at what.

    Attributes:
        own: The spiking network.
        other: What it is compared with.
        aims: What they were compared by.
        sentence: What to take.
    """

    own: Standing
    other: Standing
    aims: tuple[Aim, ...]
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        own, other = ({**asdict(one), "interval": one.interval} for one in (self.own, self.other))
        aims = [asdict(aim) for aim in self.aims]
        return {"sentence": self.sentence, "own": own, "other": other, "aims": aims}


SPIKING, ORDINARY = "spiking network", "ordinary network (a CNN with ReLUs)"


def verdict(own: Standing, twin: Standing | None, classes: Iterable[str]) -> list[Comparison]:
    """Compare a spiking network with its twin, and on CIFAR-10 with the reference of MLPerf Tiny.

    Args:
        own: The spiking network.
        twin: The network of the same plan with relu; None where it was not trained.
        classes: Names of the classes of the data.
    """
    others = [*([twin] if twin else []), *([RESNET8] if set(classes) == _CIFAR10 else [])]
    return [compare(own, other) for other in others]


def compare(own: Standing, other: Standing) -> Comparison:
    """Say which of two networks is better at what, and which to take."""
    aims = [_accuracy(own, other)]
    for name, key, said in (
        ("flash", "flash_bytes", format_size),
        ("RAM", "ram_bytes", format_size),
        ("instructions", "instructions", format_instructions),
        ("time", "seconds", format_time),
        ("energy", "joules", format_energy),
    ):
        mine, others = getattr(own, key), getattr(other, key)
        if mine and others:
            aims.append(Aim(name, said(mine), said(others), _less(mine, others) if not other.source else "unlike"))
    sentence = _sentence_of_published(aims[0], own, other) if other.source else _sentence(aims, own, other)
    return Comparison(own, other, tuple(aims), sentence)


def _less(mine: float, others: float) -> Literal["own", "other", "neither"]:
    if abs(mine - others) <= SAME * max(mine, others):
        return "neither"
    return "own" if mine < others else "other"


def _accuracy(own: Standing, other: Standing) -> Aim:
    """Compare accuracies by the interval of their difference, as if the items were independent, which is with care."""
    if own.items and other.items:
        between = difference(own.accuracy, own.items, other.accuracy, other.items)
    else:
        known = wilson(own.accuracy, own.items) if own.items else Interval(own.accuracy, own.accuracy)
        between = Interval(known.low - other.accuracy, known.high - other.accuracy)
    better: Literal["own", "other", "neither"] = (
        "own" if between.low > 0 else "other" if between.high < 0 else "neither"
    )
    return Aim("accuracy", f"{own.accuracy:.2%}", f"{other.accuracy:.2%}", better, between)


def _sentence(aims: Sequence[Aim], own: Standing, other: Standing) -> str:
    accuracy, between = aims[0], aims[0].difference or Interval(0, 0)
    names = {"own": f"the {own.name}", "other": f"the {other.name}"}
    sides = {side: [aim for aim in aims if aim.better == side] for side in names}
    worst = {"own": -between.low, "other": between.high}  # by how much each may be less accurate
    winner = next((side for side, opposite in (("own", "other"), ("other", "own")) if not sides[opposite]), None)
    shown = f"95 %; {own.items:,} test items, {accuracy.own} and {accuracy.other}"
    if accuracy.better != "neither":
        note = ""
    elif winner and worst[winner] <= MARGIN and sides[winner]:
        note = f"; it is at most {_points(worst[winner])} less accurate, if at all ({shown})"
    else:
        note = f"; which one is more accurate is not shown, by up to {_points(max(worst.values()))} ({shown})"
    if not sides["own"] and not sides["other"]:
        return f"They take as much{note}."
    if winner and (accuracy.better != "neither" or worst[winner] <= MARGIN):
        return f"Take {names[winner]}: it is better in {_listed(sides[winner], winner)}, and in nothing worse{note}."
    order = sorted((side for side in names if sides[side]), key=lambda side: accuracy not in sides[side])
    text = ", ".join(f"for {_listed(sides[side], side)} take {names[side]}" for side in order)
    return f"{text[0].upper()}{text[1:]}{note}."


def _points(share: float) -> str:
    """Return a bound of a difference of accuracies, in points, rounded up."""
    return f"{math.ceil(1000 * share) / 10:.1f} points"


def _sentence_of_published(accuracy: Aim, own: Standing, other: Standing) -> str:
    first, second = (accuracy.other, accuracy.own) if accuracy.better == "other" else (accuracy.own, accuracy.other)
    figures = f"({first} against {second})"
    unlike = f"memory, time and energy of {other.name} are of another program and device, and decide nothing here"
    if accuracy.better == "neither":
        return f"Neither is shown to be more accurate {figures}; {unlike}."
    taken = f"the {own.name}" if accuracy.better == "own" else other.name
    return f"For accuracy take {taken} {figures}; {unlike}."


def _listed(aims: Sequence[Aim], side: str) -> str:
    """Name aims, the figure of one side first."""
    pairs = [(aim.name, aim.own, aim.other) if side == "own" else (aim.name, aim.other, aim.own) for aim in aims]
    words = ["{} ({} against {})".format(*pair) for pair in pairs]
    return ", ".join(words[:-1]) + (" and " if words[:-1] else "") + words[-1]
