"""Names that several test modules and fixtures use."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

from spikenas.config import Config, DataConfig
from spikenas.data import DataSet
from spikenas.nas import Trial, TrialStore
from spikenas.space.cell import pairs
from spikenas.task import Task

SHARED = Path(__file__).parents[2] / "shared" / "data"
TINY = (
    *("--data", "digits", "--channels", "4", "--set", "train.epochs=2"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "space.nodes=3"),
)

SMALL = ("--data", "digits", "--cells", 1, "--channels", 4, "--stem-stride", 1, "--quiet")

Spikenas = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]  # status, standard output, standard error
Unpack = Callable[[str], Path]


_LIGHT = """
import sys
from spikenas.cli import main
sys.argv = ["spikenas", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"torch", "torchvision", "numba", "sklearn", "accelerate"} & set(sys.modules)
    print(f"heavy: {sorted(heavy)}", file=sys.stderr)
"""


def lightly(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which says last what it imported that takes seconds."""
    command = [sys.executable, "-c", _LIGHT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"}, check=False)


def write_images(folder: Path, each: int) -> None:
    """A folder of images with so many digits of each class, 8x8."""
    digits = load_digits()
    for label in map(int, set(digits.target)):
        (folder / str(label)).mkdir(parents=True)
        for number, pixels in enumerate(digits.images[digits.target == label][:each]):
            Image.fromarray((pixels * 15.9).astype("uint8")).save(folder / str(label) / f"{number}.png")


def write_trials(path: Path, count: int) -> None:
    """A trial store of cells of SpikeNAS-Bench's ops, with figures that mean nothing."""
    ops = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")
    with TrialStore(path) as store, store._connection:
        for n in range(count):
            edges = [f"{i}-{j}:{ops[n // 5**k % 5]}" for k, (i, j) in enumerate(pairs(4))]
            score, memory = n * 7919 % 1000 / 37, (5000 + n, 9000 + n, 7000 + n % 900)
            trial = Trial(n, f"cell {1 + n % 2}", " ".join(edges), "scored", score, *memory, 0.1, None)
            values = tuple(vars(trial).values())
            store._connection.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(values))})", values)


def load(config: DataConfig, seed: int) -> DataSet:
    """A data set, opened, looked at and divided."""
    return Task.of(Config(data=config, seed=seed)).dataset
