"""A run that is killed at random moments ends as if it had not been."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikenas.training.checkpoint import load_tensors

KILLS = 10
MOST_ATTEMPTS = 60  # a run that ends before it is killed does not count
RUN = (
    *(
        "run",
        "--no-enhance",
        "--data",
        "digits",
        "--flash",
        "24KiB",
        "--timesteps",
        "3",
        "--epochs",
        "12",
        "--set",
        "threads=1",
    ),
    *("--set", "search.refine=2", "--set", "fidelity.batch=64", "--quiet"),
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "spikenas", *RUN, "--out", str(folder)], stderr=subprocess.DEVNULL)


def trials(folder: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "trials.db")
    rows = connection.execute(
        "SELECT position, step, genotype, status, score, params, flash_bytes, ram_bytes FROM trials ORDER BY position"
    ).fetchall()
    connection.close()
    return rows


def kill_within(folder: Path, first: str, last: str, rng: random.Random) -> None:
    """Start the run and kill it at a random moment between the appearance of two of its files."""
    process = start(folder)
    while not (folder / first).exists():
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 2.0))
    if process.poll() is None and not (folder / last).exists():
        process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_killed_ten_times_in_the_search_and_ten_times_in_the_training(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert start(whole).wait() == 0
    rng, killed = random.Random(time.time_ns()), {"search": 0, "training": 0}
    for _ in range(MOST_ATTEMPTS):
        if killed["search"] == KILLS:
            break
        kill_within(parts, "config.toml", "best.json", rng)
        if (parts / "best.json").exists():
            shutil.rmtree(parts)
        else:
            killed["search"] += 1
    for _ in range(MOST_ATTEMPTS):
        if killed["training"] == KILLS:
            break
        kill_within(parts, "best.json", "evaluation.json", rng)
        if (parts / "evaluation.json").exists():
            for name in ("evaluation.json", "checkpoint.safetensors", "model.safetensors", "train.csv"):
                (parts / name).unlink()
        else:
            killed["training"] += 1
    assert killed == {"search": KILLS, "training": KILLS}
    assert start(parts).wait() == 0
    assert (parts / "best.json").read_bytes() == (whole / "best.json").read_bytes()
    assert trials(parts) == trials(whole)
    for name in ("checkpoint.safetensors", "model.safetensors"):
        one, other = load_tensors(whole / name)[0], load_tensors(parts / name)[0]
        assert one.keys() == other.keys()
        assert all((one[key] == other[key]).all() for key in one), name


@pytest.mark.slow
def test_an_analysis_that_is_killed_ends_with_the_same_files(tmp_path: Path) -> None:
    def analyse(folder: Path) -> subprocess.Popen[bytes]:
        short = ("--set", "short_training.images=200", "--set", "short_training.epochs=2", "--set", "space.nodes=3")
        asked = ("analyze", "--data", "digits", "--by", "cmrr,train", "--seeds", "5", "--draws", "2", *short, "--quiet")
        return subprocess.Popen([sys.executable, "-m", "spikenas", *asked, "--out", str(folder)])

    def files(folder: Path) -> dict[str, bytes]:
        made = (path for path in folder.rglob("*") if path.suffix in (".json", ".svg", ".csv"))
        return {str(path.relative_to(folder)): path.read_bytes() for path in made if path.parent.name != "scores"}

    assert analyse(tmp_path / "whole").wait() == 0
    rng, killed = random.Random(time.time_ns()), 0
    for _ in range(MOST_ATTEMPTS):
        process = analyse(tmp_path / "parts")
        time.sleep(rng.uniform(2, 10))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        killed += 1
    assert killed
    assert analyse(tmp_path / "parts").wait() == 0
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
