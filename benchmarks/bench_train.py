"""Training images per second of one CIFAR-10 network, beside the same network stepping through time.

    python benchmarks/bench_train.py --out train.json [--rounds 7]

The peer is built from SpikingJelly's modules and runs one timestep after the other, as SNASNet does. Both train one
batch of 64 random images (forward, backward, SGD step) in turn; figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from common import interleaved, machine
from stepping import SteppingNetwork
from torch import nn

from spikenas.config import NetworkConfig
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
BATCH = 64
CASES = {
    "compact, width 24, stem stride 2, T 4": NetworkConfig(channels=24, stem_stride=2, timesteps=4),
    "compact, width 16, stem stride 1, T 5": NetworkConfig(channels=16),
}


def trainer(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, bf16: bool = False) -> Callable[[], None]:
    optimiser = torch.optim.SGD(network.parameters(), 0.1, 0.9)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs = network(images)
        F.cross_entropy(outputs.float(), labels).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    torch.manual_seed(0)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))
    fast = images.contiguous(memory_format=torch.channels_last)
    rows = []
    for case, settings in CASES.items():
        plan = make_plan(Genotype.parse(f"{CELL} / {CELL}"), settings, InputSpec(3, 32, 32, 10))
        ours, peer = Network(plan), SteppingNetwork(Network(plan))
        torch.testing.assert_close(ours.eval()(images), peer.eval()(images), rtol=1e-4, atol=1e-4)
        channels_last = torch.channels_last
        runs = {
            "spikenas": trainer(ours.train().to(memory_format=channels_last), fast, labels),
            "spikenas bf16": trainer(Network(plan).to(memory_format=channels_last), fast, labels, bf16=True),
            "stepping": trainer(peer.train(), images, labels),
            "stepping channels-last": trainer(
                SteppingNetwork(Network(plan)).to(memory_format=channels_last), fast, labels
            ),
        }
        for name, row in interleaved(runs, options.rounds, "spikenas").items():
            rows.append({"case": case, "network": name, "images_per_s": BATCH / row["median_s"], **row})
            print(f"{case}: {name:24} {rows[-1]['images_per_s']:8.0f} images/s, ratio {row['ratio']:.2f}", flush=True)
    options.out.write_text(json.dumps({"machine": machine(), "batch": BATCH, "rows": rows}, indent=1) + "\n")
