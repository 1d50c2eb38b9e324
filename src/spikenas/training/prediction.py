"""What a network says of an item: a class, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """What a network says of one item.

    Attributes:
        label: Name of the most probable class.
        probability: Its probability, 0 to 1.
        probabilities: Of all classes, by name.
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
