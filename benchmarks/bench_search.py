"""Our search, from command to result, beside SNASNet's procedure at its own cost per candidate.

    python benchmarks/bench_search.py --cifar10 FOLDER --cifar100 FOLDER --tinyimagenet FOLDER --out search.json

SNASNet's procedure: 5,000 random candidates, two batches of 256 images each, the paper's full width. A few of its
candidates are measured, as `stepping.plain_sahd` scores them (modules of SpikingJelly, a loop over the timesteps, a
kernel in each hook), on all cores; their mean is multiplied. Ours is `spikenas search` as a process of its own, the
median of several, for the same network. The ratio of the two is a product, each factor measured in the same run:

    candidates   5,000 over the number that ours scores
    fidelity     plain candidate at SNASNet's fidelity over plain candidate at ours (width, image size, batch)
    engine       plain candidate at our fidelity over a candidate of ours: what sharing and fused neurons save
    start        time of our candidates over the time of the command: reading data, filter, start-up (at most 1)
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import machine
from stepping import plain_sahd

from spikenas.config import Config, FidelityConfig, NetworkConfig
from spikenas.nas import Problem
from spikenas.nas.strategies.uniform import RandomSearch
from spikenas.scores.engine import at_fidelity
from spikenas.space import SNASNET_OPS, Genotype, InputSpec, Space

CANDIDATES, BATCHES, BATCH = 5000, 2, 256
NETWORKS = {  # the design's table: the paper's widths, stem strides and heads
    "cifar10": (NetworkConfig(kind="snasnet", channels=256, stem_stride=1), InputSpec(3, 32, 32, 10)),
    "cifar100": (NetworkConfig(kind="snasnet", channels=128, stem_stride=1, votes=5), InputSpec(3, 32, 32, 100)),
    "tinyimagenet": (
        NetworkConfig(kind="snasnet", channels=128, stem_stride=2, hidden=4096, votes=5),
        InputSpec(3, 64, 64, 200),
    ),
}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def candidates(count: int) -> list[Genotype]:
    """As SNASNet draws them; those with a path from input to output."""
    space = Space(SNASNET_OPS, cells=2, shared=True)
    drawn = RandomSearch(Problem(space, Config().budget, lambda genotype: None, seed=0)).ask()  # type: ignore[arg-type, return-value]
    connected = [proposal.candidate for proposal in drawn if proposal.candidate.connected]
    return random.Random(0).sample(connected, count)


def snasnet(network: NetworkConfig, input: InputSpec, batch: int, count: int) -> list[float]:
    """Seconds of one batch of each of some candidates; the first candidate is run once more before."""
    images = torch.randn(batch, input.channels, input.height, input.width, generator=torch.Generator().manual_seed(0))
    chosen = candidates(count)
    plain_sahd(chosen[0], network, input, images[:16])
    return [seconds(lambda: plain_sahd(genotype, network, input, images)) for genotype in chosen]  # noqa: B023


def ours(data: str, network: NetworkConfig, rounds: int) -> dict[str, Any]:
    """The command, and what its trials say."""
    times = []
    settings = network.model_dump(exclude_defaults=True)
    assignments = [part for key, value in settings.items() for part in ("--set", f"network.{key}={value}")]
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            command = [
                sys.executable,
                "-m",
                "spikenas",
                "search",
                "--data",
                data,
                "--out",
                str(out),
                "-q",
                *assignments,
            ]
            times.append(seconds(lambda: subprocess.run(command, check=True)))  # noqa: B023
            with sqlite3.connect(out / "trials.db") as store:
                query = "select count(*), sum(seconds) from trials where status = 'scored'"
                scored, spent = store.execute(query).fetchone()
            config = Config.load(out / "config.toml")
    return {"command_s": times, "median_s": statistics.median(times), "scored": scored, "scores_s": spent} | {
        "config": config.model_dump(mode="json", exclude_none=True)
    }


def measured(name: str, data: str, count: int, rounds: int) -> dict[str, Any]:
    network, input = NETWORKS[name]
    own = ours(data, network, rounds)
    fidelity = FidelityConfig.model_validate(own["config"]["fidelity"])
    side = min(input.height, 8 * 2 * network.stem_stride)
    small = InputSpec(input.channels, side, side, input.classes)
    full = statistics.fmean(snasnet(network, input, BATCH, count)) * BATCHES
    reduced = statistics.fmean(
        snasnet(at_fidelity(network, fidelity, static=True), small, 2 * fidelity.batch, 4 * count)
    )
    reduced *= fidelity.repeats  # of each one batch, with its noisy copy
    each = own["scores_s"] / own["scored"]
    factors = {
        "candidates": CANDIDATES / own["scored"],
        "fidelity": full / reduced,
        "engine": reduced / each,
        "start": own["scores_s"] / own["median_s"],
    }
    ratio = CANDIDATES * full / own["median_s"]
    return {"snasnet_candidate_s": full, "plain_at_our_fidelity_s": reduced, "our_candidate_s": each} | {
        "snasnet_hours": CANDIDATES * full / 3600, "ours": own, "ratio": ratio, "factors": factors
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in NETWORKS:
        parser.add_argument(f"--{name}", help="data as of spikenas --data")
    parser.add_argument("--candidates", type=int, default=3, help="of SNASNet's that are measured")
    parser.add_argument("--rounds", type=int, default=5, help="of our command")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine()}
    for name in NETWORKS:
        if data := getattr(options, name):
            found[name] = measured(name, data, options.candidates, options.rounds)
            shown = {key: value for key, value in found[name].items() if key not in ("ours",)}
            print(name, json.dumps(shown, indent=1), f"ours {found[name]['ours']['median_s']:.1f} s", flush=True)
            options.out.write_text(json.dumps(found, indent=1) + "\n")
