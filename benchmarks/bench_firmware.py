"""Firmware under QEMU: memory and instructions as predicted, RAM beside naive buffers, instructions beside dense ones.

    python benchmarks/bench_firmware.py --networks 30 --images 20 --runs runs/a runs/b \
      --out benchmarks/results/firmware.json --plot docs/firmware.svg --speed-plot docs/instructions.svg

Random networks of all ops, neurons, numbers of cells, widths and bits, and the trained ones of run folders, on all
cores; on most with few images. Instructions are predicted with the rates of these images (`after` a training), and with
those of other trained networks (`before` it). What does not fit an emulated machine is left out there. For the trained
ones also: what buffers of their own for each layer's result and each edge's membranes would take, and the instructions
of the same convolutions as dense int8 layers in plain C (benchmarks/dense), at every timestep, and once, as in an
ordinary CNN.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from common import machine

from programs import frames_for, integers_of, random_case
from spikenas._util.errors import DeployError
from spikenas._util.run_files import QUANTISED
from spikenas.config import Config
from spikenas.deployment.deployment import for_core
from spikenas.deployment.measure import Measurement, measure
from spikenas.deployment.toolchain import CORES, FIRMWARE, compile_objects, emulate, link
from spikenas.integers import IntegerNetwork, as_bytes, bit_shares_of, synops_of
from spikenas.integers.machine import Integers
from spikenas.memory.instructions import predict_instructions
from spikenas.space.plan import Plan
from spikenas.task import Task

CORE_NAMES = ("cortex-m4", "rv32")  # those of the table of memory
OTHERS = tuple(core for core in CORES if core not in CORE_NAMES)
FEW = 4  # images on the other cores
DENSE = Path(__file__).parent / "dense"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--runs", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--speed-plot", type=Path)
    args = parser.parse_args()
    rows = []
    for core in (*CORE_NAMES, *OTHERS):
        for seed in range(args.networks):
            case = replace(random_case(seed), core=core)
            inputs = list(frames_for(case.plan, args.images if core in CORE_NAMES else FEW))
            rows += rows_of(f"random {seed}", integers_of(case.plan), inputs)
    trained = []
    for folder in args.runs:
        network = IntegerNetwork.load(folder / QUANTISED)
        split = Task.of(Config.load(folder / "config.toml")).validation
        frames = as_bytes(split.fetch(range(args.images)), network.input_scale).astype(np.int64)
        inputs = [frames[:, number] for number in range(args.images)]
        for core in (*CORE_NAMES, *OTHERS):
            some = inputs if core in CORE_NAMES else inputs[:FEW]
            rows += rows_of(folder.name, for_core(network, core), some)
        synops = synops_of(network, frames.astype(np.uint8))
        found = measure(for_core(network, CORE_NAMES[0]), inputs)
        trained.append({"network": folder.name, "synops": synops, **compared(network.plan, found)})
    result = {"memory": rows, "trained": trained, "machine": machine()}
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.plot:
        draw(rows, args.plot)
    if args.speed_plot:
        draw_speed(rows, args.speed_plot)
    for core in (*CORE_NAMES, *OTHERS):
        for name in ("after", "before"):
            chosen = [
                row for row in rows if row["core"] == core and (name == "after" or "random" not in row["network"])
            ]
            errors = [abs(row[name] / row["instructions"] - 1) for row in chosen]
            if errors:
                print(
                    f"{core:12} {name:7} {len(errors):3} networks, error {fmean(errors):.1%}, at most {max(errors):.1%}"
                )


def rows_of(name: str, network: IntegerNetwork, inputs: list[Integers]) -> list[dict[str, Any]]:
    plan = network.plan
    try:
        found = measure(network, inputs)
    except DeployError as error:
        print(name, plan.network.core, "left out:", error, flush=True)
        return []
    frames = np.stack(inputs, axis=1).astype(np.uint8)
    shares = bit_shares_of(network, frames) if plan.network.is_spiking else {}
    row = {
        "network": name,
        "core": plan.network.core,
        **figures(found),
        "after": predict_instructions(network.program, shares),
        "before": found.predicted.instructions,
    }
    print(row, flush=True)
    return [row]


def draw_speed(rows: list[dict[str, Any]], path: Path) -> None:
    figure, axis = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    for core, marker in zip((*CORE_NAMES, *OTHERS), "ox^vsD*", strict=True):
        chosen = [row for row in rows if row["core"] == core]
        both = ([row[name] / 1e6 for row in chosen] for name in ("after", "instructions"))
        axis.loglog(*both, marker, label=core, alpha=0.6, markersize=5)
    ends = [*axis.get_xlim(), *axis.get_ylim()]
    axis.plot([min(ends), max(ends)], [min(ends), max(ends)], "k-", linewidth=0.7)
    axis.set_xlabel("million instructions an inference, predicted")
    axis.set_ylabel("counted")
    axis.legend()
    figure.savefig(path)


def figures(found: Measurement) -> dict[str, object]:
    return {
        "neuron": neuron_of(found.predicted.program.plan),
        "images": found.images,
        "images_equal": found.images_equal,
        "flash_predicted": found.predicted.flash_bytes,
        "flash_linked": found.linked.flash_bytes,
        "ram_predicted": found.predicted.ram_bytes,
        "ram_linked": found.linked.ram_bytes,
        "stack_used": found.stack_bytes,
        "instructions": found.instructions,
    }


def neuron_of(plan: Plan) -> str:
    levels = f", D = {plan.levels}" if plan.network.neuron == "ilif" else ""
    return f"{plan.network.neuron}{levels}, T = {plan.network.timesteps}"


def compared(plan: Plan, found: Measurement) -> dict[str, object]:
    dense = dense_instructions(plan)
    stem, others = dense[0], sum(dense[1:])
    return {
        "neuron": neuron_of(plan),
        "ram": found.predicted.ram_bytes,
        "ram_naive": naive_bytes(plan),
        "instructions": found.instructions,
        "dense_at_every_timestep": stem + plan.network.timesteps * others,
        "dense_once": stem + others,
    }


def naive_bytes(plan: Plan) -> int:
    """Maps of 16 bits and spikes of a byte for each layer's result, membranes of 16 bits for each edge."""
    total = 0
    for layer in plan.layers:
        results = {"input": 1, "neuron": 1, "globalpool": 4, "linear": 4, "vote": 4}.get(layer.kind, 2)
        total += results * layer.size
        if layer.kind == "neuron" and (plan.network.neuron, plan.network.timesteps) not in (("ilif", 1), ("relu", 1)):
            total += 2 * layer.size * plan.edges(layer)
    return total


def dense_instructions(plan: Plan) -> list[int]:
    """Of each convolution of a plan, as a dense int8 layer on a Cortex-M4, once."""
    core = CORES["cortex-m4"]
    convs = [layer for layer in plan.layers if layer.kind == "conv" and layer.groups == 1]
    shapes = [(*one.in_shape[1:], one.in_shape[0], one.shape[0], one.kernel, one.stride) for one in convs]
    largest = max(max(layer.size, np.prod(layer.in_shape)) for layer in convs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in DENSE.iterdir():
            shutil.copy(file, folder)
        for file in ("port.h", "port_device.c", "startup.c"):
            shutil.copy(str(FIRMWARE / file), folder)
        text = ", ".join(f"{{{', '.join(map(str, shape))}}}" for shape in shapes)
        (folder / "layers.h").write_text(
            f"#define LARGEST_MAP {largest}\nstatic const dense_t layers[] = {{{text}}};\n"
        )
        size = max(layer.weights for layer in convs)
        (folder / "weights.c").write_text(f"const signed char weights[{size}] = {{1}};\n")
        objects = compile_objects(core, folder, ("main", "dense", "weights", "startup", "port_device"))
        link(core, folder, objects, 3 << 20, 3 << 20, keep=())
        return [16 * count for count in emulate(core, folder)["instructions_by_16"]]


def draw(rows: list[dict[str, object]], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for axis, name in zip(axes, ("flash", "ram"), strict=True):
        for core, marker in zip(CORE_NAMES, "ox", strict=True):
            chosen = [row for row in rows if row["core"] == core]
            axis.loglog(
                [row[f"{name}_predicted"] for row in chosen],
                [row[f"{name}_linked"] for row in chosen],
                marker,
                label=core,
                alpha=0.7,
            )
        ends = [min(axis.get_xlim()[0], axis.get_ylim()[0]), max(axis.get_xlim()[1], axis.get_ylim()[1])]
        axis.plot(ends, ends, "k-", linewidth=0.7)
        axis.set_xlabel(f"{name.upper() if name == 'ram' else name} predicted, bytes")
        axis.set_ylabel("linked, bytes")
        axis.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
