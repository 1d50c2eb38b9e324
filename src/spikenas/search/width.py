"""How wide a network may be, and what to say when none fits.

Rule for `auto`: the widest step of the ladder at which at least half of the space's distinct cells, each put in every
place, meet the budget. Wider would leave mostly shallow cells to choose from; narrower would leave memory unused. Where
not even the narrowest step leaves half, the narrowest is taken, and the search has what remains.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.errors import BudgetError, ConfigError
from spikenas.memory import Footprint, footprint, violations
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, make_plan
from spikenas.space.space import Space
from spikenas.units import format_size

LADDER = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
FREE_WIDTH = 32
SHARE_THAT_FITS = 0.5
_SAMPLE = 256


def resolve_width(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> NetworkConfig:
    """The network with `channels` as a number at which something of the space meets the budget.

    Raises:
        BudgetError: nothing does; names the smallest footprint and what would make room.
    """
    if network.channels == "auto":
        channels = FREE_WIDTH if budget == BudgetConfig() else _widest(network, input, space, budget)
        network = network.model_copy(update={"channels": channels})
    if budget == BudgetConfig():
        return network
    smallest = _smallest(network, input, space)
    over = _over(smallest, budget)
    if over:
        raise BudgetError(
            f"no network of the space meets the budget: {'; '.join(_excess(*item) for item in over.items())}; "
            + _what_would_do(network, input, space, budget)
        )
    return network


def _widest(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> int:
    cells = space.distinct_cells
    if len(cells) > _SAMPLE:
        cells = tuple(random.Random(0).sample(cells, _SAMPLE))
    for channels in reversed(LADDER):
        cost = _cost(network.model_copy(update={"channels": channels}), input)
        fitting = sum(not violations(cost(Genotype((cell,) * space.cells)), budget) for cell in cells)
        if fitting >= SHARE_THAT_FITS * len(cells):
            return channels
    return LADDER[0]


def _cost(network: NetworkConfig, input: InputSpec) -> Callable[[Genotype], Footprint]:
    return lambda genotype: footprint(make_plan(genotype, network, input))


def _smallest(network: NetworkConfig, input: InputSpec, space: Space) -> tuple[int, int, int]:
    """Least params, flash and RAM of networks with one cell in every place."""
    cost = _cost(network, input)
    costs = [cost(Genotype((cell,) * space.cells)) for cell in space.distinct_cells]
    return (
        min(one.params for one in costs),
        min(one.flash_bytes for one in costs),
        min(one.ram_bytes for one in costs),
    )


def _over(smallest: tuple[int, int, int], budget: BudgetConfig) -> dict[str, tuple[int, int]]:
    limits = (budget.params, budget.flash, budget.ram)
    names = ("params", "flash", "ram")
    return {
        name: (value, limit)
        for name, value, limit in zip(names, smallest, limits, strict=True)
        if limit is not None and value > limit
    }


def _excess(name: str, sizes: tuple[int, int]) -> str:
    value, limit = sizes
    if name == "params":
        return f"the smallest has {value:,} params, allowed are {limit:,}"
    return f"the smallest takes {format_size(value)} of {name}, allowed are {format_size(limit)}"


def _what_would_do(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> str:
    """Single changes that make room; where none does, the first few that do together."""

    def fits(change: dict[str, Any]) -> bool:
        other = network.model_copy(update=change)
        cells = Space(space.ops, other.cells, space.nodes, space.feedback)
        try:
            return not _over(_smallest(other, input, cells), budget)
        except ConfigError:
            return False

    def named(change: dict[str, Any]) -> str:
        return " ".join(f"network.{key}={value}" for key, value in change.items())

    changes = list(_changes(network))
    if single := [change for change in changes if fits(change)]:
        return f"would fit: {' or '.join(map(named, single))}"
    together: dict[str, Any] = {}
    for change in changes:
        together |= change
        if fits(together):
            return f"would fit: {named(together)} together"
    return "no change of the network makes room"


def _changes(network: NetworkConfig) -> Iterator[dict[str, Any]]:
    """Settings that take less memory, the mildest of each kind first."""
    channels = network.channels if isinstance(network.channels, int) else LADDER[0]
    narrower = [width for width in reversed(LADDER) if width < channels]
    yield from ({"channels": width} for width in narrower[:: max(1, len(narrower) // 4)])
    if network.stem_stride == 1:
        yield {"stem_stride": 2}
    if network.membrane_bits > 8 or network.map_bits > 8:
        yield {"membrane_bits": 8, "map_bits": 8}
    if network.weight_bits > 4:
        yield {"weight_bits": 4}
    if network.kind == "snasnet":
        yield {"kind": "compact"}
    elif network.cells > 1:
        yield {"cells": network.cells - 1}
