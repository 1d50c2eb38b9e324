"""Train networks for the same CPU time each, by the product's own loop, and compare what they know afterwards.

    python benchmarks/bench_accuracy.py --data cifar10 --seconds 60 --out accuracy.jsonl --set train.optimiser=sgd
    python benchmarks/bench_accuracy.py --data FOLDER --seconds 600 --seeds 0,1,2 --neuron relu --out accuracy.jsonl
    python benchmarks/bench_accuracy.py --data cifar10 --seconds 600 --resnet8 --out accuracy.jsonl
    python benchmarks/bench_accuracy.py --table --out accuracy.jsonl

Each training is one thread, and its time the CPU time of that thread, so that other work on the machine counts little
A line of JSON is written a training: seed, CPU seconds, images seen, accuracy on the validation images, and
all settings. What the file has already is not trained again. `--test` also reads the test set, once, at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import machine
from resnet8 import ResNet8

from spikenas.cli.options import SET, Given
from spikenas.config import Config
from spikenas.integers.making import make_integers
from spikenas.memory import footprint
from spikenas.snn.network import Network
from spikenas.space import Genotype
from spikenas.task import Task
from spikenas.training.checkpoint import Model
from spikenas.training.epochs import Epoch, kept_epoch
from spikenas.training.loop import train

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
WIDTH_24 = {"network.channels": 24, "network.stem_stride": 2, "network.timesteps": 1}  # 92.6 KiB of flash


def settings_of(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The settings of one training by dotted key; what is given comes before what is assumed."""
    given = Given.of((SET,), {"set_": args.set}).words
    fixed = {"data.name": args.data, "train.time": args.seconds, "threads": 1, "seed": seed}
    return WIDTH_24 | {"network.neuron": args.neuron} | given | fixed


def trained(task: Task, args: argparse.Namespace) -> dict[str, Any]:
    """Train one network, and say what came of it."""
    plan = task.plan(Genotype.parse(args.genotype))
    task.dataset.train.load(), task.dataset.validation.load()
    steps = 0

    def count(done: int, total: int, epochs: Sequence[Epoch]) -> None:
        nonlocal steps
        steps += 1

    network: Any = ResNet8(plan.input.channels, plan.input.classes) if args.resnet8 else Network(plan, task.config.seed)
    start = time.process_time()
    with TemporaryDirectory() as folder:
        epochs = train(
            plan, task.dataset, task.statistics, task.config, None if args.resnet8 else Path(folder), count, network,
            time.process_time,
        )  # fmt: skip
    kept = kept_epoch(epochs, task.config.train)
    found: dict[str, Any] = {
        "params": sum(p.numel() for p in network.parameters()) if args.resnet8 else footprint(plan).params,
        "cpu_s": time.process_time() - start,
        "images": steps * min(task.config.train.batch or 0, len(task.train)),
        "validation": kept.validation_accuracy,
        "last_validation": epochs[-1].validation_accuracy,
        "train": epochs[-1].train_accuracy,
        "curve": [(epoch.seconds, epoch.validation_accuracy) for epoch in epochs],
    }
    if args.test and not args.resnet8:
        model = Model(network.eval(), task.classes, task.statistics, task)
        found["test"] = model.evaluate(task.test).accuracy
        found["test_of_integers"] = make_integers(model, task, 8)[0].evaluate(task.test).accuracy
    return found


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the mean and the spread of the validation accuracy over the seeds of equal settings."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["data"], f"{row['seconds']:g} s", row["network"], " ".join(row["set"])), []).append(row)
    print("| data | CPU | network | settings | images | validation | seeds |\n|---|---|---|---|---|---|---|")
    for key, group in groups.items():
        values = [100 * row["validation"] for row in group]
        spread = f" ±{statistics.stdev(values):.2f}" if len(values) > 1 else ""
        images = statistics.fmean(row["images"] for row in group)
        print(f"| {' | '.join(key)} | {images:,.0f} | {statistics.fmean(values):.2f}{spread} | {len(values)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds of a training")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--neuron", default="ilif")
    parser.add_argument("--genotype", default=f"{CELL} / {CELL}")
    parser.add_argument("--resnet8", action="store_true", help="ResNet-8 in the place of the genotype's network")
    parser.add_argument("--set", action="append", default=[], help="a key of the configuration, section.key=value")
    parser.add_argument("--test", action="store_true", help="read the test set too")
    parser.add_argument("--table", action="store_true", help="show what the file holds, and train nothing")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, which are added to")
    args = parser.parse_args()
    for seed in [] if args.table else map(int, args.seeds.split(",")):
        asked = settings_of(args, seed)
        network = "ResNet-8" if args.resnet8 else f"{asked['network.neuron']} {args.genotype}"
        row = {
            "data": args.data, "seconds": args.seconds, "seed": seed, "network": network, "set": sorted(args.set),
            "test_read": args.test,
        }  # fmt: skip
        if any(row.items() <= old.items() for old in rows_of(args.out)):
            continue
        task = Task.of(Config().but(asked)).sized()
        row |= trained(task, args) | {"config": task.config.model_dump(mode="json"), "machine": machine()}
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{network} {' '.join(args.set)} seed {seed}: {row['validation']:.2%}, {row['images']:,} images", flush=True
        )
    if rows := rows_of(args.out):
        show(rows)


if __name__ == "__main__":
    main()
