import shutil
from pathlib import Path

import pytest

from support import write_trials


@pytest.fixture(scope="session")
def folder(deployed: Path) -> Path:
    """A run of all stages; nobody changes it."""
    return deployed


@pytest.fixture(scope="session")
def large(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, as if its search had looked at all 15,625 cells of SpikeNAS-Bench."""
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("large") / "run"))
    (copy / "trials.db").unlink()
    write_trials(copy / "trials.db", 15625)
    return copy
