"""Names that several test modules and fixtures use."""

import subprocess
from collections.abc import Callable
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared" / "data"
TINY = (
    *("--data", "digits", "--channels", "4", "--timesteps", "2", "--set", "train.epochs=2"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "space.nodes=3"),
)

Spikenas = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]  # status, standard output, standard error
Unpack = Callable[[str], Path]
