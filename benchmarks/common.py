"""What the benchmarks share: interleaved timing, and what machine it was."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the networks that the tests make
PACKAGES = ("torch", "numba", "numpy", "spikingjelly", "snntorch")


def interleaved(
    runs: dict[str, Callable[[], object]], rounds: int, ours: str, clock: Callable[[], float] = time.perf_counter
) -> dict[str, dict[str, float]]:
    """Time each run once a round, in turn; the first round is not counted.

    Returns:
        For each name the median and the minimum in seconds, and the median over rounds of its time over that of `ours`
        (more than 1: ours is faster).
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if number:
                times[name].append(clock() - start)
    return {
        name: {
            "median_s": statistics.median(values),
            "min_s": min(values),
            "ratio": statistics.median(value / own for value, own in zip(values, times[ours], strict=True)),
        }
        for name, values in times.items()
    }


def machine() -> dict[str, Any]:
    """CPU, cores, threads, versions and commit."""
    cpu = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((s.split(":")[1].strip() for s in info.read_text().splitlines() if "model name" in s), cpu)
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {package: version for package in PACKAGES if (version := _version(package))},
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or None,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
