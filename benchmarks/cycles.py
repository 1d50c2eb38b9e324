"""Count the clock cycles that the firmware's instructions take, by the published timings of a core.

    python benchmarks/cycles.py --core cortex-m4

QEMU says which blocks of code one inference runs, and how often. Cycles are those of Arm's technical reference manuals
(Cortex-M0+: table 3-1; M3: table 18-1; M4: table 3-1), with memory that keeps up. Other cores' are not published. The
table says, for a few networks, instructions, cycles, and bytes of weights, which come from flash that may not keep up.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import common  # noqa: F401  which finds the networks of the tests
import numpy as np

from programs import frames_for, integers_of
from spikenas._util.process import run_tool
from spikenas.config import NetworkConfig
from spikenas.deployment.c.firmware_folder import SOURCES, write_folder
from spikenas.deployment.toolchain import CORES, Core, compile_objects, link
from spikenas.integers import bit_shares_of
from spikenas.memory import Program
from spikenas.memory.instructions import BitShares, counts_of
from spikenas.memory.kernels import unit_of
from spikenas.space import Genotype, InputSpec, make_plan

BYTES = 3 << 20
BRANCH = {"cortex-m0": 2, "cortex-m3": 3, "cortex-m4": 3}  # taken; of the refill of 1 to 3 cycles 2
NETWORKS = (
    ("ilif", 1, 24, 8),
    ("ilif", 1, 48, 8),
    ("ilif", 1, 16, 4),
    ("lif", 4, 24, 8),
    ("relu", 1, 24, 8),
)
CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", choices=list(BRANCH), required=True)
    core = CORES[parser.parse_args().core]
    print("neuron T width bits   instructions     cycles  an instruction  bytes of weights an instruction")
    for neuron, timesteps, width, bits in NETWORKS:
        settings = NetworkConfig(
            core=core.name, neuron=neuron, timesteps=timesteps, channels=width, weight_bits=bits, stem_stride=2
        )
        plan = make_plan(Genotype.parse(f"{CELL} / {CELL}"), settings, InputSpec(2, 32, 32, 3))
        network, frames = integers_of(plan), frames_for(plan, 4)
        shares = bit_shares_of(network, np.stack(list(frames[3:]), axis=1).astype(np.uint8)) if neuron != "relu" else {}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_folder(network, list(frames[3:]), core, folder)
            link(core, folder, compile_objects(core, folder, SOURCES), BYTES, BYTES)
            instructions, cycles = counted(core, folder)
        weights = weight_bytes(network.program, shares) / instructions
        name = f"{neuron:6} {timesteps} {width:5} {bits:4}"
        print(f"{name} {instructions:14,} {cycles:10,} {cycles / instructions:15.2f} {weights:.2f}")


def weight_bytes(program: Program, shares: BitShares) -> float:
    """Return the bytes of weights of convolutions that one inference reads; of spikes those that are added."""
    plan, found = program.plan, 0.0
    for step in program.steps:
        times = plan.network.timesteps if step.phase == "each" else 1
        counts = counts_of(plan, step, shares)
        if step.kernel in ("conv", "conv_pool"):
            found += times * 4 * counts[-1]
        elif step.kernel in ("dense", "dense_pool", "pointwise"):
            unit = 2 * unit_of(plan.by_name[step.layer].bits) * plan.by_name[step.layer].bits // 8
            found += times * unit * counts[-2]
    return found


def counted(core: Core, folder: Path) -> tuple[int, int]:
    """Return the instructions and cycles of one inference, without the test around it."""
    log = folder / "trace"
    run_tool(
        [*core.emulator, "-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config",
         "enable=on,target=native", "-d", "exec,nochain", "-D", str(log), "-kernel", "firmware.elf"], folder, 600
    )  # fmt: skip
    listing = run_tool([f"{core.prefix}objdump", "-d", "--no-show-raw-insn", "firmware.elf"], folder, 60).stdout
    code = {
        int(at, 16): (name, arguments)
        for at, name, arguments in re.findall(r"^ +([0-9a-f]+):\t(\S+)[ \t]*([^\n]*)$", listing, re.MULTILINE)
    }
    places = sorted(code)
    following = dict(pairwise(places))
    test = core.test & 0xFF000000
    begins = [
        int(at, 16) for at in re.findall(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", log.read_text(), re.MULTILINE)
    ]
    pairs = Counter(pairwise(begins))
    instructions = cycles = 0
    for (begin, after), times in pairs.items():
        if begin & 0xFF000000 == test or begin not in code:
            continue
        one, two = block(core.name, begin, after, code, following)
        instructions += times * one
        cycles += times * two
    return instructions, cycles


def block(
    core: str, begin: int, after: int, code: dict[int, tuple[str, str]], following: dict[int, int]
) -> tuple[int, int]:
    """Return the instructions and cycles of a block that begins here, and behind which another begins."""
    at, instructions, cycles, loaded = begin, 0, 0, False
    while True:
        name, arguments = code[at]
        behind = following.get(at, 0)
        instructions += 1
        branches = name.startswith(("b", "cb")) and not name.startswith(("bic", "bfi", "bfc"))
        ends = branches or ("pc" in arguments and name.startswith(("pop", "ldm", "ldr", "mov", "add")))
        taken = ends and after != behind
        each, loaded = timing(core, name, arguments, taken, loaded)
        cycles += each
        if ends or behind == after or behind not in code:
            return instructions, cycles
        at = behind


def timing(core: str, name: str, arguments: str, taken: bool, loaded: bool) -> tuple[int, bool]:
    """Return the cycles of an instruction, and whether the next load can follow it without a gap."""
    refill = BRANCH[core] - 1 if taken else 0
    kind = name.partition(".")[0]
    several = len(_registers(arguments))
    if kind.startswith(("ldm", "stm", "push", "pop", "ldrd", "strd")):
        return 1 + (2 if kind.endswith("d") else several) + refill, False
    if kind.startswith("ldr"):
        return (1 if loaded and core != "cortex-m0" else 2) + refill, True
    if kind.startswith("str"):
        return (2 if core == "cortex-m0" else 1), True
    if kind.startswith(("mla", "mls")) and core == "cortex-m3":
        return 2, False
    if kind.startswith(("smull", "umull", "smlal", "umlal")) and core == "cortex-m3":
        return 4, False
    if kind.startswith(("sdiv", "udiv")):
        return 7, False
    if kind == "bl" and core == "cortex-m0":
        return 3, False
    return 1 + refill, False


_NAMED = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}


def _registers(arguments: str) -> list[int]:
    """Return the numbers of the registers in braces."""
    inside = re.search(r"\{([^}]*)\}", arguments)
    found: list[int] = []
    for part in inside[1].split(",") if inside else []:
        names = [one.strip() for one in part.split("-")]
        ends = [_NAMED[name] if name in _NAMED else int(name[1:]) for name in names]
        found += range(ends[0], ends[-1] + 1)
    return found


if __name__ == "__main__":
    main()
