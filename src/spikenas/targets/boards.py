"""Hold the devices of this package: each is an attribute, read from the TOML file of its name in this folder."""

from __future__ import annotations

from functools import cache
from importlib import resources

from spikenas.targets.target import Target, read_target


@cache
def __getattr__(name: str) -> Target:
    file = resources.files(__package__) / f"{name}.toml"
    if not file.is_file():
        raise AttributeError(f"no device {name!r}")
    with resources.as_file(file) as path:
        return read_target(path)
