"""Firmware on cores in RTL: the reference's outputs, in more cycles than instructions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from programs import Case, frames_for, integers_of
from spikenas._util.errors import DeployError
from spikenas.deployment.c.firmware_folder import write_folder
from spikenas.deployment.rtl import build_machine, machine, missing, simulate
from spikenas.deployment.toolchain import CORES

IMAGES = 3
ABSENT = CORES["rv32"].missing() or missing("ibex")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulators")


@pytest.mark.slow
@pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")
def test_ibex_gives_the_outputs_of_the_reference(cache: Path, tmp_path: Path) -> None:
    for neuron in ("ilif", "lif"):
        case = Case("0-1:conv3x3 0-2:skip 1-3:conv1x1 2-3:avgpool3x3", channels=8, neuron=neuron, core="rv32")
        folder = tmp_path / neuron
        write_folder(integers_of(case.plan), list(frames_for(case.plan, IMAGES)), CORES["rv32"], folder)
        found = simulate("ibex", folder, cache)
        assert found["images_equal"] == found["images"] == [IMAGES]
        assert found["equal"] == [1] * IMAGES
        for cycles, instructions in zip(found["instructions_by_16"], found["retired"], strict=True):
            assert instructions < 16 * cycles < 2 * instructions


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"^rocket: no core in RTL; there are ibex, vexriscv$"):
        build_machine("rocket", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DeployError, match=r"^verilator not found; on Debian: apt-get install verilator g"):
        build_machine("ibex", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    core = machine.RtlCore("no_such_package", "ibex.sv", lambda folder: [])
    monkeypatch.setitem(machine.RTL_CORES, "ibex", core)
    with pytest.raises(DeployError, match=r'^the Verilog of ibex is not installed; pip install "spikenas\[rtl\]"$'):
        build_machine("ibex", tmp_path)
