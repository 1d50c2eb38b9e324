"""Count the firmware's instructions a synop, or a product, on each core.

    python benchmarks/bench_kernels.py

Untrained networks of two cells of three 3x3 convolutions, 16x16 pixels and 8x8 behind, of each neuron. `ilif` neurons
send at about the rates of trained ones.
"""

from __future__ import annotations

import argparse
from math import prod

import common  # noqa: F401  which finds the networks of the tests
import numpy as np

from programs import frames_for, integers_of
from spikenas.config import NetworkConfig
from spikenas.deployment.measure import measure
from spikenas.deployment.toolchain import CORES
from spikenas.integers import synops_of
from spikenas.space import Genotype, InputSpec, make_plan

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
NETWORKS = (
    ("ilif", 1, 24, 8),
    ("ilif", 1, 24, 4),
    ("ilif", 1, 24, 2),
    ("ilif", 1, 48, 8),
    ("lif", 4, 24, 8),
    ("relu", 1, 24, 8),
    ("relu", 1, 24, 4),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", nargs="*", choices=list(CORES), default=list(CORES))
    cores = parser.parse_args().cores
    print("million instructions, and of each synop or product, by core")
    print("neuron T width bits   synops or products", *(f"{core:>16}" for core in cores))
    for neuron, timesteps, width, bits in NETWORKS:
        found = []
        for core in cores:
            settings = NetworkConfig(
                core=core, neuron=neuron, timesteps=timesteps, channels=width, weight_bits=bits, stem_stride=2
            )
            plan = make_plan(Genotype.parse(f"{CELL} / {CELL}"), settings, InputSpec(2, 32, 32, 3))
            network, frames = integers_of(plan), list(frames_for(plan, 4))
            measured = measure(network, frames)
            assert measured.images_equal == len(frames)
            products = sum(layer.weights * prod(layer.shape[1:]) for layer in plan.layers if layer.kind == "conv")
            operations = synops_of(network, np.stack(frames, axis=1).astype(np.uint8)) or products
            found.append(f"{measured.instructions / 1e6:8.2f} ({measured.instructions / operations:5.2f})")
        print(f"{neuron:6} {timesteps} {width:5} {bits:4} {operations:20,.0f}", *(f"{one:>16}" for one in found))


if __name__ == "__main__":
    main()
