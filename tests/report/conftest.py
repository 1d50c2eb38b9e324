import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikenas.search import Trial, TrialStore
from spikenas.space.genotype import pairs


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all stages, with a space that was decided; nobody changes it."""
    path = tmp_path_factory.mktemp("report") / "digits"
    spikenas = [sys.executable, "-m", "spikenas"]
    decide = ["enhance", "--data", "digits", "--target", "stm32f103", "--seeds", "5", "--draws", "2", "--cells", "1"]
    shared = ["--set", "space.shared=true", "--channels", "8", "--timesteps", "2", "--out", str(path), "--quiet"]
    subprocess.run([*spikenas, *decide, *shared], check=True)
    subprocess.run([*spikenas, "run", "--out", str(path), "--epochs", "2", "--quiet"], check=True)
    return path


@pytest.fixture(scope="session")
def large(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, as if its search had looked at all 15,625 cells of SpikeNAS-Bench."""
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("large") / "run"))
    (copy / "trials.db").unlink()
    ops = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")
    with TrialStore(copy / "trials.db") as store, store._connection:
        for n in range(15625):
            edges = [f"{i}-{j}:{ops[n // 5**k % 5]}" for k, (i, j) in enumerate(pairs(4))]
            score, memory = n * 7919 % 1000 / 37, (5000 + n, 9000 + n, 7000 + n % 900)
            trial = Trial(n, f"cell {1 + n % 2}", " ".join(edges), "scored", score, *memory, 0.1, None)
            values = tuple(vars(trial).values())
            store._connection.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(values))})", values)
    return copy
