"""Firmware under QEMU: the reference's outputs, and the memory model against the linker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_host import CASES

from programs import Case, frames_for, integers_of, random_case
from spikenas._util.errors import DeployError
from spikenas.deployment import toolchain
from spikenas.deployment.deployment import deploy
from spikenas.deployment.measure import measure
from spikenas.deployment.toolchain import CORES
from spikenas.integers import bit_shares_of
from spikenas.memory import footprint
from spikenas.memory.model import STACK_BYTES
from spikenas.targets import Target


def needs(core: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(CORES[core].missing() is not None, reason=CORES[core].missing() or "")


def check(case: Case, images: int) -> None:
    network = integers_of(case.plan)
    found = measure(network, list(frames_for(case.plan, images)))
    assert found.images_equal == found.images == images
    assert found.linked.ram_bytes == found.predicted.ram_bytes
    assert abs(found.linked.flash_bytes - found.predicted.flash_bytes) <= max(256, found.linked.flash_bytes / 100)
    assert 0 < found.stack_bytes <= STACK_BYTES


def case_for(number: int, neuron: str) -> Case:
    """Another case of a neuron for each core."""
    found = [case for case in CASES if case.neuron == neuron]
    return found[number % len(found)]


@pytest.mark.parametrize(
    ("core", "case"),
    [
        pytest.param(core, case_for(number, neuron), marks=needs(core), id=f"{core} {neuron}")
        for number, core in enumerate(CORES)
        for neuron in ("lif", "ilif", "relu")
    ],
)
def test_every_core(core: str, case: Case) -> None:
    check(replace(case, core=core), 3)


@pytest.mark.parametrize("core", [pytest.param(core, marks=needs(core)) for core in CORES])
def test_more_spikes_around_an_output_than_lanes_of_16_bits_count(core: str) -> None:
    wide = Case("0-1:conv7x7 1-3:conv7x7", channels=64, neuron="ilif", levels=7, timesteps=1, size=8, core=core)
    frames = np.stack(list(frames_for(wide.plan, 3)), axis=1).astype(np.uint8)
    shares = bit_shares_of(integers_of(wide.plan), frames)
    assert max(shares["cell1.op1.ilif"]) * 64 * 49 > 512 * 1.2  # 512 weights of 2^7 too much are 2^16
    check(wide, 3)


@pytest.mark.slow
@pytest.mark.parametrize("core", [pytest.param(core, marks=needs(core)) for core in ("cortex-m4", "rv32")])
@pytest.mark.parametrize("seed", range(30))
def test_random_networks(seed: int, core: str) -> None:
    check(replace(random_case(seed), core=core), 20)


@needs("cortex-m4")
def test_a_byte_too_many_is_refused_by_the_model_and_by_the_linker(tmp_path: Path) -> None:
    network = integers_of(CASES[0].plan)
    inputs = list(frames_for(CASES[0].plan, 3))
    linked = measure(network, inputs).linked
    measure(network, inputs, linked.flash_bytes, linked.ram_bytes)
    with pytest.raises(DeployError, match="will not fit in region `RAM'"):
        measure(network, inputs, linked.flash_bytes, linked.ram_bytes - 1)
    with pytest.raises(DeployError, match="FLASH"):
        measure(network, inputs, linked.flash_bytes - 1, linked.ram_bytes)
    cost = footprint(network.plan)
    device = Target(name="small", title="a small device", source="", flash=cost.flash_bytes, ram=cost.ram_bytes - 1)
    with pytest.raises(DeployError, match=r"does not fit a small device: .* of RAM, 1 B more"):
        deploy(network, inputs, device, tmp_path / "firmware", print)
    assert not (tmp_path / "firmware").exists()


@needs("cortex-m4")
def test_instructions_are_repeatable() -> None:
    network = integers_of(CASES[0].plan)
    inputs = list(frames_for(CASES[0].plan, 3))
    assert measure(network, inputs).instructions == measure(network, inputs).instructions > 0


@needs("cortex-m4")
def test_what_takes_too_long_is_written_and_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "RUN_S", 0.01)
    said: list[str] = []
    values = deploy(integers_of(CASES[0].plan), list(frames_for(CASES[0].plan, 3)), None, tmp_path / "out", said.append)
    assert "has not ended" in said[0]
    assert "linked" not in values
    assert (tmp_path / "out" / "network.c").exists()
