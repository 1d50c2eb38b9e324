"""Measures firmware: builds it at the size of a device and runs it under QEMU, beside what the memory model says."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from spikenas._util.errors import DeployError
from spikenas.deployment.c.firmware_folder import SOURCES, write_folder
from spikenas.deployment.toolchain import CORES, Linked, compile_objects, emulate, link, symbol_sizes
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.memory.model import STACK_BYTES, Footprint, footprint

GENERIC_BYTES = 3 << 20  # flash and RAM where no device is named


@dataclass(frozen=True)
class Measurement:
    """Holds what a device does with a network.

    Attributes:
        predicted: The memory model's figures.
        linked: The linker's figures.
        symbols: Bytes of each function and table of the firmware.
        images: Inputs that were run.
        images_equal: Those whose scores are all the reference's.
        stack_bytes: The most of the stack that was in use.
        instructions: Instructions of one inference, on average over the inputs.
        classes: The class that the firmware says of each input.
    """

    predicted: Footprint
    linked: Linked
    symbols: dict[str, int]
    images: int
    images_equal: int
    stack_bytes: int
    instructions: int
    classes: tuple[int, ...]


def measure(
    network: IntegerNetwork,
    inputs: Sequence[Integers],
    flash_bytes: int = GENERIC_BYTES,
    ram_bytes: int = GENERIC_BYTES,
) -> Measurement:
    """Build for the network's core at the size of a device, run the inputs and compare.

    Raises:
        DeployError: Tools are missing, it does not fit, or it fails.
    """
    with tempfile.TemporaryDirectory() as name:
        write_folder(network, inputs, CORES[network.plan.network.core], Path(name))
        return build_and_run(network, Path(name), flash_bytes, ram_bytes)


def build_and_run(network: IntegerNetwork, folder: Path, flash_bytes: int, ram_bytes: int) -> Measurement:
    """Measure a firmware folder that is written; objects and program stay in it.

    Raises:
        DeployError: Tools are missing, it does not fit, or it fails.
    """
    core = CORES[network.plan.network.core]
    objects = compile_objects(core, folder, SOURCES)
    linked = link(core, folder, objects, min(flash_bytes, core.emulated_flash_bytes), ram_bytes)
    symbols = symbol_sizes(core, folder / "firmware.elf")
    said = emulate(core, folder)
    found = Measurement(
        footprint(network.plan),
        linked,
        symbols,
        said["images"][0],
        said["images_equal"][0],
        said["stack_bytes"][0],
        round(16 * fmean(said["instructions_by_16"])),
        tuple(said["class"]),
    )
    if found.stack_bytes > STACK_BYTES:
        raise DeployError(
            f"the firmware takes {found.stack_bytes} bytes of stack, more than the {STACK_BYTES} reserved"
        )
    return found
