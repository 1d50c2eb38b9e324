"""How well scores rank trained networks: rank correlations on any table, several initialisations, time per network.

    python benchmarks/bench_correlation.py --table BENCH --data cifar10 --networks 1000 --out FILE
    python benchmarks/bench_correlation.py --table cells.csv --data cifar10 --set network.stem_stride=2 --out FILE

TABLE is what `spikenas.tabular.Table.read` takes. Each score is computed at one fidelity for each seed (weights,
images and noise are drawn anew). Without --networks, all networks of the table. Writes JSON after each seed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from common import machine

from spikenas.config import Config
from spikenas.correlation import correlate
from spikenas.data import channel_statistics
from spikenas.score import SCORES
from spikenas.space.genotype import Genotype
from spikenas.space.ops import BENCH_OPS
from spikenas.stages import make_scorer, open_data
from spikenas.tabular import Table

VIEWS = ("networks", "equal_memory", "rows")


def chosen(table: Table, count: int | None) -> list[Genotype]:
    """A genotype of each connected network, of a random sample of them where a number is given."""
    genotypes = [rows[0].genotype for rows in table.networks.values() if rows[0].genotype.connected]
    return genotypes if count is None else random.Random(0).sample(genotypes, min(count, len(genotypes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True)
    parser.add_argument("--dataset", help="of a download with several")
    parser.add_argument("--metric", default="test")
    parser.add_argument("--data", required=True)
    parser.add_argument("--scores", default=",".join(SCORES))
    parser.add_argument("--networks", type=int)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], help="a key of the configuration, section.key=value")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    names = args.scores.split(",")
    table = Table.read(args.table, args.dataset).having(args.metric)
    genotypes = chosen(table, args.networks)
    values: dict[str, Any] = {"data": {"name": args.data}}
    if table.space.ops == BENCH_OPS:
        values["network"] = {"kind": "snasnet", "channels": 128, "cells": 2, "stem_stride": 1}
    for assignment in args.set:
        (section, key), value = assignment.split("=", 1)[0].split("."), assignment.split("=", 1)[1]
        values.setdefault(section, {})[key] = int(value) if value.isdigit() else value
    result: dict[str, Any] = {"networks": len(genotypes), "metric": args.metric, "settings": values, "seeds": []}
    for seed in map(int, args.seeds.split(",")):
        task = open_data(Config.parse(values | {"seed": seed}))
        scorer = make_scorer(task, channel_statistics(task.dataset, seed), *names)
        start, found = time.perf_counter(), dict[str, dict[Genotype, float]]((name, {}) for name in names)
        for number, genotype in enumerate(genotypes, 1):
            for name, value in scorer.all(genotype).items():
                found[name][genotype] = value
            if number % 100 == 0:
                print(f"seed {seed}: {number}/{len(genotypes)}, {time.perf_counter() - start:.0f} s", flush=True)
        seconds = (time.perf_counter() - start) / len(genotypes)
        correlations = {name: asdict(correlate(table, found[name], args.metric, sample=True)) for name in names}
        result["seeds"].append({"seed": seed, "seconds_per_network": seconds, "scores": correlations})
        args.out.write_text(json.dumps(result | {"summary": summary(result["seeds"]), "machine": machine()}, indent=1))
    print(json.dumps(summary(result["seeds"]), indent=1))


def summary(seeds: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """For each score and view, mean and standard deviation over the seeds of Spearman's and Kendall's coefficient."""
    table: dict[str, dict[str, list[float]]] = {}
    for name in seeds[0]["scores"]:
        table[name] = {}
        for kind in ("spearman", "kendall"):
            for view in VIEWS:
                found = [each["scores"][name][kind][view] for each in seeds]
                if all(found):
                    numbers = [each["value"] for each in found]
                    spread = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
                    table[name][f"{kind} {view}"] = [round(statistics.fmean(numbers), 3), round(spread, 3)]
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
