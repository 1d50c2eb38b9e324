"""Measure the code of the kernels for each core and write the table that the memory model reads.

    python benchmarks/code_sizes.py

Needs the compilers of all cores (docs/deploy.md). A kernel is its section in the object file, rounded up to 4 bytes.
What is left of the linked code of a few networks is fitted by a base (start-up, vectors, memcpy, memset, the network's
functions) and the bytes of a call.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import torch

import spikenas.memory
from spikenas.config import NetworkConfig
from spikenas.data import Statistics
from spikenas.deployment.measure import measure
from spikenas.deployment.toolchain import CORES, FIRMWARE, Core, compile_objects, section_sizes
from spikenas.integers import fold, quantise
from spikenas.snn.network import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model

TABLE = Path(spikenas.memory.__file__).parent / "code_sizes.json"
MARGIN_BYTES = 128  # above the largest error seen, so that what the model lets through the linker does too
KERNELS = ("kernels", "gather", "dense")
NEURONS = (
    {"neuron": "lif"},
    {"neuron": "ilif", "timesteps": 1},
    {"neuron": "ilif"},
    {"neuron": "relu", "timesteps": 1},
)
GENOTYPES = (
    "0-3:conv3x3",
    "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3",
    "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3 / 0-1:avgpool3x3 0-3:skip 1-3:conv3x3",
    "0-1:conv3x3 1-2:conv3x3 2-3:conv3x3 / 0-1:conv3x3 0-3:skip 1-3:dwconv3x3 / 0-2:conv5x5 2-3:conv1x1",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    found = {name: {str(bits): kernels(core, bits) for bits in (16, 8)} for name, core in CORES.items()}
    for sizes in found.values():
        sizes["base"] = {"base": 0, "call": 0}
    _write(TABLE, found)  # what follows reads it
    for name, core in CORES.items():
        found[name]["base"] = base(core)
        print(name, found[name]["base"])
    _write(TABLE, found)


def _write(path: Path, found: dict[str, dict[str, dict[str, int]]]) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def base(core: Core) -> dict[str, int]:
    rows, left = [], []
    for genotype, neuron in product(map(Genotype.parse, GENOTYPES), NEURONS):
        settings = NetworkConfig(channels=4, cells=len(genotype.cells), core=core.name, **neuron)
        network = Network(make_plan(genotype, settings, InputSpec(3, 16, 16, 10)))
        network.train()(torch.randn(32, 3, 16, 16))
        model = Model(network, tuple("0123456789"), Statistics((0.5,) * 3, (0.25,) * 3))
        integers = quantise(fold(model), 1 / 255, model.classes)
        found = measure(integers, [np.zeros((1, 3, 16, 16), dtype=np.int64)])
        steps = found.predicted.program.steps
        rows.append([1, len(steps) + sum(step.record.reset is not None for step in steps)])
        left.append(found.linked.flash_bytes - found.predicted.flash_bytes)
    fitted = np.linalg.lstsq(np.asarray(rows, dtype=float), np.asarray(left, dtype=float), rcond=None)[0]
    print(core.name, left, rows)
    return {"base": round(fitted[0]) + MARGIN_BYTES, "call": round(fitted[1])}


def kernels(core: Core, membrane_bits: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (*(f"{name}.c" for name in KERNELS), "kernels.h", "inline.h", "rows.h"):
            shutil.copy(str(FIRMWARE / file), folder)
        (folder / "membranes.h").write_text(f"#define SNN_MEMBRANE_BITS {membrane_bits}\n")
        return {
            section.removeprefix(".text.snn_"): -(-size // 4) * 4
            for object_ in compile_objects(core, folder, KERNELS)
            for section, size in section_sizes(core, object_).items()
            if section.startswith(".text.snn_")
        }


if __name__ == "__main__":
    main()
