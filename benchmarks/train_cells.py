"""Train many small random networks alike, for a table on which scores can be judged.

    python benchmarks/train_cells.py --data FOLDER --out cells.csv --count 120

Writes one row a network as it comes (genotype, accuracy on held-out training images, seconds); a run that was stopped
goes on where it was. The test set is not read. One cell a network, in every place, each edge drawn from all ops.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from spikenas.config import Config
from spikenas.data import OpenedData, channel_statistics
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.ops import OPS
from spikenas.space.plan import InputSpec
from spikenas.space.space import Space
from spikenas.training.epochs import kept_epoch
from spikenas.training.loop import train

VALIDATION_IMAGES = 5000


def sampled(count: int, cells: int, seed: int) -> list[Genotype]:
    """Distinct connected networks, each with one random cell in every place."""
    space, rng = Space.of(OPS, cells=1), random.Random(seed)
    found: dict[CellGraph, Genotype] = {}
    while len(found) < count:
        cell = space.sample(rng).cells[0]
        if cell.canonical.connected:
            found.setdefault(cell.canonical, Genotype((cell,) * cells))
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--timesteps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = Config.parse(
        {
            "seed": args.seed,
            "threads": 1,
            "data": {"name": args.data},
            "network": {"channels": args.channels, "stem_stride": 2, "timesteps": args.timesteps},
            "train": {
                "epochs": args.epochs, "batch": args.batch, "warmup": 0.05, "crop": 4, "flip": True,
                "keep": "last", "precision": "bf16",
            },
        }
    )  # fmt: skip
    dataset = OpenedData(config.data).divide(config.seed)
    pool = len(dataset.train)
    rest, validation = dataset.train.divide(VALIDATION_IMAGES / pool, [config.seed, 1])
    _, images = rest.divide(args.images / len(rest), [config.seed, 2])
    dataset = replace(dataset, train=images.load(), validation=validation.load())
    statistics = channel_statistics(dataset, config.seed)
    input = InputSpec(*dataset.shape, len(dataset.classes))
    torch.set_num_threads(1)
    done = set()
    if args.out.exists():
        with args.out.open() as file:
            done = {row["genotype"] for row in csv.DictReader(file)}
    else:
        args.out.write_text("genotype,accuracy,train_loss,seconds\n")
    for number, genotype in enumerate(sampled(args.count, config.network.cells, 0), start=1):
        if str(genotype) in done:
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            epochs = train(make_plan(genotype, config.network, input), dataset, statistics, config, Path(folder))
        last = kept_epoch(epochs, config.train)
        seconds = time.perf_counter() - start
        with args.out.open("a", newline="") as file:
            csv.writer(file).writerow(
                [genotype, f"{last.validation_accuracy:.4f}", f"{last.train_loss:.4f}", f"{seconds:.1f}"]
            )
        print(f"{number}/{args.count} {seconds:.0f} s {last.validation_accuracy:.1%} {genotype}", flush=True)


if __name__ == "__main__":
    main()
