"""What each part of the default score does for how it ranks trained networks.

    python benchmarks/bench_ablation.py --table BENCH --data cifar10 --networks 1000 --out ablation.json
    python benchmarks/bench_ablation.py --table cells.csv --data cifar10 --set network.stem_stride=2 --out FILE

TABLE is what `spikenas compare` takes. Variants of equal noise are computed from the same spikes. Weights, images and
noise are drawn anew for each seed. Writes JSON after each seed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from common import machine
from torch import Tensor

from spikenas.bench import Table
from spikenas.bench.correlation import correlate
from spikenas.cli.options import SET, Given
from spikenas.config import BENCH, Config
from spikenas.scores import SCORES
from spikenas.scores.batch import scorer_factory
from spikenas.scores.probe import Measured, SpikeScore
from spikenas.scores.rejection import NOISE, Rejection, combine_rejection, measure_rejection
from spikenas.task import Task

LEVELS = (NOISE,)


class Layer(NamedTuple):
    """What the variants look at."""

    rejection: Rejection
    by_channel: float  # variance of the firing rate over timesteps and channels


Part = Callable[[Sequence[Layer]], float]  # in decibels


def measure(spikes: Tensor) -> Layer | None:
    rejection = measure_rejection(spikes)
    if rejection is None:
        return None
    images = spikes[:, : spikes.shape[1] // (1 + len(LEVELS))] if spikes.dim() == 5 else spikes
    return Layer(rejection, float(images.mean((1, 3, 4), dtype=torch.float64).var(correction=0)))


def decibels(value: float) -> float:
    return 10 * math.log10(max(value, 1e-12))


def amplitude(layers: Sequence[Layer]) -> float:
    return 2 * decibels(fmean(layer.rejection.amplitude for layer in layers))


def arithmetic(layers: Sequence[Layer]) -> float:
    return decibels(fmean(layer.rejection.amplitude**2 for layer in layers))


def geometric(layers: Sequence[Layer]) -> float:
    return fmean(2 * decibels(layer.rejection.amplitude) for layer in layers)


def level(layers: Sequence[Layer]) -> float:
    return decibels(fmean(layer.rejection.level for layer in layers))


def clock(layers: Sequence[Layer]) -> float:
    return decibels(fmean(layer.rejection.clock for layer in layers))


def by_channel(layers: Sequence[Layer]) -> float:
    return decibels(fmean(layer.by_channel for layer in layers))


VARIANTS: dict[str, Part] = {
    "response alone": amplitude,
    "level alone": lambda layers: -level(layers),
    "clock alone": lambda layers: -clock(layers),
    "response / level": lambda layers: amplitude(layers) - level(layers),
    "response / clock": lambda layers: amplitude(layers) - clock(layers),
    "response / (level * clock)": lambda layers: amplitude(layers) - level(layers) - clock(layers),
    "arithmetic mean of responses": lambda layers: arithmetic(layers) - (level(layers) + clock(layers)) / 2,
    "geometric mean of responses": lambda layers: geometric(layers) - (level(layers) + clock(layers)) / 2,
    "variance over channels too, for the clock": lambda layers: (
        amplitude(layers) - (level(layers) + by_channel(layers)) / 2
    ),
    "variance over channels too, alone": lambda layers: arithmetic(layers) - by_channel(layers),
}
NOISES = (1e-4, 1e-2, 1e-1)


def variant(name: str, part: Part) -> SpikeScore:
    def combine(measured: Sequence[Measured]) -> float:
        layers = [layer.summary for layer in measured if layer.summary is not None]
        return part(layers) if any(sum(layer.rejection.fired) for layer in layers) else -math.inf

    return SpikeScore(name, name, "ablation", measure, combine, LEVELS)


def ranked(args: argparse.Namespace, seed: int, names: Sequence[str]) -> dict[str, dict[str, float]]:
    table = Table.read(args.table)
    space = BENCH if any(row.id is not None for row in table.rows) else None
    words = {"data.name": args.data, "space.name": space, "seed": seed} | Given.of((SET,), {"set_": args.set}).words
    make = scorer_factory(Task.of(Config().but(words)), *names)
    genotypes = [rows[0].genotype for rows in table.networks.values() if rows[0].genotype.connected]
    if args.networks and args.networks < len(genotypes):
        genotypes = random.Random(0).sample(genotypes, args.networks)
    scorer, values = make(), dict[str, dict[Any, float]]((name, {}) for name in names)
    for number, position in enumerate(make.sharing_order(genotypes), 1):
        for name, value in scorer.all(genotypes[position]).items():
            values[name][genotypes[position]] = value
        if number % 200 == 0:
            print(f"seed {seed}: {number}/{len(genotypes)}", flush=True)
    found = {}
    for name in names:
        spearman = correlate(table, values[name], sample=True, resamples=2).spearman
        found[name] = {"networks": spearman.networks.value} if spearman.networks else {}
        if spearman.equal_memory:
            found[name]["equal_memory"] = spearman.equal_memory.value
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--networks", type=int)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], help="a key of the configuration, section.key=value")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    SCORES.update({name: variant(name, part) for name, part in VARIANTS.items()})
    for noise in NOISES:
        name = f"noise {noise:g}"
        SCORES[name] = SpikeScore(name, name, "ablation", measure_rejection, combine_rejection, (noise,))
    names = ["cmrr", *VARIANTS, *(f"noise {noise:g}" for noise in NOISES)]
    seeds: list[dict[str, dict[str, float]]] = []
    for seed in map(int, args.seeds.split(",")):
        seeds.append(ranked(args, seed, names))
        summary = {
            name: {
                view: [statistics.fmean(v), statistics.pstdev(v)]
                for view in seeds[0][name]
                if (v := [s[name][view] for s in seeds])
            }
            for name in names
        }
        args.out.write_text(json.dumps({"machine": machine(), "summary": summary, "seeds": seeds}, indent=1) + "\n")
    for name, views in summary.items():
        print(f"{name:42}", {view: f"{mean:.3f} ±{spread:.3f}" for view, (mean, spread) in views.items()})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
