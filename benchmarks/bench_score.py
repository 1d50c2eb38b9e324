"""One step of the search, the score of one candidate at SNASNet's full fidelity, beside a plain implementation.

    python benchmarks/bench_score.py --out score.json [--batch 256] [--width 256] [--rounds 3]

Full fidelity: C1 = 256, T = 5, a batch of 256 CIFAR-sized images. The plain implementation steps through time with
SpikingJelly's modules and adds up one kernel for each layer and timestep, in hooks. Both build the
network, run the batch and return log|det|; one initialisation. The engine's default fidelity is timed too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from common import interleaved, machine
from stepping import plain_sahd

from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.scores.engine import Scorer
from spikenas.space import Genotype, InputSpec

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
GENOTYPE = Genotype.parse(f"{CELL} / {CELL}")
INPUT = InputSpec(3, 32, 32, 10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    images = torch.randn(options.batch, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = NetworkConfig(kind="snasnet", channels=options.width)
    full = FidelityConfig(channels="network", batch=options.batch)

    def ours(fidelity: FidelityConfig, batch: torch.Tensor) -> float:
        return Scorer("sahd", network, INPUT, batch, fidelity)(GENOTYPE).score

    cores = torch.get_num_threads()
    runs = {
        "spikenas, 1 thread": lambda: ours(full, images),
        f"plain, {cores} threads": lambda: plain_sahd(GENOTYPE, network, INPUT, images),
        "spikenas, 1 thread, default fidelity": lambda: ours(FidelityConfig(repeats=1), images[:32]),
    }
    rows = interleaved(runs, options.rounds, "spikenas, 1 thread")
    for name, row in rows.items():
        print(f"{name:38} {row['median_s']:8.2f} s, ratio {row['ratio']:.2f}", flush=True)
    settings = {"batch": options.batch, "width": options.width, "timesteps": network.timesteps}
    options.out.write_text(json.dumps({"machine": machine(), **settings, "rows": rows}, indent=1) + "\n")
