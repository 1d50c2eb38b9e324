"""Measure the cycles of firmware on RISC-V cores in RTL, beside those that are predicted.

    python benchmarks/rv32_cycles.py --out cycles.jsonl --cache simulators

Random networks run under QEMU, on Ibex and on VexRiscv; every output has to be the reference's. Cycles are predicted as
the instructions that the memory model expects of these inputs, times a factor for spiking networks and one for those of
ReLUs, that of three fourths of the networks; printed are the errors of the others. `--out` keeps what was measured, and
networks that are there are not run again. Needs Verilator and `spikenas[rtl]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import common  # noqa: F401  which finds the networks of the tests
import numpy as np
from instruction_costs import emulated, random_plan

from programs import frames_for, integers_of
from spikenas._util.errors import RunError
from spikenas.deployment.c.firmware_folder import write_folder
from spikenas.deployment.rtl import RTL_CORES, link_program, run_program
from spikenas.deployment.toolchain import CORES
from spikenas.integers import bit_shares_of
from spikenas.memory.instructions import predict_instructions

RV32 = CORES["rv32"]
MOST = 3_000_000  # instructions of an inference; the simulators do about a million cycles a second
IMAGES = 1
PARTS = 4
NEAR = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=44)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder in which the simulators are built, once each")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    while len(rows) < args.networks:
        row = measured(1 + (rows[-1]["seed"] if rows else -1), args.cache)
        rows.append(row)
        print(row, flush=True)
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
    for core in RTL_CORES:
        errors = []
        for spiking in (True, False):
            some = [row for row in rows if random_plan(row["seed"], RV32.name).network.is_spiking == spiking]
            each = [row[core] / row["emulated"] for row in some]
            kind = "spiking" if spiking else "relu"
            print(f"{core} {kind}: {min(each):.2f} to {max(each):.2f} cycles an instruction, mean {fmean(each):.3f}")
            for part in range(PARTS):
                factor = fmean(one for number, one in enumerate(each) if number % PARTS != part)
                errors += [abs(factor * row["predicted"] / row[core] - 1) for row in some[part::PARTS]]
        near = sum(error <= NEAR for error in errors)
        print(
            f"{core} error of the prediction {fmean(errors):.1%}, at most {max(errors):.1%}; within {NEAR:.0%}: {near}"
        )


def measured(first_seed: int, cache: Path) -> dict[str, Any]:
    """Return what an inference of the next network takes that is not too large."""
    with tempfile.TemporaryDirectory() as name:
        folder, build = Path(name, "firmware"), Path(name, "build")
        build.mkdir()
        for seed in count(first_seed):
            plan = random_plan(seed, RV32.name, channels=(4, 6, 8, 12, 16, 24), sides=(8, 10, 12))
            try:
                network = integers_of(plan)
            except RunError:  # too wide for its levels and bits
                continue
            frames = list(frames_for(network.plan, 3 + IMAGES)[3:])
            write_folder(network, frames, RV32, folder)
            emulation = emulated(RV32, folder)
            if 16 * max(emulation["instructions_by_16"]) <= MOST:
                break
        program = link_program(folder, build)
        whole = {core: run_program(core, program, cache) for core in RTL_CORES}
    for said in (emulation, *whole.values()):
        assert said["images_equal"] == said["images"] == [IMAGES], seed
    shares = bit_shares_of(network, np.stack(frames, axis=1).astype(np.uint8)) if plan.network.is_spiking else {}
    return {
        "seed": seed,
        "emulated": 16 * fmean(emulation["instructions_by_16"]),
        "predicted": predict_instructions(network.program, shares),
        "retired": fmean(whole["ibex"]["retired"]),
        **{core: 16 * fmean(said["instructions_by_16"]) for core, said in whole.items()},
    }


if __name__ == "__main__":
    main()
