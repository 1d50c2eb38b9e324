"""Named spaces: the ops of a cell, and of a benchmark the networks that it trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikenas._util.errors import SettingError
from spikenas._util.words import hint

BENCH = "spikenas-bench"


@dataclass(frozen=True)
class NamedSpace:
    """Says what the name of a space stands for.

    Attributes:
        ops: Texts of the ops of an edge.
        network: Settings of `network` that all networks of a benchmark have.
        by_data: Further settings for each data set of a benchmark.
    """

    ops: tuple[str, ...]
    network: Mapping[str, Any] = field(default_factory=dict)
    by_data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


NAMED_SPACES: dict[str, NamedSpace] = {
    "spikenas": NamedSpace(("skip", "conv3x3")),
    "snasnet": NamedSpace(("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")),
    BENCH: NamedSpace(
        ("none", "skip", "conv3x3@0.5", "conv3x3@1.0", "conv3x3@1.5"),
        {"kind": "snasnet", "channels": 128, "cells": 2},
        {
            "cifar10": {},
            "cifar100": {"votes": 5},
            "tinyimagenet": {"stem_stride": 2, "hidden": 4096, "votes": 5},
        },
    ),
}


def find_space(name: str) -> NamedSpace:
    """Return the space of a name, such as `snasnet`, `spikenas-bench` or `spikenas-bench:cifar100`.

    Raises:
        ConfigError: There is none of that name, or its benchmark has no such data set.
    """
    space, colon, data = name.partition(":")
    if space not in NAMED_SPACES:
        raise SettingError("space.name", f"no such space {space!r}, {hint(space, NAMED_SPACES)}")
    found = NAMED_SPACES[space]
    if colon and data not in found.by_data:
        known = f"{space} has {', '.join(found.by_data)}" if found.by_data else f"{space} is one space for all data"
        raise SettingError("space.name", f"{name!r}: no such data set; {known}")
    return found


def is_space(name: str) -> bool:
    """Say whether there is a space of that name."""
    try:
        find_space(name)
    except SettingError:
        return False
    return True


def network_of(name: str, data: str) -> dict[str, Any]:
    """Return what a named space sets of the network.

    Args:
        name: Name of the space; what stands behind its colon says whose networks a benchmark's are.
        data: Name of the data set that is searched on, which says so otherwise; for others they are CIFAR-10's.
    Raises:
        ConfigError: There is no such space.
    """
    space = find_space(name)
    own = name.partition(":")[2] or data.partition(":")[0]
    return {**space.network, **space.by_data.get(own, {})}
