"""Checks, builds, runs and writes firmware for a device."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DeployError
from spikenas._util.files import write_text
from spikenas._util.progress import Advance, show_nothing
from spikenas._util.proportions import wilson
from spikenas._util.run_files import FOOTPRINT
from spikenas._util.units import format_size
from spikenas.config import SPEED_LIMITS, BudgetConfig
from spikenas.data import Split
from spikenas.deployment.c.firmware_folder import replace_folder, require_replaceable, write_folder, write_readme
from spikenas.deployment.measure import GENERIC_BYTES, Measurement, build_and_run, measure
from spikenas.deployment.toolchain import CORES, EmulationTimeoutError
from spikenas.integers.integer_evaluation import as_bytes, bit_shares_of
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.integers.operations import operations_of
from spikenas.memory import FIGURES, footprint, make_program, speed
from spikenas.memory.fitting import device_of
from spikenas.memory.instructions import predict_instructions
from spikenas.space.building import make_plan
from spikenas.targets import Target

_VECTOR_BYTES = 6 << 20  # of test vectors, in the memory beyond the device's
_VERIFIED_TOGETHER = 50  # items in one program, between which progress is shown


@dataclass(frozen=True)
class Verified:
    """Holds labelled items that a firmware is to classify.

    Attributes:
        split: Where they are from, evenly spread.
        count: How many.
        progress: Shows how many are done, and as the last step what follows.
    """

    split: Split
    count: int
    progress: Advance = show_nothing


def deploy(
    network: IntegerNetwork,
    inputs: Sequence[Integers],
    target: Target | None,
    folder: Path,
    warn: Callable[[str], None],
    notes: Mapping[str, Any] | None = None,
    device: BudgetConfig | None = None,
    verified: Verified | None = None,
) -> dict[str, Any]:
    """Write the firmware folder of a network, and return what the footprint.json in it holds.

    It is built at the size of the device and run under QEMU first; where the tools for that are missing, `warn` is told
    what to install, and the C is written all the same.

    Args:
        network: The integers.
        inputs: Test vectors, each [1 or T, C, H, W] of 0 to 255.
        target: The device; None is a core of `network.core` with a lot of memory.
        folder: The folder that the files go to, once everything has succeeded.
        warn: A function that takes a line.
        notes: What footprint.json says besides, or in the place of what it would say.
        device: Limits of an inference, and the clock, cycles and power of the device; None is as the target says.
        verified: Labelled items that the firmware is to classify too; None is none.
    Raises:
        DeployError: It does not fit, does not compile, or computes something else than the reference.
    """
    require_replaceable(folder)
    network = for_target(network, target) if target else network
    device = device or (device_of(target) if target else BudgetConfig())
    inputs = inputs[: max(1, _VECTOR_BYTES // inputs[0].size)]
    predicted = footprint(network.plan)
    flash_bytes = (target and target.flash_left) or GENERIC_BYTES
    ram_bytes = (target and target.ram_left) or GENERIC_BYTES
    if target:
        _check(target, predicted.flash_bytes, predicted.ram_bytes)
    core = CORES[network.plan.network.core]
    measured: Measurement | None = None
    buildable = target is None or target.emulated
    with tempfile.TemporaryDirectory() as name:
        built = Path(name)
        write_folder(network, inputs, core if buildable else None, built)
        if target and not buildable:
            warn(f"{target.title}: no compiler and emulator for it here; the firmware is written, not built")
        elif missing := core.missing():
            warn(f"{missing}; the firmware is written, not built")
        else:
            try:
                measured = build_and_run(network, built, flash_bytes, ram_bytes)
            except EmulationTimeoutError as error:
                warn(f"{error}; it is written and links, but is not measured; quantise.vectors says how many images")
            if measured:
                _require_equal(measured.images_equal, measured.images)
        found = _verify(network, verified, flash_bytes, ram_bytes) if measured and verified else {}
        values = {
            "target": target.name if target else None,
            "core": core.name,
            "limits": {
                "flash_bytes": target and target.flash_left,
                "ram_bytes": target and target.ram_left,
                **{FIGURES[name].key: getattr(device, name) for name in SPEED_LIMITS},
            },
            "predicted": {
                "flash_bytes": predicted.flash_bytes,
                "ram_bytes": predicted.ram_bytes,
                "instructions": _instructions(network, inputs) if buildable else None,
            },
            "operations": asdict(operations_of(network, _frames(inputs))),
            **(_values(measured, device) if measured else {}),
            **found,
            **(notes or {}),
        }
        write_text(built / FOOTPRINT, json.dumps(values, indent=2) + "\n")
        write_readme(network, built, values)
        replace_folder(built, folder)
    return values


def _require_equal(equal: int, images: int) -> None:
    if equal != images:
        raise DeployError(
            f"the firmware gives other outputs than the integer reference for {images - equal} of {images} inputs"
        )


def _verify(network: IntegerNetwork, items: Verified, flash_bytes: int, ram_bytes: int) -> dict[str, Any]:
    """Run labelled items through the firmware, some at a time, and return how many it has right."""
    count = items.count
    at_a_time = max(1, min(_VERIFIED_TOGETHER, _VECTOR_BYTES // prod(_shape(network))))
    right = equal = done = 0
    items.progress(0, 1 + count, "verified")
    for numbers in np.array_split(spread(len(items.split), count), -(-count // at_a_time)):
        found = measure(network, _fetched(network, items.split, numbers)[0], flash_bytes, ram_bytes)
        equal += found.images_equal
        right += int(np.sum(np.asarray(found.classes) == items.split.labels[numbers]))
        done += len(numbers)
        items.progress(done, 1 + count, "verified")
    _require_equal(equal, count)
    return {"verified": {"images": count, "accuracy": right / count, "interval": list(wilson(right / count, count))}}


def _instructions(network: IntegerNetwork, inputs: Sequence[Integers]) -> int | None:
    """Predict the instructions of an inference, as often as the neurons send on these inputs."""
    spiking = network.plan.network.is_spiking
    shares = bit_shares_of(network, _frames(inputs)) if spiking else {}
    found = predict_instructions(network.program, shares)
    return None if found is None else round(found)


def _frames(inputs: Sequence[Integers]) -> NDArray[np.uint8]:
    return np.stack(inputs, axis=1).astype(np.uint8)


def _values(measured: Measurement, device: BudgetConfig) -> dict[str, Any]:
    return {
        **speed(measured.instructions, device),
        "linked": {"flash_bytes": measured.linked.flash_bytes, "ram_bytes": measured.linked.ram_bytes},
        "outputs_equal": True,
        "images": measured.images,
        "stack_bytes": measured.stack_bytes,
        "symbols": dict(sorted(measured.symbols.items(), key=lambda item: -item[1])),
    }


def test_vectors(network: IntegerNetwork, split: Split, count: int) -> tuple[list[Integers], NDArray[np.uint8]]:
    """Take items of a split, evenly spread, as test vectors for the firmware.

    Returns:
        One array [1 or T, C, H, W] of 0 to 255 for each item, and all of them as bytes [1 or T, N, C, H, W].
    """
    return _fetched(network, split, spread(len(split), count))


def _fetched(
    network: IntegerNetwork, split: Split, numbers: NDArray[np.int64]
) -> tuple[list[Integers], NDArray[np.uint8]]:
    frames = as_bytes(split.fetch(numbers), network.input_scale)
    return [frames[:, number].astype(np.int64) for number in range(frames.shape[1])], frames


def spread(items: int, count: int) -> NDArray[np.int64]:
    """Return the numbers of so many items, evenly spread over all."""
    return np.linspace(0, items - 1, count).astype(np.int64)


def random_vectors(network: IntegerNetwork, count: int) -> list[Integers]:
    """Draw test vectors, each [1 or T, C, H, W] of 0 to 255, where no items are at hand."""
    return list(np.random.default_rng(0).integers(0, 256, (count, *_shape(network))))


def _shape(network: IntegerNetwork) -> tuple[int, int, int, int]:
    """Shape of a test vector, (1 or T, C, H, W)."""
    spec = network.plan.input
    return 1 if spec.static else network.plan.network.timesteps, spec.channels, spec.height, spec.width


def for_core(network: IntegerNetwork, core: str) -> IntegerNetwork:
    """Return the same network, planned for another core."""
    plan = network.plan
    settings = plan.network.but({"core": core})
    return replace(network, program=make_program(make_plan(plan.genotype, settings, plan.input)))


def for_target(network: IntegerNetwork, target: Target) -> IntegerNetwork:
    """Return the same network, planned for the core of a device.

    Raises:
        DeployError: The device runs no firmware.
    """
    if target.kind != "microcontroller":
        raise DeployError(f"{target.title} runs no firmware; 'spikenas targets GENOTYPE' says what it holds")
    return for_core(network, target.core)


def _check(target: Target, flash_bytes: int, ram_bytes: int) -> None:
    for what, needed, left in (("flash", flash_bytes, target.flash_left), ("RAM", ram_bytes, target.ram_left)):
        if left is not None and needed > left:
            raise DeployError(
                f"the network does not fit {target.title}: it takes {format_size(needed)} of {what}, "
                f"{format_size(needed - left)} more than the {format_size(left)} that are left to it"
            )
