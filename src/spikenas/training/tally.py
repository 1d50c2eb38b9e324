"""A tally of what a network says of labelled items: confusion of classes, and the worst mistakes."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikenas._util.class_figures import Figures
from spikenas._util.errors import RunError
from spikenas.data import Split

MISTAKES = 24  # at most, that are named


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake is an item that is classified wrongly.

    Attributes:
        excess: Probability of the wrong class less that of the right one.
        index: Position in the split.
        label: The right class.
        predicted: The wrong class.
        file: The item's file, or what else names it.
    """

    excess: float
    index: int
    label: int
    predicted: int
    file: str


class Tally:
    """A tally counts the outputs for a split, batch by batch, in its order.

    Args:
        split: The labelled items.
        classes: Names of the classes, an output each.
    Raises:
        RunError: The split has no items, or labels that there is no output for.
    """

    def __init__(self, split: Split, classes: Sequence[str]) -> None:
        if len(split) == 0:
            raise RunError("there are no items to evaluate")
        if int(split.labels.max()) >= len(classes):
            raise RunError(f"the items have labels up to {split.labels.max()}, the network {len(classes)} classes")
        self._split, self._classes = split, tuple(classes)
        self._confusion = torch.zeros(len(classes), len(classes), dtype=torch.int64)
        self._worst: list[Mistake] = []

    def add(self, outputs: Tensor, first: int) -> None:
        """Count the outputs for the items from position `first` on, [B, classes]; equal outputs say the first class."""
        scores = outputs.cpu().double()
        labels = torch.from_numpy(self._split.labels[first : first + len(scores)])
        predicted, shares = scores.argmax(1), scores.softmax(1)
        self._confusion.index_put_((labels, predicted), torch.tensor(1), accumulate=True)
        excess = (shares.gather(1, predicted[:, None]) - shares.gather(1, labels[:, None]))[:, 0]
        wrong = (predicted != labels).nonzero()[:, 0].tolist()
        found = [
            Mistake(float(excess[n]), first + n, int(labels[n]), int(predicted[n]), self._split.name_of(first + n))
            for n in wrong
        ]
        self._worst = heapq.nlargest(MISTAKES, [*self._worst, *found])

    @property
    def confusion(self) -> list[list[int]]:
        """Numbers of items, [true class][class said]."""
        counts: list[list[int]] = self._confusion.tolist()
        return counts

    @property
    def figures(self) -> Figures:
        """Figures of all items counted so far."""
        return Figures.of(self.confusion, self._classes)

    @property
    def mistakes(self) -> list[Mistake]:
        """The worst mistakes, at most `MISTAKES`, the worst first."""
        return self._worst
