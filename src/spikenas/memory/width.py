"""Decides how wide a network may be, and says what would help when none fits.

The width `auto` is the widest step of the ladder at which at least half of the space's distinct cells, each put in
every place, meet the budget. Wider would leave mostly shallow cells to choose from; narrower would leave memory unused.
Where not even the narrowest step leaves half, the narrowest is taken, and the search has what remains.

A `stem_stride` of `auto` is 2 where that at least doubles the width or where nothing fits with 1, which is when RAM
binds; else it is 1.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from heapq import nsmallest
from typing import Any

from spikenas._util.errors import BudgetError, ConfigError, GenotypeError
from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.memory import FIGURES, Footprint, excess, footprint, limits_of, violations
from spikenas.space.building import make_plan
from spikenas.space.cell import Cell
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec
from spikenas.space.space import Space

LADDER = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
SHARE_THAT_FITS = 0.5
_SAMPLE = 64  # cells, where the space has more
_SIDES = (96, 64, 48, 32, 24, 16, 12, 8)  # of images, in pixels
_FEW_LEVELS = 3  # spikes at a time: two bit planes
_FEW = 8  # smallest cells by each figure


@cache
def resolve_width(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> NetworkConfig:
    """Return the network with numbers for `channels` and `stem_stride` at which some of the space meets the budget.

    Raises:
        BudgetError: Nothing does; the message says what the smallest takes and what would make room.
        GenotypeError: No network can be built with these settings.
    """
    free = not budget.has_limits

    def sized(stride: int) -> NetworkConfig:
        one = network.but({"stem_stride": stride})
        if one.channels != "auto":
            return one
        width = one.free_channels if free else _widest(one, input, space, budget)
        return one.but({"channels": width})

    if network.stem_stride != "auto":
        found = sized(network.stem_stride)
    elif free:
        found = sized(1)
    else:
        fine, coarse = sized(1), sized(2)
        doubled = int(coarse.channels) >= 2 * int(fine.channels)
        found = coarse if doubled or not _fits(fine, input, space, budget) else fine
    if free:
        next(_costs(found, input, space))  # the settings of layers are right
    elif not _fits(found, input, space, budget):
        costs = list(_costs(found, input, space))
        raise BudgetError(
            f"no network of the space meets the budget: {excess(costs, budget)}; "
            + _what_would_do(found, input, space, budget, costs)
        )
    return found


def _widest(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> int:
    cells = space.distinct_cells
    if len(cells) > _SAMPLE:
        cells = tuple(random.Random(0).sample(cells, _SAMPLE))

    def leaves_a_choice(channels: int) -> bool:
        costs = list(_costs(network.but({"channels": channels}), input, space, cells))
        return sum(not violations(cost, budget) for cost in costs) >= SHARE_THAT_FITS * len(costs)

    wider = bisect_left(LADDER, True, key=lambda channels: not leaves_a_choice(channels))
    return LADDER[max(0, wider - 1)]


def _costs(
    network: NetworkConfig, input: InputSpec, space: Space, cells: Sequence[Cell] | None = None
) -> Iterator[Footprint]:
    """Footprints of the networks with one cell in every place, for each of the cells given or of the space."""
    for cell in cells or space.distinct_cells:
        yield footprint(make_plan(Genotype((cell,) * network.cells), network, input))


def _fits(network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig) -> bool:
    """Whether a network with one cell in every place meets the budget."""
    return any(not violations(cost, budget) for cost in _costs(network, input, space))


def _what_would_do(
    network: NetworkConfig, input: InputSpec, space: Space, budget: BudgetConfig, costs: Sequence[Footprint]
) -> str:
    """Single changes that make room; where none does, the first few that do together. Tried with the smallest cells."""
    sized = list(zip(costs, space.distinct_cells, strict=True))
    small: dict[Cell, None] = {}
    for name in limits_of(budget):
        figure = FIGURES[name].of
        small |= {cell: None for _, cell in nsmallest(_FEW, sized, key=lambda pair: figure(pair[0], budget) or 0.0)}

    def fits(change: dict[str, Any]) -> bool:
        of_network = {key: value for key, value in change.items() if key not in ("image_size", "grey")}
        seen = input
        if side := change.get("image_size"):
            seen = replace(seen, height=side, width=side)
        if change.get("grey"):
            seen = replace(seen, channels=1)
        try:
            changed = _costs(network.but(of_network), seen, space, list(small))
            return any(not violations(cost, budget) for cost in changed)
        except (ConfigError, GenotypeError):
            return False

    def named(change: dict[str, Any]) -> str:
        of_data = {"image_size": "--image-size {}", "grey": "--set data.channels=1"}
        return " ".join(of_data.get(key, f"--set network.{key}={{}}").format(value) for key, value in change.items())

    changes = list(_changes(network, input))
    single: dict[tuple[str, ...], dict[str, Any]] = {}  # by the settings that change, the mildest that fits
    for change in changes:
        if tuple(change) not in single and fits(change):
            single[tuple(change)] = change
    if single:
        return f"would fit: {' or '.join(map(named, single.values()))}"
    together: dict[str, Any] = {}
    for change in changes:
        together |= change
        if fits(together):
            return f"would fit: {named(_needed(together, fits))} together"
    return "no change of the network or of the images makes room"


def _needed(changes: dict[str, Any], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Leave out what the others make room without."""
    for key in changes:
        fewer = {other: value for other, value in changes.items() if other != key}
        if fits(fewer):
            return _needed(fewer, fits)
    return changes


def _changes(network: NetworkConfig, input: InputSpec) -> Iterator[dict[str, Any]]:
    """Settings that take less memory, the mildest of each kind first."""
    if input.static:
        yield from ({"image_size": side} for side in _SIDES if side < min(input.height, input.width))
        if input.channels > 1:
            yield {"grey": True}
    channels = network.channels if isinstance(network.channels, int) else LADDER[0]
    yield from ({"channels": width} for width in reversed(LADDER) if width < channels)
    if network.stem_stride == 1:
        yield {"stem_stride": 2}
    if network.neuron == "lif" and network.kind == "compact" and input.static:
        yield {"neuron": "ilif", "timesteps": 1}
    if network.neuron == "ilif" and network.levels > _FEW_LEVELS:
        yield {"levels": _FEW_LEVELS}
    if network.has_membranes and network.membrane_bits > 8:
        yield {"membrane_bits": 8}
    if network.weight_bits > 4:
        yield {"weight_bits": 4}
    if network.kind == "snasnet":
        yield {"kind": "compact"}
    elif network.cells > 1:
        yield {"cells": network.cells - 1}
