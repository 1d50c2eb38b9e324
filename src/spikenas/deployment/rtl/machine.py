"""Builds the Verilog of a core into a program that simulates it, and runs firmware on it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module, resources
from pathlib import Path

from spikenas._util.errors import DeployError
from spikenas._util.process import run_tool
from spikenas.deployment.c.firmware_folder import SOURCES
from spikenas.deployment.toolchain import (
    CORES,
    RUN_S,
    EmulationTimeoutError,
    compile_objects,
    link,
    numbers_printed,
)

BENCH = resources.files("spikenas.deployment.rtl")
LINKED = replace(CORES["rv32"], flash=0x10000080, ram=0x20000000, test=0x40000000)  # as in testbench.cpp
MEMORY_BYTES = 3 << 20
_BUILD = (
    *("verilator", "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"),
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", "machine", "--Mdir", ".", "-o", "machine"),
    *("-MAKEFLAGS", "OPT_FAST=-O2"),
)


@dataclass(frozen=True)
class RtlCore:
    """Describes a core whose Verilog is in a package of Python.

    Attributes:
        package: The package, whose `data_location` is the folder of the Verilog.
        wrapper: The file here that connects the core to memory.
        sources: Arguments of Verilator for the core's files, from their folder.
    """

    package: str
    wrapper: str
    sources: Callable[[Path], list[str]]


def _ibex(folder: Path) -> list[str]:
    shared = folder / "vendor" / "lowrisc_ip"
    prim = shared / "ip" / "prim" / "rtl"
    packages = [prim / f"prim_{name}_pkg.sv" for name in ("ram_1p", "secded", "util", "mubi", "cipher", "count")]
    found = [folder / "rtl", prim, shared / "dv" / "sv" / "dv_utils"]
    return ["-DSYNTHESIS", *(f"+incdir+{one}" for one in found), *map(str, packages), str(folder / "rtl/ibex_pkg.sv")]


RTL_CORES = {
    "ibex": RtlCore("pythondata_cpu_ibex", "ibex.sv", _ibex),
    "vexriscv": RtlCore("pythondata_cpu_vexriscv", "vexriscv.sv", lambda folder: [str(folder / "VexRiscv_IMAC.v")]),
}


def missing(core_name: str) -> str | None:
    """Return what has to be installed to simulate a core of `RTL_CORES`; None where all is there."""
    if shutil.which("verilator") is None:
        return "verilator not found; on Debian: apt-get install verilator g++ make"
    try:
        import_module(RTL_CORES[core_name].package)
    except ImportError:
        return f'the Verilog of {core_name} is not installed; pip install "spikenas[rtl]"'
    return None


def simulate(core_name: str, folder: Path, cache: Path) -> dict[str, list[int]]:
    """Run the firmware of a folder on a core in RTL, and return the numbers that it prints, by name.

    Numbers that have the name `instructions_by_16` under QEMU are cycles here, divided by 16; `retired` are the
    instructions of the same calls. The folder is only read, and its port file is exchanged for one of this package.

    Args:
        core_name: A name of `RTL_CORES`.
        folder: What `write_folder` wrote.
        cache: The folder in which the simulators are built, once each.
    Raises:
        EmulationTimeoutError: It has not ended after ten minutes.
        DeployError: Something is not installed, or does not compile, or the firmware faults.
    """
    with tempfile.TemporaryDirectory() as name:
        return run_program(core_name, link_program(folder, Path(name)), cache)


def link_program(folder: Path, target: Path) -> Path:
    """Compile and link the firmware of a folder for every core in RTL, and return the program.

    Args:
        folder: What `write_folder` wrote.
        target: The folder in which it is built.
    Raises:
        DeployError: It does not compile.
    """
    if reason := LINKED.missing():
        raise DeployError(reason)
    for path in folder.iterdir():
        if path.suffix in (".c", ".h"):
            shutil.copy(path, target)
    (target / "port_device.c").write_text((BENCH / "port_rtl.c").read_text(encoding="utf-8"), encoding="utf-8")
    link(LINKED, target, compile_objects(LINKED, target, SOURCES), MEMORY_BYTES, MEMORY_BYTES)
    return target / "firmware.elf"


def run_program(core_name: str, program: Path, cache: Path) -> dict[str, list[int]]:
    """Run a program of `link_program` on a core, and return the numbers that it prints, by name.

    Args:
        core_name: A name of `RTL_CORES`.
        program: The ELF file.
        cache: The folder in which the simulators are built, once each.
    Raises:
        EmulationTimeoutError: It has not ended after ten minutes.
        DeployError: Something is not installed, or the firmware faults.
    """
    machine = build_machine(core_name, cache)
    try:
        done = run_tool([str(machine), str(program.resolve())], timeout_s=RUN_S)
    except subprocess.TimeoutExpired:
        raise EmulationTimeoutError(f"the firmware has not ended after {RUN_S} s on {core_name} in RTL") from None
    found = numbers_printed(done.stdout)
    if "images_equal" not in found:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DeployError(
            f"{program}: the firmware stopped with status {done.returncode} on {core_name}: {' '.join(said[-2:])}"
        )
    return found


def build_machine(core_name: str, cache: Path) -> Path:
    """Build the simulator of a core if the cache does not have it, and return its program.

    Args:
        core_name: A name of `RTL_CORES`.
        cache: A folder, made if it is not there; simulators of other versions stay in it.
    Raises:
        DeployError: Verilator, the compiler or the core's package is missing or fails.
    """
    if core_name not in RTL_CORES:
        raise DeployError(f"{core_name}: no core in RTL; there are {', '.join(RTL_CORES)}")
    if reason := missing(core_name):
        raise DeployError(reason)
    core = RTL_CORES[core_name]
    package = import_module(core.package)
    files = {name: (BENCH / name).read_text(encoding="utf-8") for name in ("testbench.cpp", core.wrapper)}
    version = hashlib.sha256(f"{package.data_git_hash}{_BUILD}{files}".encode()).hexdigest()[:12]
    built = cache.resolve() / f"{core_name}-{version}"
    if not (built / "machine").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{core_name}-") as name:
            partial = Path(name) / "built"
            partial.mkdir()
            for file, text in files.items():
                (partial / file).write_text(text, encoding="utf-8")
            command = [*_BUILD, *core.sources(Path(package.data_location)), core.wrapper, "testbench.cpp"]
            done = run_tool(command, partial)
            if done.returncode:
                said = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line] or ["no message"]
                raise DeployError(f"the simulator of {core_name} cannot be built: {said[0]}")
            if not built.exists():
                partial.rename(built)
    return built / "machine"
