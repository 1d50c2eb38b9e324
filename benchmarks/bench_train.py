"""Training images per second of one CIFAR-10 network: a step of the loop, a plain step, and a step through time.

    python benchmarks/bench_train.py --out train.json [--rounds 7] [--threads 2]

`loop` is `spikenas.training.loop.train` itself, from images of bytes in memory: order, crops and mirroring,
normalisation, forward, backward, optimiser and figures of each step. `plain` is the same network with ReLU, written in
plain PyTorch, on a batch that is ready: forward, backward, `torch.optim.SGD`. `LIF, T = 4` is the loop as it trained
by default before there were integer-valued neurons. The stepping peer is built from SpikingJelly's modules and runs one
timestep after the other, as SNASNet does.

Figures are medians over the rounds, in which all take turns: CPU time of one thread, or wall time of several.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import interleaved, machine
from plain import CELL, PlainNetwork
from torch import nn

from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, Plan, make_plan
from spikenas.training.loop import train
from spikenas.training.precision import has_bf16

STEPS = 24  # of a measurement
GENOTYPE = Genotype.parse(f"{CELL} / {CELL}")
INPUT = InputSpec(3, 32, 32, 10)
BF16 = has_bf16(torch.device("cpu"))
OURS = "loop, ilif, T = 1"


def config_of(**changes: Any) -> Config:
    threads = torch.get_num_threads()
    fixed = {"network.channels": 24, "network.stem_stride": 2, "network.neuron": "ilif", "network.timesteps": 1}
    return Config().but(
        fixed
        | {"train.epochs": 1, "train.batch": 128, "train.crop": 4, "train.flip": True, "threads": threads}
        | changes
    )


def plan_of(config: Config) -> Plan:
    return make_plan(GENOTYPE, config.network, INPUT)


def loop(config: Config) -> Callable[[], None]:
    """Some steps of the training loop, with one validation image."""
    rng = np.random.default_rng(0)
    count = STEPS * (config.train.batch or 0)
    images = rng.integers(256, size=(count, 3, 32, 32), dtype=np.uint8)
    split, one = Split(rng.integers(10, size=count), images), Split(np.zeros(1, np.int64), images[:1])
    dataset = DataSet("random", tuple("abcdefghij"), (3, 32, 32), None, split, one, lambda: one)
    plan, statistics = plan_of(config), Statistics((0.5,) * 3, (0.25,) * 3)
    network = Network(plan)
    return lambda: train(plan, dataset, statistics, config, None, network=network) and None


def steps(network: nn.Module, batch: int, bf16: bool) -> Callable[[], None]:
    """As many steps of plain PyTorch, on a batch that is ready."""
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,))
    network.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, 0.9, nesterov=True)

    def run() -> None:
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs = network(images)
            F.cross_entropy(outputs.float(), labels).backward()
            optimiser.step()
            optimiser.zero_grad()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ours = config_of()
    batch = ours.train.batch
    relu = config_of(**{"network.neuron": "relu"})
    before = {"network.neuron": "lif", "network.timesteps": 4, "train.optimiser": "sgd", "train.batch": 64}
    twin = Network(plan_of(relu))
    some = torch.randn(8, 3, 32, 32)
    torch.testing.assert_close(PlainNetwork(twin).eval()(some), twin.eval()(some))
    runs: dict[str, tuple[int, Callable[[], None]]] = {
        OURS: (batch, loop(ours)),
        "loop, relu": (batch, loop(relu)),
        "loop, ilif, T = 1, float32": (batch, loop(config_of(**{"train.precision": "no"}))),
        "loop, ilif, T = 1, SGD": (batch, loop(config_of(**{"train.optimiser": "sgd"}))),
        "loop, LIF, T = 4 (before)": (64, loop(config_of(**before | {"train.precision": "no"}))),
        "plain, ReLU": (batch, steps(PlainNetwork(twin), batch, BF16)),
        "plain, ReLU, float32": (batch, steps(PlainNetwork(Network(plan_of(relu))), batch, bf16=False)),
    }
    if find_spec("spikingjelly"):
        from stepping import SteppingNetwork

        plan = plan_of(config_of(**before))
        runs["stepping, LIF, T = 4"] = 64, steps(SteppingNetwork(Network(plan)), 64, bf16=False)
    images = {name: STEPS * size for name, (size, _) in runs.items()}
    clock = time.process_time if options.threads == 1 else time.perf_counter
    times = interleaved({name: run for name, (_, run) in runs.items()}, options.rounds, OURS, clock)
    rate = images[OURS] / times[OURS]["median_s"]
    rows = []
    for name, row in times.items():
        own = row["ratio"] * images[OURS] / images[name]
        rows.append({"network": name, "images_per_s": images[name] / row["median_s"], "ours_over_it": own, **row})
        print(f"{name:28} {rows[-1]['images_per_s']:8.0f} images/s, ours is {own:.2f} times as fast", flush=True)
    content = {
        "machine": machine(),
        "threads": options.threads,
        "batch": batch,
        "bf16": BF16,
        "images_per_s": rate,
        "rows": rows,
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
