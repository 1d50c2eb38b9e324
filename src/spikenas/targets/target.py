"""Define what a device is, and read the file that describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from spikenas._util.errors import ConfigError
from spikenas._util.explain import explain
from spikenas._util.files import read_toml
from spikenas._util.model import CheckedModel
from spikenas._util.units import Count, Hertz, Size, Watts

Core = Literal["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32"]


class CoreMemory(CheckedModel):
    """A core memory holds the limits of one core of a neuromorphic chip; None means that the chip has no such limit.

    Attributes:
        count: Number of cores that are alike.
        neurons: Most neurons of a core.
        synapse_bytes: Bytes of synapses of a core.
        kernel_words: Most words of a convolution's kernel.
        neuron_words: Most words of a layer's neurons.
    """

    count: int = Field(1, ge=1, le=1_000_000, description="cores that are alike")
    neurons: Count | None = None
    synapse_bytes: Size | None = None
    kernel_words: Count | None = None
    neuron_words: Count | None = None


class Target(CheckedModel):
    """A target is a device that a network is built for.

    Attributes:
        name: Name of the device, the stem of its file.
        title: Name of the device for people.
        source: Page of the vendor that the figures are from.
        note: Remark on what else has to be known.
        kind: Kind of the device: `microcontroller`, with flash and RAM; `neuromorphic`, with cores.
        core: Processor core whose code is counted and built.
        architecture: Name of the processor, where it is not `core`.
        emulated: Whether firmware for the device can be run here.
        flash: Bytes of program memory.
        ram: Bytes of the largest block of RAM.
        runtime_flash: Bytes of flash that start-up, drivers and the user's program take.
        runtime_ram: Bytes of RAM that start-up, drivers and the user's program take.
        clock: Hertz of the processor; None where it is not known.
        cycles: Clock cycles that an instruction of the firmware takes on average, with the wait states of its memory;
            None where that is not known.
        power: Watts that the device draws while it computes; None where it is not known.
        speed_source: Documents that clock, cycles and power are from, and what was assumed.
        cores: Limits of the cores of a neuromorphic chip.
    """

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
    clock: Hertz | None = None
    cycles: float | None = Field(None, gt=0, le=1_000)
    power: Watts | None = None
    speed_source: str = ""
    cores: tuple[CoreMemory, ...] = Field((), max_length=1_000)

    @model_validator(mode="after")
    def _complete(self) -> Target:
        if self.kind == "microcontroller" and (self.flash is None or self.ram is None):
            raise ValueError("a microcontroller has flash and ram")
        if self.kind == "neuromorphic" and not self.cores:
            raise ValueError("a neuromorphic chip has cores")
        for name, size, runtime in (("flash", self.flash, self.runtime_flash), ("ram", self.ram, self.runtime_ram)):
            if size is not None and runtime >= size:
                raise ValueError(f"runtime_{name} = {runtime} leaves nothing of {name} = {size}")
        return self

    @property
    def flash_left(self) -> int | None:
        """Bytes of flash for the network and its kernels."""
        return None if self.flash is None else self.flash - self.runtime_flash

    @property
    def ram_left(self) -> int | None:
        """Bytes of RAM for the network and its stack."""
        return None if self.ram is None else self.ram - self.runtime_ram


def read_target(path: Path) -> Target:
    """Read a device from its TOML file, whose stem is the device's name.

    Raises:
        ConfigError: The file cannot be read, or does not describe a device.
    """
    values = read_toml(path)
    try:
        return Target(**{"name": path.stem, **values})
    except ValidationError as error:
        problem = error.errors()[0]
        if not problem["loc"]:
            raise ConfigError(f"{path}: {problem['ctx']['error']}") from None
        explanation = "unknown key" if problem["type"] == "extra_forbidden" else explain(error)
        raise ConfigError(f"{path}: {problem['loc'][0]}: {explanation}") from None
