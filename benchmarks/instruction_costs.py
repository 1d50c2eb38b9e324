"""Measure what each kernel's work takes on each core, and write the table that predicts instructions.

    python benchmarks/instruction_costs.py measure --core cortex-m4 --out costs.jsonl
    python benchmarks/instruction_costs.py fit --out costs.jsonl

`measure` runs random networks of all neurons, ops, widths and bits under QEMU, and appends for each step the counts of
its work (`spikenas.memory.instructions`) and its instructions; networks that are there are not run again. `fit` finds
for each core and C function what each count takes, none less than 0, writes the table, and prints the errors of
networks that were not fitted: each fourth of them by the costs of the others.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import common  # noqa: F401  which finds the networks of the tests
import numpy as np
from scipy.optimize import nnls

import spikenas.memory
from programs import frames_for, integers_of, random_case
from spikenas._util.errors import DeployError
from spikenas.config import NetworkConfig
from spikenas.deployment.c.firmware_folder import SOURCES, write_folder
from spikenas.deployment.toolchain import CORES, Core, compile_objects, emulate, link
from spikenas.integers import IntegerNetwork, bit_shares_of
from spikenas.integers.machine import Integers
from spikenas.memory.instructions import counts_of
from spikenas.memory.kernels import kernel_name
from spikenas.space import InputSpec, Plan, Space, make_plan

TABLE = Path(spikenas.memory.__file__).parent / "instruction_costs.json"
BYTES = 3 << 20
IMAGES = 4
PARTS = 4
LEAST = 400  # instructions of a call that is looked at; the counter goes by 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["measure", "fit"])
    parser.add_argument("--core", choices=list(CORES), help="one core; absent: all")
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    if args.command == "fit":
        fit(rows)
        return
    for core in [args.core] if args.core else CORES:
        known = {row["network"] for row in rows if row["core"] == core}
        for seed in sorted(set(range(args.networks)) - known):
            try:
                rows_of = measured(seed, CORES[core])
            except DeployError as error:
                print(core, seed, "left out:", error, flush=True)
                continue
            for row in rows_of:
                with args.out.open("a") as file:
                    file.write(json.dumps({"core": core, "network": seed, **row}) + "\n")
            print(core, seed, flush=True)


def random_plan(
    seed: int,
    core: str,
    channels: Sequence[int] = (4, 6, 8, 12, 16, 20, 24, 32),
    sides: Sequence[int] = (12, 16, 20, 24),
) -> Plan:
    """Return a network as users have them or, every third, of any width, input and head."""
    if seed % 3 == 2:
        case = replace(random_case(seed), core=core)
        if seed % 9 == 8:
            cells = case.text.split(" / ")
            case = replace(case, text=" / ".join([cells[0], cells[-1]]), kind="snasnet", neuron="lif", timesteps=3)
        return case.plan
    rng = random.Random(seed)
    ops = ["none", "skip", "conv3x3", "conv1x1", "conv5x5", "dwconv3x3", "avgpool3x3", "conv3x3", "conv3x3"]
    cells = rng.choice([1, 2, 2, 3])
    space = Space.of(sorted(set(rng.sample(ops, 5)) | {"skip", "conv3x3"}), cells=cells)
    neuron = rng.choice(["ilif", "ilif", "lif", "relu"])
    settings = NetworkConfig(
        core=core,
        cells=cells,
        channels=rng.choice(channels),
        stem_stride=rng.choice([1, 2]),
        neuron=neuron,
        timesteps={"ilif": rng.choice([1, 1, 1, 2]), "lif": rng.choice([2, 4]), "relu": 1}[neuron],
        weight_bits=rng.choice([2, 4, 4, 8, 8]),
        membrane_bits=rng.choice([8, 16]),
    )
    side = rng.choice(sides)
    genotype = next(one for one in iter(lambda: space.sample(rng), None) if one.connected)
    return make_plan(genotype, settings, InputSpec(2, side, side, 3))


def measured(seed: int, core: Core) -> list[dict[str, Any]]:
    network = integers_of(random_plan(seed, core.name))
    frames = list(frames_for(network.plan, IMAGES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_counting(network, frames, core, folder)
        return rows_of(network, frames, emulated(core, folder))


def rows_of(network: IntegerNetwork, frames: list[Integers], said: dict[str, list[int]]) -> list[dict[str, Any]]:
    """Return for each step its C function, the counts of its work, and what one call takes, on average."""
    plan, shares = network.plan, {}
    if plan.network.is_spiking:
        shares = bit_shares_of(network, np.stack(frames, axis=1).astype(np.uint8))
    steps = sorted(network.program.steps, key=lambda step: ("once", "each", "last").index(step.phase))
    return [
        {
            "function": kernel_name(plan, step),
            "counts": counts_of(plan, step, shares),
            "instructions": max(1.0, fmean(said[f"step{number}"])),  # none at all is less than a tick of the counter
        }
        for number, step in enumerate(steps)
    ]


def write_counting(network: IntegerNetwork, inputs: list[Integers], core: Core, folder: Path) -> None:
    """Write firmware that prints what each call of each step takes, by its place in the order of their calls."""
    write_folder(network, inputs, core, folder)
    text = (folder / "network.c").read_text()
    order = count()

    def counted(call: re.Match[str]) -> str:
        if "_reset" in call[1]:
            return call[0]
        return f'    port_start_counting(); {call[1]} port_number("step{next(order)}", (uint32_t)port_count());'

    calls = r"^    ((?:snn_\w+\(&step\d+|memset\(AT|memcpy\(AT).*;)$"
    text = re.sub(calls, counted, text, flags=re.MULTILINE)
    (folder / "network.c").write_text(text.replace('#include "kernels.h"', '#include "kernels.h"\n#include "port.h"'))


def emulated(core: Core, folder: Path) -> dict[str, list[int]]:
    link(core, folder, compile_objects(core, folder, SOURCES), min(BYTES, core.emulated_flash_bytes), BYTES)
    return emulate(core, folder)


def fit(rows: list[dict[str, Any]]) -> None:
    """Write the costs that fit all rows; what is printed is of those that were not fitted, a fourth at a time."""
    table: dict[str, dict[str, list[float]]] = {}
    for core in dict.fromkeys(row["core"] for row in rows):
        own = [row for row in rows if row["core"] == core]
        whole: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        table[core] = {}
        for function in sorted({row["function"] for row in own}):
            calls = [row for row in own if row["function"] == function]
            calls = [row for row in calls if row["instructions"] >= LEAST] or calls
            table[core][function] = [round(cost, 3) for cost in costs_of(calls)]
            errors = []
            for part in range(PARTS):
                costs = costs_of([row for row in calls if row["network"] % PARTS != part]) or table[core][function]
                for row in (row for row in calls if row["network"] % PARTS == part):
                    predicted = float(np.dot(costs, row["counts"]))
                    errors.append(abs(predicted / row["instructions"] - 1))
                    whole[row["network"]][0] += predicted
                    whole[row["network"]][1] += row["instructions"]
            print(f"{core:12} {function:18} {len(calls):4} calls, error {fmean(errors):.1%}, at most {max(errors):.1%}")
        fitted: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for row in (row for row in own if row["instructions"] >= LEAST):
            fitted[row["network"]][0] += float(np.dot(table[core][row["function"]], row["counts"]))
            fitted[row["network"]][1] += row["instructions"]
        errors = [abs(predicted / counted - 1) for predicted, counted in fitted.values()]
        print(f"{core:12} {len(errors)} whole networks, all fitted: {fmean(errors):.1%}, at most {max(errors):.1%}")
        errors = [abs(predicted / counted - 1) for predicted, counted in whole.values()]
        print(f"{core:12} {len(errors)} whole networks, error {fmean(errors):.1%}, at most {max(errors):.1%}")
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def costs_of(calls: list[dict[str, Any]]) -> list[float]:
    """Find costs whose relative errors have the smallest squares."""
    if not calls:
        return []
    counts = np.array([row["counts"] for row in calls], dtype=float)
    taken = np.array([row["instructions"] for row in calls], dtype=float)
    return [float(cost) for cost in nnls(counts / taken[:, None], np.ones(len(taken)))[0]]


if __name__ == "__main__":
    main()
