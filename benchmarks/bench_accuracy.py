"""Train networks for the same time each, by the product's own loop, and compare what they know afterwards.

    python benchmarks/bench_accuracy.py --data cifar10 --seconds 60 --out accuracy.jsonl --set train.optimiser=sgd
    python benchmarks/bench_accuracy.py --data FOLDER --seconds 600 --seeds 0,1,2 --neuron relu --out accuracy.jsonl
    python benchmarks/bench_accuracy.py --data cifar10 --seconds 600 --resnet8 --out accuracy.jsonl
    python benchmarks/bench_accuracy.py --table --out accuracy.jsonl [--plot curves.svg]

The time is the CPU time of `--threads` threads, one where it is not given, so that other work on the machine counts
little; with `--clock wall` it is that of the clock on the wall. A line of JSON is written a training: seed, seconds,
images seen, accuracy on the validation images, and all settings. What the file has already is not trained again, and a
training that was stopped goes on from its checkpoint in `--runs`. `--test` also reads the test set, once, at the end,
and makes integers: of 8 bits (fine-tuned where single layers have fewer), and of 4 bits after fine-tuning.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from common import machine
from resnet8 import ResNet8

from spikenas._util.run_files import MODEL
from spikenas.cli.options import SET, Given
from spikenas.config import Config
from spikenas.data.transforms import normalise
from spikenas.integers import Tuning, tuning_of
from spikenas.integers.making import make_integers
from spikenas.memory import footprint
from spikenas.space import Genotype
from spikenas.space.plan import Plan
from spikenas.task import Task
from spikenas.training.checkpoint import load_model, load_tensors
from spikenas.training.epochs import Epoch, kept_epoch
from spikenas.training.loop import train

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
WIDTH_24 = {"network.channels": 24, "network.stem_stride": 2}  # 92.6 KiB of flash
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def settings_of(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The settings of one training by dotted key; what is given comes before what is assumed."""
    given = Given.of((SET,), {"set_": args.set}).words
    fixed = {"data.name": args.data, "train.time": args.seconds, "threads": args.threads, "seed": seed}
    return WIDTH_24 | {"network.neuron": args.neuron, "network.cells": args.genotype.count("/") + 1} | given | fixed


def trained(task: Task, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train one network in a folder, where a training that was stopped goes on, and say what came of it."""
    plan = task.plan(Genotype.parse(args.genotype))
    task.dataset.train.load(), task.dataset.validation.load()
    counted = folder / "images"
    images, before = int(counted.read_text()) if counted.exists() else 0, -1

    def count(done: int, total: int, epochs: Sequence[Epoch]) -> None:
        nonlocal images, before
        images += task.config.train.batch or 0
        if before not in (-1, len(epochs)):
            counted.write_text(str(images))
        before = len(epochs)

    network: Any = ResNet8(plan.input.channels, plan.input.classes) if args.resnet8 else None
    clock = CLOCKS[args.clock]
    epochs = train(plan, task.dataset, task.statistics, task.config, folder, count, network, clock)
    kept = kept_epoch(epochs, task.config.train)
    found: dict[str, Any] = {
        "params": sum(p.numel() for p in network.parameters()) if args.resnet8 else footprint(plan).params,
        "trained_s": sum(epoch.seconds for epoch in epochs),
        "images": images,
        "validation": kept.validation_accuracy,
        "last_validation": epochs[-1].validation_accuracy,
        "train": epochs[-1].train_accuracy,
        "curve": [(epoch.seconds, epoch.validation_accuracy) for epoch in epochs],
    }
    if not args.resnet8:
        seen = load_model(folder / MODEL).evaluate(task.dataset.validation)
        found |= {"synops": seen.synops, "firing_rates": seen.firing_rates}
    if args.test:
        found |= tested_resnet8(network, task, folder) if args.resnet8 else tested(plan, task, folder, args)
    return found


def tested(plan: Plan, task: Task, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """What the kept weights and their integers do on the test images, and what they take."""
    model, size = load_model(folder / MODEL), footprint(plan)
    clock, tuning = CLOCKS[args.clock], tuning_of(task.config, plan)
    planned = make_integers(model, task, 8, tuning, folder / "planned", clock=clock).network
    few = make_integers(model, task, 4, Tuning(seconds=args.seconds / 10), folder / "tuning", clock=clock).network
    return {
        "test": model.evaluate(task.test).accuracy,
        "test_of_8_bits": planned.evaluate(task.test).accuracy,
        "test_of_4_bits": few.evaluate(task.test).accuracy,
        "flash": size.flash_bytes,
        "ram": size.ram_bytes,
    }


@torch.no_grad()
def tested_resnet8(network: ResNet8, task: Task, folder: Path) -> dict[str, Any]:
    """What the kept weights do on the test images, in float32."""
    network.load_state_dict(load_tensors(folder / MODEL)[0])
    forward, right = ResNet8.forward, 0  # not the one that computes in bfloat16
    network.eval()
    for start in range(0, len(task.test), 500):
        indices = range(start, min(start + 500, len(task.test)))
        images = normalise(torch.from_numpy(task.test.fetch(list(indices))), task.statistics.mean, task.statistics.std)
        right += int((forward(network, images).argmax(1).numpy() == task.test.labels[start : start + 500]).sum())
    return {"test": right / len(task.test)}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the mean and the spread of the validation accuracy over the seeds of equal settings."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        time_given = f"{row['seconds']:g} s, {row['clock']}, {row['threads']} threads"
        groups.setdefault((row["data"], time_given, row["network"], " ".join(row["set"])), []).append(row)
    print("| data | time | network | settings | images | validation | seeds |\n|---|---|---|---|---|---|---|")
    for key, group in groups.items():
        values = [100 * row["validation"] for row in group]
        spread = f" ±{statistics.stdev(values):.2f}" if len(values) > 1 else ""
        images = statistics.fmean(row["images"] for row in group)
        print(f"| {' | '.join(key)} | {images:,.0f} | {statistics.fmean(values):.2f}{spread} | {len(values)} |")


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the validation accuracy over the time of training, a line for each row."""
    mpl.rcParams["svg.hashsalt"] = "spikenas"
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for row in rows:
        seconds, accuracies = zip(*row["curve"], strict=True)
        label = f"{row['network'].split()[0]}, {row['params']:,} params, {row['seconds']:g} s"
        axes.plot([s / 60 for s in accumulate(seconds)], [100 * one for one in accuracies], label=label)
    axes.set(xlabel="minutes of training", ylabel="validation accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seconds", type=float, default=60.0, help="time of a training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--neuron", default="ilif")
    parser.add_argument("--genotype", default=f"{CELL} / {CELL}")
    parser.add_argument("--resnet8", action="store_true", help="ResNet-8 in the place of the genotype's network")
    parser.add_argument("--set", action="append", default=[], help="a key of the configuration, section.key=value")
    parser.add_argument("--test", action="store_true", help="read the test set too")
    parser.add_argument("--runs", type=Path, default=Path("accuracy-runs"), help="folder of checkpoints and models")
    parser.add_argument("--table", action="store_true", help="show what the file holds, and train nothing")
    parser.add_argument("--plot", type=Path, help="picture to draw of what the file holds")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, which are added to")
    args = parser.parse_args()
    for seed in [] if args.table else map(int, args.seeds.split(",")):
        asked = settings_of(args, seed)
        network = "ResNet-8" if args.resnet8 else f"{asked['network.neuron']} {args.genotype}"
        row = {
            "data": args.data, "seconds": args.seconds, "seed": seed, "network": network, "set": sorted(args.set),
            "test_read": args.test, "threads": args.threads, "clock": args.clock,
        }  # fmt: skip
        if any(row.items() <= old.items() for old in rows_of(args.out)):
            continue
        task = Task.of(Config().but(asked)).sized()
        folder = args.runs / sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:12]
        row |= trained(task, args, folder) | {
            "folder": folder.name,
            "config": task.config.model_dump(mode="json"),
            "machine": machine(),
        }
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{network} {' '.join(args.set)} seed {seed}: {row['validation']:.2%}, {row['images']:,} images", flush=True
        )
    if rows := rows_of(args.out):
        show(rows)
        if args.plot:
            plot(rows, args.plot)


if __name__ == "__main__":
    main()
