"""What several test modules use."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Spikenas = Callable[..., subprocess.CompletedProcess[str]]
TINY = (
    *("--data", "digits", "--channels", "4", "--timesteps", "2", "--set", "train.epochs=2"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "space.nodes=3"),
)


@pytest.fixture
def spikenas(tmp_path: Path) -> Spikenas:
    """Runs the command line in a process of its own, in an empty folder."""

    def call(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "spikenas", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, **options)  # type: ignore[call-overload,no-any-return]

    return call
