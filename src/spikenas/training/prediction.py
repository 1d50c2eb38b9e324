"""A network predicts the class of an item, and how probable it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """A prediction is what a network says of one item.

    Attributes:
        label: Name of the most probable class.
        probability: Probability of that class, 0 to 1.
        probabilities: Probabilities of all classes, by name.
    """

    label: str
    probability: float
    probabilities: dict[str, float]

    def __repr__(self) -> str:
        return f"{self.label} ({self.probability:.1%})"


def predictions_of(outputs: Tensor, classes: Sequence[str]) -> list[Prediction]:
    """Turn a network's outputs [N, classes] into a prediction for each item; equal outputs give the first class."""
    chosen = outputs.argmax(1).tolist()
    shares = torch.softmax(outputs.double(), 1).tolist()
    return [
        Prediction(classes[number], row[number], dict(zip(classes, row, strict=True)))
        for number, row in zip(chosen, shares, strict=True)
    ]
