"""Measure how often the neurons of trained networks send, which the prediction of instructions assumes of others.

    python benchmarks/spike_rates.py runs/a runs/b

Of the integers of each run, on 128 of its test items, and by neuron and bits of its number of spikes: how often each
bit is set, on average over layers, in front of convolutions and of the head (`spikenas.memory.instructions`).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from spikenas._util.run_files import CONFIG, QUANTISED
from spikenas.config import Config
from spikenas.integers import IntegerNetwork, as_bytes, bit_shares_of
from spikenas.memory.kernels import bit_planes
from spikenas.task import Task

ITEMS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders with integers")
    found: dict[tuple[str, int], list[dict[str, tuple[float, ...]]]] = defaultdict(list)
    for folder in parser.parse_args().runs:
        network = IntegerNetwork.load(folder / QUANTISED)
        plan = network.plan
        if not plan.network.is_spiking:
            continue
        test = Task.of(Config.load(folder / CONFIG)).test
        chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:ITEMS])
        shares = bit_shares_of(network, as_bytes(test.fetch(chosen), network.input_scale))
        found[plan.network.neuron, bit_planes(plan)].append(shares)
    for (neuron, planes), networks in sorted(found.items()):
        print(f"{neuron}, {planes} bits, {len(networks)} networks")
        for name, is_head in (("convolutions", False), ("head", True)):
            layers = [
                bits for shares in networks for layer, bits in shares.items() if layer.startswith("head") == is_head
            ]
            means, deviations = np.mean(layers, axis=0), np.std(layers, axis=0)
            print(f"  {name:13}", ", ".join(f"{m:.3f} ±{d:.3f}" for m, d in zip(means, deviations, strict=True)))


if __name__ == "__main__":
    main()
