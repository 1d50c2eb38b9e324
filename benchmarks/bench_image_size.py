"""Test accuracy by image size, at equal epochs, of one wiring at the width that suits the limits.

    python benchmarks/bench_image_size.py FOLDER --target stm32f405 --epochs 20 [--sizes 32,24,16]
    python benchmarks/bench_image_size.py FOLDER --flash 48KiB --ram 16KiB --epochs 20

Two cells of conv3x3 and skip, T = 2, a learning rate of 0.4, seed 0, one thread.
"""

from __future__ import annotations

import argparse

import spikenas as sn

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
SETTINGS = {"network.timesteps": 2, "train.lr": 0.4, "threads": 1}


def main() -> None:
    """Train at each size and print a line of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--sizes", default="32,24,16")
    parser.add_argument("--epochs", type=int, default=20)
    for limit in ("target", "flash", "ram"):
        parser.add_argument(f"--{limit}")
    asked = parser.parse_args()
    print("| size | channels | test accuracy |\n|---|---|---|")
    for size in map(int, asked.sizes.split(",")):
        limits = {"target": asked.target, "flash": asked.flash, "ram": asked.ram}
        task = sn.Task(asked.data, image_size=size, settings=SETTINGS, **limits).sized()
        model = sn.train(task, f"{CELL} / {CELL}", epochs=asked.epochs, progress=False)
        found = sn.evaluate(model, task.test)
        print(f"| {size} | {task.config.network.channels} | {found.accuracy:.1%} |", flush=True)


if __name__ == "__main__":
    main()
