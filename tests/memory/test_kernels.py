"""The kernels' records: what is said of each kernel elsewhere, and in C, is said of all and of no other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from programs import Case
from spikenas.deployment.c import source
from spikenas.deployment.toolchain import CORES, FIRMWARE, compile_objects
from spikenas.integers import bounds, reference, tensors
from spikenas.memory import make_program
from spikenas.memory.kernels import KERNELS, kernel_name, tables
from spikenas.memory.model import code_sizes

TABLES: dict[str, dict[str, Any]] = {
    "reference": reference.COMPUTES,
    "tensors": tensors.COMPUTES,
    "bounds": bounds.COMPUTES,
    "source": source.FIELDS,
}
OPS = "0-1:dwconv3x3 0-2:conv3x3 0-3:skip 1-3:conv3x3"
CASES = [
    Case("0-1:dwconv3x3 0-3:avgpool3x3 1-3:conv5x5@0.5"),
    Case("0-1:conv3x3 0-3:skip 1-3:skip / 0-3:conv3x3", kind="snasnet"),
    Case("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:skip", static=False),
    *(
        Case(f"{OPS} / {OPS}", neuron=neuron, timesteps=timesteps)
        for neuron, timesteps in (("ilif", 1), ("ilif", 2), ("relu", 1))
    ),
]
PROGRAMS = [make_program(case.plan) for case in CASES]


@pytest.mark.parametrize("table", TABLES)
def test_every_kernel_has_a_row_and_every_row_a_kernel(table: str) -> None:
    assert sorted(TABLES[table]) == sorted(KERNELS)


def test_records_are_named_as_they_are_found() -> None:
    assert [kernel.name for kernel in KERNELS.values()] == list(KERNELS)
    assert all(kernel.shares in ("", *KERNELS) for kernel in KERNELS.values())


def test_every_kernel_is_in_a_program() -> None:
    assert {step.kernel for program in PROGRAMS for step in program.steps} == set(KERNELS)


def test_buffers_hold_what_their_kernels_say() -> None:
    stays = {"feedback": "map"}
    for program in PROGRAMS:
        kinds = {buffer.name: stays.get(buffer.kind, buffer.kind) for buffer in program.buffers}
        for step in program.steps:
            assert kinds[program.buffer_of(step.writes)] == step.record.writes, step
            assert [kinds[program.buffer_of(name)] for name in step.reads] == [step.record.reads] * len(step.reads)
            assert len(step.reads) == (step.record.reads is not None), step
            assert (f"{step.layer}.membrane" in kinds) == step.record.membrane, step
            assert not step.record.membrane or step.fires, step
            assert ("weight" in tables(program.plan, step)) == step.record.weighted, step


def test_functions_and_types_are_in_the_firmware() -> None:
    header = (FIRMWARE / "kernels.h").read_text(encoding="utf-8")
    declared = dict(re.findall(r"^void snn_(\w+)\(const (\w+) \*layer\);$", header, re.MULTILINE))
    used = {kernel.reset: kernel.struct for kernel in KERNELS.values() if kernel.reset}
    for kernel in KERNELS.values():
        names = {kernel.function.format(bits) for bits in (8, 4, 2)} if kernel.function else {kernel.name}
        names |= {f"{name}_planes" for name in names} if kernel.planes else set()
        used |= dict.fromkeys(names, kernel.struct) if kernel.struct else {}
    assert used == declared
    for sizes in code_sizes().values():
        assert used.keys() <= sizes["16"].keys()


def test_a_name_of_a_step_is_a_function() -> None:
    names = {kernel_name(program.plan, step) for program in PROGRAMS for step in program.steps}
    assert {"memset", "memcpy"} < names
    assert all("{" not in name for name in names)


def sizes_checked_in_c(folder: Path) -> None:
    shutil.copy(str(FIRMWARE / "kernels.h"), folder)
    (folder / "membranes.h").write_text("#include <stdint.h>\n#define SNN_MEMBRANE_BITS 16\n", encoding="utf-8")
    lines = [
        f'_Static_assert(sizeof({kernel.struct}) == {kernel.descriptor_bytes}, "{kernel.name}");'
        for kernel in KERNELS.values()
        if kernel.struct
    ]
    (folder / "sizes.c").write_text("\n".join(['#include "kernels.h"', *lines, ""]), encoding="utf-8")


def with_its_tools(core: str) -> Any:
    missing = CORES[core].missing()
    return pytest.param(core, marks=pytest.mark.skipif(missing is not None, reason=missing or ""))


@pytest.mark.parametrize("core", map(with_its_tools, ("cortex-m0", "rv32")))
def test_descriptors_have_the_sizes_of_the_records(core: str, tmp_path: Path) -> None:
    sizes_checked_in_c(tmp_path)
    assert compile_objects(CORES[core], tmp_path, ["sizes"])


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang")
def test_descriptors_have_the_sizes_of_the_records_for_32_bits_by_clang(tmp_path: Path) -> None:
    sizes_checked_in_c(tmp_path)
    command = ["clang", "--target=arm-none-eabi", "-ffreestanding", "-fsyntax-only", "sizes.c"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
