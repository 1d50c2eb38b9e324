"""Choose what the data leave open: the size and colour of the images as the network sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spikenas._util.errors import BudgetError
from spikenas.config import Config
from spikenas.data import OpenedData
from spikenas.memory.width import resolve_width
from spikenas.space.plan import InputSpec
from spikenas.space.space import Space

SIDES = (32, 24, 16)  # in pixels, of images that are brought to another size
WIDE_ENOUGH = 16  # channels, below which a smaller image with a wider network is better (docs/data.md)


def space_of(config: Config) -> Space:
    """Return the space that a configuration describes."""
    settings, network = config.space, config.network
    return Space.of(
        settings.ops, network.cells, settings.nodes, settings.feedback, settings.shared, network.v_threshold
    )


def choose_input(config: Config, opened: OpenedData) -> tuple[dict[str, Any], str]:
    """Choose the settings of the data that are left open.

    Images that all have one size, of at most `SIDES[0]`, keep it; others become squares. The largest size is taken at
    which a network of `WIDE_ENOUGH` channels meets the limits; where none does, the one that leaves most channels.

    Args:
        config: Configuration with what was asked for.
        opened: The data.

    Returns:
        Changes by key, and why the size was chosen; empty where it was not.
    """
    data = config.data
    if opened.events:
        return {}, ""
    changes: dict[str, Any] = {"data.channels": data.channels or opened.channels}
    if data.value_range is None and opened.survey.value_range is not None:
        changes["data.value_range"] = opened.survey.value_range
    if data.image_size is not None:
        return changes, ""
    size, reason = _choose_size(config, opened, changes["data.channels"])
    return changes | {"data.image_size": "{}x{}".format(*size)}, reason


def sizes_of(opened: OpenedData) -> Iterator[tuple[int, int]]:
    """Yield the sizes that images may be brought to, (width, height), the largest first."""
    width, height = opened.survey.common_size
    if len(opened.survey.sizes) == 1 and max(width, height) <= SIDES[0]:
        yield width, height
        yield from ((side, side) for side in SIDES if side < min(width, height))
        return
    smaller = [(side, side) for side in SIDES if side <= min(width, height)]
    side = max(min(width, height), min(SIDES[-1], max(width, height)))
    yield from smaller or [(side, side)]


def _choose_size(config: Config, opened: OpenedData, channels: int) -> tuple[tuple[int, int], str]:
    sizes = list(sizes_of(opened))
    if not config.budget.has_limits:
        return sizes[0], ""
    space, chosen, widest = space_of(config), sizes[-1], 0
    for width, height in sizes:
        spec = InputSpec(channels, height, width, len(opened.classes))
        try:
            found = int(resolve_width(config.network, spec, space, config.budget).channels)
        except BudgetError:
            continue
        if found > widest:
            chosen, widest = (width, height), found
        if widest >= WIDE_ENOUGH or config.network.channels != "auto":
            break
    if chosen == sizes[0] or not widest:
        return chosen, ""
    return chosen, f"larger ones leave fewer channels in these limits, this one {widest}"
