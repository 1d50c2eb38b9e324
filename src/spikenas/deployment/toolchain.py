"""Builds and runs firmware for each kind of core, with its compiler and emulator."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from spikenas._util.errors import DeployError
from spikenas._util.process import run_tool
from spikenas.memory.model import STACK_BYTES

FIRMWARE = resources.files("spikenas.deployment.c") / "firmware"
WARNINGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
_SECTIONS = ("-ffunction-sections", "-fdata-sections")
_TEST = ("-fno-tree-loop-distribute-patterns",)  # no memmove of the test's loops in the device's memory
RUN_S = 600


class EmulationTimeoutError(DeployError):
    """Says that the emulator takes too long, which says nothing about the firmware."""


@dataclass(frozen=True)
class Core:
    """Describes a kind of core, with a compiler, and a machine of QEMU that runs its programs.

    Attributes:
        name: A value of the configuration's `network.core`.
        prefix: Prefix of the names of the compiler's programs.
        flags: Arguments of the compiler.
        libraries: Arguments of the linker, for memcpy and memset.
        package: Debian's packages of compiler and emulator.
        emulator: Program and machine.
        flash: Address that the flash is linked at.
        ram: Address that the RAM is linked at.
        test: Address of what only the test needs, beyond the largest device.
        tick_ns: Nanoseconds of a tick of the machine's SysTick; 0 where it has none.
        long_calls: Arguments of the compiler that let code at `test` call code in flash.
        emulated_flash_bytes: Flash of the machine.
    """

    name: str
    prefix: str
    flags: tuple[str, ...]
    libraries: tuple[str, ...]
    package: str
    emulator: tuple[str, ...]
    flash: int
    ram: int
    test: int
    tick_ns: int = 0
    long_calls: tuple[str, ...] = ()
    emulated_flash_bytes: int = 4 << 20

    def missing(self) -> str | None:
        """Return what has to be installed; None where all is there."""
        tools = [*(f"{self.prefix}{tool}" for tool in ("gcc", "nm", "size")), self.emulator[0]]
        absent = [tool for tool in tools if shutil.which(tool) is None]
        if not absent:
            specs = self.libraries[0].removeprefix("--specs=")
            command = [tools[0], f"-print-file-name={specs}"]
            done = run_tool(command)
            broken = done.returncode != 0  # is seen, and told, when it compiles
            absent = [] if broken or Path(done.stdout.strip()).is_absolute() else [f"{specs} of {tools[0]}"]
        return f"{' and '.join(absent)} not found; on Debian: apt-get install {self.package}" if absent else None


_VECTORS = ("-mfloat-abi=softfp",)  # by default GCC leaves the vector instructions out


def _arm(
    name: str,
    cpu: str,
    machine: str,
    flash: int,
    ram: int,
    test: int,
    tick_ns: int,
    flash_bytes: int = 4 << 20,
    more: tuple[str, ...] = (),
) -> Core:
    return Core(
        name,
        "arm-none-eabi-",
        (f"-mcpu={cpu}", "-mthumb", *more),
        ("--specs=nano.specs",),
        "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
        ("qemu-system-arm", "-M", machine),
        flash,
        ram,
        test,
        tick_ns,
        ("-mlong-calls",),
        flash_bytes,
    )


CORES = {
    core.name: core
    for core in (
        _arm("cortex-m0", "cortex-m0plus", "mps2-an385", 0, 0x20000000, 0x21000000, 40),
        _arm("cortex-m3", "cortex-m3", "mps2-an385", 0, 0x20000000, 0x21000000, 40),
        _arm("cortex-m4", "cortex-m4", "mps2-an386", 0, 0x20000000, 0x21000000, 40),
        _arm("cortex-m7", "cortex-m7", "mps2-an500", 0, 0x20000000, 0x60000000, 40),
        _arm("cortex-m33", "cortex-m33", "mps2-an505", 0x10000000, 0x38000000, 0x80000000, 50),
        _arm("cortex-m55", "cortex-m55", "mps3-an547", 0x10000000, 0x31000000, 0x60000000, 31, 512 << 10, _VECTORS),
        Core(
            "rv32",
            "riscv64-unknown-elf-",
            ("-march=rv32imac", "-misa-spec=2.2", "-mabi=ilp32", "-mcmodel=medany"),
            ("--specs=picolibc.specs",),
            "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc",
            ("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
            0x80000000,
            0x84000000,
            0x86000000,
        ),
    )
}


@dataclass(frozen=True)
class Linked:
    """Holds the sizes of what the linker made.

    Attributes:
        flash_bytes: Code, constants and initial values.
        ram_bytes: Static memory, and what is reserved for the stack.
        sections: Bytes by section.
    """

    flash_bytes: int
    ram_bytes: int
    sections: dict[str, int]


def compile_objects(
    core: Core, folder: Path, sources: Iterable[str], optimise: tuple[str, ...] = WARNINGS
) -> list[Path]:
    """Compile C files of a folder, and return the objects.

    Raises:
        DeployError: The compiler fails; the message has its first error.
    """
    objects = []
    for source in sources:
        target = folder / f"{source}.o"
        far = (*core.long_calls, *_TEST) if source in ("main", "port_device", "startup") else ()
        define = f"-DPORT_TICK_NS={core.tick_ns}"
        _run([f"{core.prefix}gcc", *core.flags, *core.libraries, *optimise, *_SECTIONS, *far, define, "-c",
              f"{source}.c", "-o", target.name], folder, f"{source}.c does not compile")  # fmt: skip
        objects.append(target)
    return objects


def link(
    core: Core,
    folder: Path,
    objects: Iterable[Path],
    flash_bytes: int,
    ram_bytes: int,
    keep: Iterable[str] = ("snn_run",),
) -> Linked:
    """Link objects into `firmware.elf` at the size of a device.

    Args:
        core: The core to link for.
        folder: The folder of the objects.
        objects: Their files.
        flash_bytes: Flash of the device.
        ram_bytes: RAM of the device.
        keep: Functions that stay though the test does not call them.
    Raises:
        DeployError: It does not fit, by the linker, or the linker fails.
    """
    places = {
        "DEVICE_FLASH": hex(core.flash),
        "DEVICE_FLASH_BYTES": flash_bytes,
        "DEVICE_RAM": hex(core.ram),
        "DEVICE_RAM_BYTES": ram_bytes,
        "DEVICE_TEST": hex(core.test),
        "DEVICE_STACK_BYTES": STACK_BYTES,
    }
    script = (FIRMWARE / "device.ld").read_text(encoding="utf-8")
    for name, value in sorted(places.items(), reverse=True):
        script = script.replace(name, str(value))
    (folder / "memory.ld").write_text(script, encoding="utf-8")
    kept = "".join(f",--undefined={name}" for name in keep)
    flags = ("-nostartfiles", f"-Wl,--gc-sections{kept}", "-T", "memory.ld", "-o", "firmware.elf")
    names = [path.name for path in objects]
    _run([f"{core.prefix}gcc", *core.flags, *core.libraries, *flags, *names], folder, "linking fails")
    sections = section_sizes(core, folder / "firmware.elf")
    data = sections.get(".data", 0)
    return Linked(
        sections.get(".text", 0) + sections.get(".rodata", 0) + data,
        data + sections.get(".bss", 0) + sections.get(".stack", 0),
        sections,
    )


def emulate(core: Core, folder: Path) -> dict[str, list[int]]:
    """Run `firmware.elf` of a folder under QEMU, and return the numbers that it prints, by name.

    Raises:
        EmulationTimeoutError: It has not ended after ten minutes.
        DeployError: It faults.
    """
    command = [
        *core.emulator, "-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config",
        "enable=on,target=native", "-icount", "shift=0", "-kernel", "firmware.elf",
    ]  # fmt: skip
    try:
        done = run_tool(command, folder, RUN_S)
    except subprocess.TimeoutExpired:
        raise EmulationTimeoutError(f"the firmware has not ended after {RUN_S} s under QEMU") from None
    found = numbers_printed(done.stdout + done.stderr)
    if "images_equal" not in found:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DeployError(
            f"{folder}: the firmware stopped with status {done.returncode} under QEMU: {' '.join(said[-2:])}"
        )
    return found


def numbers_printed(text: str) -> dict[str, list[int]]:
    """Return the numbers in the text of a firmware that ran, by name, in the order in which they were printed."""
    found: dict[str, list[int]] = {}
    for name, value in re.findall(r"^(\w+) ([0-9a-f]{8})$", text, re.MULTILINE):
        found.setdefault(name, []).append(int(value, 16))
    return found


def symbol_sizes(core: Core, file: Path) -> dict[str, int]:
    """Return the bytes of each function and table of a program, without those of the test.

    Raises:
        DeployError: The program cannot be read.
    """
    text = _run([f"{core.prefix}nm", "--print-size", file.name], file.parent, f"{file} cannot be read")
    found = re.findall(r"^(\w+) (\w+) \w (\S+)$", text, re.MULTILINE)
    return {name: int(size, 16) for address, size, name in found if int(address, 16) < core.test}


def section_sizes(core: Core, file: Path) -> dict[str, int]:
    """Return the bytes of each section of an object or program.

    Raises:
        DeployError: The file cannot be read.
    """
    text = _run([f"{core.prefix}size", "-A", file.name], file.parent, f"{file} cannot be read")
    return {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", text, re.MULTILINE)}


def _run(command: list[str], folder: Path, failed: str) -> str:
    try:
        done = run_tool(command, folder)
    except FileNotFoundError:
        raise DeployError(f"{command[0]} not found") from None
    if done.returncode:
        said = done.stderr.splitlines() or ["no message"]
        telling = [line for line in said if any(word in line for word in ("error", "overflow", "will not fit"))]
        raise DeployError(f"{failed}: {(telling or said)[0].rpartition('ld: ')[2].strip()}")
    return done.stdout
