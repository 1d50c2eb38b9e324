"""Firmware as it is: built at the size of a device, run under QEMU, beside what the memory model said."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from spikenas.deploy.folder import SOURCES, write_folder
from spikenas.deploy.toolchain import CORES, Linked, compile_objects, emulate, link, symbol_sizes
from spikenas.memory.model import Footprint, footprint
from spikenas.quantise.integers import IntegerNetwork, Integers


@dataclass(frozen=True)
class Measurement:
    """What a device does with a network.

    Attributes:
        predicted: The memory model's figures.
        linked: The linker's.
        symbols: Bytes of each function and table of the firmware.
        images: Inputs that were run.
        images_equal: Those whose scores are all the reference's.
        stack_bytes: The most that was in use.
        instructions: Of one inference, on average over the inputs.
    """

    predicted: Footprint
    linked: Linked
    symbols: dict[str, int]
    images: int
    images_equal: int
    stack_bytes: int
    instructions: int


def measure(
    network: IntegerNetwork,
    inputs: Sequence[Integers],
    flash_bytes: int = 3 << 20,
    ram_bytes: int = 3 << 20,
) -> Measurement:
    """Build for `network.core` at the size of a device, run the inputs and compare.

    Raises:
        DeployError: tools are missing, it does not fit, or it fails.
    """
    core = CORES[network.plan.network.core]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(network, inputs, core, folder)
        objects = compile_objects(core, folder, SOURCES)
        linked = link(core, folder, objects, flash_bytes, ram_bytes)
        symbols = symbol_sizes(core, folder / "firmware.elf")
        said = emulate(core, folder)
    return Measurement(
        footprint(network.plan),
        linked,
        symbols,
        said["images"][0],
        said["images_equal"][0],
        said["stack_bytes"][0],
        round(16 * fmean(said["instructions_by_16"])),
    )
