"""Train random designs alike, and say how well scores, params and synops rank them.

    python benchmarks/bench_design_score.py train --out designs.jsonl --data DATA [--designs 80] [--seconds 120]
    python benchmarks/bench_design_score.py rank --out designs.jsonl --data DATA [--after 24]

`train` draws designs that differ in everything and fit the limits, trains each on CIFAR-10 for as many seconds of one
core (CPU time, so that other work on the machine counts little), and appends what it learnt to the file; what is there
is not trained again. `rank` scores each of them, and prints Spearman's coefficient with the accuracy on the validation
images, and the regret of the first ten and of the first one, by each score.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from spikenas import Task
from spikenas._util.units import parse_size
from spikenas.config import NetworkConfig
from spikenas.memory import Estimator
from spikenas.nas import Problem
from spikenas.scores.designs import design_scorer_factory
from spikenas.space import Design, DesignSpace, Space
from spikenas.task.designs import rule_of_thumb
from spikenas.training import loop
from spikenas.training.pace import pace

OPS = "none", "skip", "conv1x1", "conv3x3", "conv5x5", "dwconv3x3", "avgpool3x3"
BATCH, LR = 128, 0.1


def space() -> DesignSpace:
    sides = 16, 20, 24, 28, 32
    return DesignSpace(
        Space.of(OPS),
        tuple((side, side) for side in sides),
        (3, 1),
        neurons=(("ilif", 1), ("ilif", 2), ("lif", 1), ("lif", 4)),
        levels=(0, 1, 3, 15),
        bits=(8, 4),
        membrane_bits=(16, 8),
    )


def task_of(design: Design, args: argparse.Namespace) -> Task:
    return Task(
        args.data,
        flash=args.flash,
        ram=args.ram,
        settings={"threads": 1, **design.settings()},
    )


def draw(args: argparse.Namespace) -> list[Design]:
    base = Task(args.data, flash=args.flash, ram=args.ram)
    problem = Problem(space(), base.limits, Estimator(NetworkConfig(), base.input))
    rng, found = random.Random(args.seed), dict[Any, Design]()
    while len(found) < args.designs:
        if design := problem.space.draw(rng, problem.fits):
            found.setdefault(design.canonical, design)
    return list(found.values())


def train(args: argparse.Namespace) -> None:
    done = {row["design"] for row in rows_of(args.out)}
    designs = draw(args)
    for number, design in enumerate(designs, start=1):
        if str(design) in done:
            continue
        task = task_of(design, args)
        config = task.config.but({"train.time": args.seconds, "train.batch": BATCH, "train.lr": LR})
        plan = task.plan(design.genotype)
        start = time.perf_counter()
        epochs = loop.train(plan, task.dataset, task.statistics, config, None, clock=time.process_time)
        cost = task.cost(design.genotype)
        row = {
            "design": str(design),
            "accuracy": epochs[-1].validation_accuracy,
            "train_accuracy": epochs[-1].train_accuracy,
            "epochs": len(epochs),
            "seconds": args.seconds,
            "params": cost.params,
            "flash": cost.flash_bytes,
            "ram": cost.ram_bytes,
        }
        with args.out.open("a") as out:
            out.write(json.dumps(row) + "\n")
        took = time.perf_counter() - start
        print(f"{number} of {len(designs)}: {row['accuracy']:.4f} in {took:.0f} s: {design}", flush=True)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rank(args: argparse.Namespace) -> None:
    rows = rows_of(args.out)[args.after :]
    designs = [Design.parse(row["design"]) for row in rows]
    task = Task(args.data, flash=args.flash, ram=args.ram, image_size=32, settings={"threads": 1})
    thumb = rule_of_thumb(task).plan(task.config.network, task.input)
    reach = args.seconds * pace(thumb, task.config) / len(task.train)
    accuracies = [row["accuracy"] for row in rows]
    print(f"{len(rows)} designs, accuracies {min(accuracies):.3f} to {max(accuracies):.3f}; reach {reach:.3g}")
    print(f"{'score':16} {'Spearman':>9} {'of ten':>7} {'of one':>7}   loss of the best of the first ten, of the first")
    for name in args.scores.split(","):
        key, _, figure = name.partition(":")
        scorer = design_scorer_factory(task, key, reach if figure != "free" else math.inf)()
        found = [scorer(design) for design in designs]
        values = [one.synops or 0.0 for one in found] if figure == "synops" else [one.score for one in found]
        order = sorted(range(len(rows)), key=lambda k: -values[k])
        first = [accuracies[k] for k in order]
        losses = (max(accuracies) - max(first[:10]), max(accuracies) - first[0])
        seconds = statistics.median(one.seconds for one in found)
        correlation = spearmanr(values, accuracies).statistic
        shown = " ".join(f"{100 * loss:7.2f}" for loss in losses)
        print(f"{name:16} {correlation:9.2f} {shown}   {seconds:.3f} s each", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "rank"))
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--flash", type=parse_size, default=96 * 1024)
    parser.add_argument("--ram", type=parse_size, default=128 * 1024)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--designs", type=int, default=80)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--after", type=int, default=0, help="designs at the start of the file that are left out")
    parser.add_argument(
        "--scores",
        default="capacity,capacity:free,params,convs,depth,cmrr,cmrr-params,cmrr:synops,naswot,sahd,synflow,zen",
    )
    options = parser.parse_args()
    train(options) if options.what == "train" else rank(options)
