"""Measure how often the neurons of trained networks send, which the prediction of instructions assumes of others.

    python benchmarks/spike_rates.py runs/a runs/b

Of the integers of each run, on 128 of its test items, and by neuron and bits of its number of spikes: how often each
bit is set, on average over layers, in front of convolutions and of the head (`spikenas.memory.instructions`). Then by
how much the instructions of assumed rates differ from those of the network's own.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from spikenas._util.run_files import CONFIG, QUANTISED
from spikenas.config import Config
from spikenas.deployment.deployment import for_core
from spikenas.integers import IntegerNetwork, as_bytes, bit_shares_of
from spikenas.memory.instructions import assumed_shares, predict_instructions
from spikenas.memory.kernels import bit_planes
from spikenas.task import Task

ITEMS = 128
CORES = ("cortex-m4", "rv32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders with integers")
    found: dict[tuple[str, int], list[dict[str, tuple[float, ...]]]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    for folder in parser.parse_args().runs:
        network = IntegerNetwork.load(folder / QUANTISED)
        plan = network.plan
        if not plan.network.is_spiking:
            continue
        test = Task.of(Config.load(folder / CONFIG)).test
        chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:ITEMS])
        shares = bit_shares_of(network, as_bytes(test.fetch(chosen), network.input_scale))
        found[plan.network.neuron, bit_planes(plan)].append(shares)
        for core in CORES:
            program = for_core(network, core).program
            assumed, own = (predict_instructions(program, each) for each in (assumed_shares(plan), shares))
            if assumed and own:
                errors[core].append(abs(assumed / own - 1))
    for (neuron, planes), networks in sorted(found.items()):
        print(f"{neuron}, {planes} bits, {len(networks)} networks")
        for name, is_head in (("convolutions", False), ("head", True)):
            layers = [
                bits for shares in networks for layer, bits in shares.items() if layer.startswith("head") == is_head
            ]
            means, deviations = np.mean(layers, axis=0), np.std(layers, axis=0)
            rates = ", ".join(f"{m:.3f} ±{d:.3f}" for m, d in zip(means, deviations, strict=True))
            print(f"  {name:13} {rates}; bits that are set in a neuron, at most {max(map(sum, layers)):.2f}")
    for core, each in errors.items():
        print(f"{core}: instructions by assumed rates differ {np.mean(each):.1%}, at most {max(each):.1%}")


if __name__ == "__main__":
    main()
