"""Devices: what their memory leaves to a network. One TOML file a device, in this folder or of the user's."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spikenas.config import Config, Core, Size, explain, read_toml
from spikenas.errors import ConfigError


class CoreMemory(BaseModel):
    """Limits of one core of a neuromorphic chip; absent means that the chip has no such limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(1, ge=1, description="cores that are alike")
    neurons: int | None = None
    synapse_bytes: Size | None = None
    kernel_words: int | None = None
    neuron_words: int | None = None


class Target(BaseModel):
    """A device.

    Attributes:
        name: Its file's.
        title: For people.
        source: Page of the vendor that the figures are from.
        note: What else has to be known.
        kind: `microcontroller`, with flash and RAM; `neuromorphic`, with cores.
        core: Whose code is counted and built.
        architecture: What the processor is, where that is no `core`.
        emulated: Whether firmware for it can be run here.
        flash: Bytes of program memory.
        ram: Bytes of its largest block of RAM.
        runtime_flash: What start-up, drivers and the user's program take of it.
        runtime_ram: The same of the RAM.
        cores: Of a neuromorphic chip.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    source: str
    note: str = ""
    kind: Literal["microcontroller", "neuromorphic"] = "microcontroller"
    core: Core = "cortex-m4"
    architecture: str | None = None
    emulated: bool = True
    flash: Size | None = None
    ram: Size | None = None
    runtime_flash: int = Field(0, ge=0)
    runtime_ram: int = Field(0, ge=0)
    cores: tuple[CoreMemory, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Target:
        if self.kind == "microcontroller" and (self.flash is None or self.ram is None):
            raise ValueError("a microcontroller has flash and ram")
        if self.kind == "neuromorphic" and not self.cores:
            raise ValueError("a neuromorphic chip has cores")
        return self

    @property
    def flash_left(self) -> int | None:
        """Bytes of flash for the network and its kernels."""
        return None if self.flash is None else self.flash - self.runtime_flash

    @property
    def ram_left(self) -> int | None:
        """Bytes of RAM for the network and its stack."""
        return None if self.ram is None else self.ram - self.runtime_ram


@cache
def targets() -> dict[str, Target]:
    """All devices, by name.

    Raises:
        ConfigError: a file that does not describe one.
    """
    with resources.as_file(resources.files(__name__)) as folder:
        return {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Target:
    values = read_toml(path)
    try:
        return Target(**{"name": path.stem, **values})
    except ValidationError as error:
        problem = error.errors()[0]
        if not problem["loc"]:
            raise ConfigError(f"{path}: {problem['ctx']['error']}") from None
        said = "unknown key" if problem["type"] == "extra_forbidden" else explain(error)
        raise ConfigError(f"{path}: {problem['loc'][0]}: {said}") from None


def find_target(name: str) -> Target:
    """A device, by its name or by a file such as `board.toml`.

    Raises:
        ConfigError: unknown; names the nearest, or all. A file that does not describe one.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    known = targets()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}, or a file: BOARD.toml"
        raise ConfigError(f"unknown target {name!r}, {hint}")
    return known[name]


def aimed(config: Config) -> Config:
    """The configuration with the limits and the core of `budget.target`; a smaller limit that is given stays.

    Raises:
        ConfigError: an unknown target, or one that is no microcontroller.
    """
    if config.budget.target is None:
        return config
    target = find_target(config.budget.target)
    if target.kind != "microcontroller":
        raise ConfigError(
            f"budget.target: {target.title} has no firmware; 'spikenas targets GENOTYPE' says what it holds"
        )
    left = {"flash": target.flash_left, "ram": target.ram_left}
    given = config.budget.model_dump()
    limits = {key: min(limit for limit in (given[key], value) if limit is not None) for key, value in left.items()}
    return config.model_copy(
        update={
            "budget": config.budget.model_copy(update=limits),
            "network": config.network.model_copy(update={"core": target.core}),
        }
    )
