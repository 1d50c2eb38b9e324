import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import write_trials


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
    write_trials(copy / "trials.db", 15625)
    return copy
