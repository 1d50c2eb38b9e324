"""All that a confusion matrix says of a classifier: accuracy with its interval, and figures of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from spikenas._util.proportions import CONFIDENCE, Interval, wilson

UNEQUAL = 1.5  # times the items of the smallest class from which on those of the largest are called unequal
_NAMED = 5  # classes, at most, that a text names


@dataclass(frozen=True)
class ClassFigures:
    """The figures of a class.

    Attributes:
        name: Its name.
        items: Number of its items.
        said: Number of items that were taken for it.
        right: Number of its items that were taken for it.
    """

    name: str
    items: int
    said: int
    right: int

    @property
    def recall(self) -> float | None:
        """Share of its items that were taken for it; None without items."""
        return self.right / self.items if self.items else None

    @property
    def precision(self) -> float | None:
        """Share of its own among the items that were taken for it; None where none was."""
        return self.right / self.said if self.said else None


@dataclass(frozen=True)
class Figures:
    """The figures of a classifier on labelled items.

    Attributes:
        classes: Figures of each class, in the order of the labels.
    """

    classes: tuple[ClassFigures, ...]

    @classmethod
    def of(cls, confusion: Sequence[Sequence[int]], names: Sequence[str] = ()) -> Figures:
        """Take the figures from a confusion matrix.

        Args:
            confusion: Numbers of items, [true class][class said]; at least one item.
            names: Names of the classes; where there are not as many, classes are called by their number.
        """
        counts = range(len(confusion))
        names = names if len(names) == len(confusion) else [f"class {n}" for n in counts]
        said = [sum(row[n] for row in confusion) for n in counts]
        return cls(tuple(ClassFigures(str(names[n]), sum(confusion[n]), said[n], confusion[n][n]) for n in counts))

    @cached_property
    def items(self) -> int:
        """Number of items."""
        return sum(one.items for one in self.classes)

    @cached_property
    def right(self) -> int:
        """Number of items that are classified correctly."""
        return sum(one.right for one in self.classes)

    @property
    def accuracy(self) -> float:
        """Share of the items that are classified correctly."""
        return self.right / self.items

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy."""
        return wilson(self.accuracy, self.items)

    @property
    def present(self) -> list[ClassFigures]:
        """The classes that have items."""
        return [one for one in self.classes if one.items]

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the recalls of the classes that have items."""
        return sum(one.right / one.items for one in self.present) / len(self.present)

    @property
    def balanced_half_width(self) -> float:
        """How far below the balanced accuracy the end of its 95 % interval is."""
        halves = [one.right / one.items - wilson(one.right / one.items, one.items).low for one in self.present]
        return math.sqrt(sum(half**2 for half in halves)) / len(halves)

    @property
    def largest(self) -> ClassFigures:
        """The class with the most items, the first of equal ones."""
        return max(self.classes, key=lambda one: one.items)

    @property
    def largest_share(self) -> float:
        """Share of the items that are of the largest class: the accuracy of whoever always says that class."""
        return self.largest.items / self.items

    @property
    def unequal(self) -> bool:
        """Whether classes are so unequal that accuracy alone misleads."""
        return self.largest.items > UNEQUAL * min(one.items for one in self.present)

    @property
    def never_said(self) -> list[str]:
        """Names of the classes that have items, and that no item was taken for."""
        return [one.name for one in self.present if not one.said]

    def __str__(self) -> str:
        balanced = f", balanced {self.balanced_accuracy:.2%}" if self.unequal else ""
        return f"{self.accuracy:.2%} of {self.items:,} items right ({self.interval} with 95 % confidence){balanced}"

    def as_json(self) -> dict[str, Any]:
        """Return the figures as values of JSON."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "confidence": CONFIDENCE,
            "balanced_accuracy": self.balanced_accuracy,
            "largest_class_share": self.largest_share,
            "never_said": self.never_said,
            "classes": [{**asdict(one), "recall": one.recall, "precision": one.precision} for one in self.classes],
        }


def listed(names: Sequence[str]) -> str:
    """Return names with commas, the first few of many."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
