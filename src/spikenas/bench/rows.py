"""A row of a table is a network that somebody trained, with the metrics that can be asked of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from spikenas._util.errors import ConfigError
from spikenas.space.genotype import Genotype

Metric = Literal["test", "last"] | int  # a number is an epoch, counted from 1

_EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")
BENCH_LAYERS = (
    *(f"cell{cell} {edge}" for cell in (1, 2) for edge in _EDGES),
    *("reduction", "head", "hidden", "mean"),
)


def parse_metric(text: str) -> Metric:
    """Read `test`, `last` or `epoch 20`.

    Raises:
        ConfigError: The text is something else.
    """
    if text == "test":
        return "test"
    if text == "last":
        return "last"
    if match := re.fullmatch(r"epoch ([1-9]\d*)", text):
        return int(match[1])
    raise ConfigError(f"unknown metric {text!r}; metrics are 'test', 'last', and 'epoch 20' or another number")


@dataclass(frozen=True, slots=True)
class Row:
    """A row is a training of one network. Accuracies are fractions, 0 to 1.

    Attributes:
        genotype: The network, as written in the table.
        source: Log file or line of the CSV it was read from.
        test: Accuracy on the test set; in a table with one accuracy only, that one. None in an incomplete log.
        epochs: The epochs, counted from 1, after which the validation accuracy is known; ascending.
        validation: Validation accuracy after each of them.
        trained: Number of epochs it was trained for; 0 when the table does not say.
        seconds: Time of the whole training; None when the table does not say.
        id: SpikeNAS-Bench's id; None in other tables.
        params: Number of parameters as the table counts them, dead edges too; None when it does not.
        rates: SpikeNAS-Bench's firing rates, one for each of `BENCH_LAYERS`, None where there is no such layer; empty
            when the table has none.
    """

    genotype: Genotype
    source: str
    test: float | None = None
    epochs: Sequence[int] = ()
    validation: tuple[float, ...] = ()
    trained: int = 0
    seconds: float | None = None
    id: int | None = None
    params: int | None = None
    rates: tuple[float | None, ...] = ()

    @property
    def firing_rates(self) -> dict[str, float]:
        """Spikes per neuron per timestep by layer, such as `cell1 0-2`, `reduction`, `head`, `hidden`; and `mean`."""
        pairs = zip(BENCH_LAYERS, self.rates, strict=bool(self.rates))
        return {layer: rate for layer, rate in pairs if rate is not None}

    def accuracy(self, metric: Metric) -> float | None:
        """Return test accuracy, or validation accuracy after an epoch or the last; None where the row has none."""
        if metric == "test":
            return self.test
        if metric == "last":
            return self.validation[-1] if self.validation else None
        return self.validation[self.epochs.index(metric)] if metric in self.epochs else None

    def epochs_for(self, metric: Metric) -> int:
        """Return the number of epochs of training it takes to know that accuracy."""
        return self.trained if isinstance(metric, str) else metric


def runs_of_numbers(numbers: Iterable[int]) -> str:
    """Write numbers as text, runs shortened: `1 to 100, 200`."""
    ordered = sorted(set(numbers))
    if not ordered:
        return "none"
    breaks = [0, *(k for k, (a, b) in enumerate(pairwise(ordered), start=1) if b != a + 1), len(ordered)]
    runs = [ordered[a:b] for a, b in pairwise(breaks)]
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)
