import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from spikenas.cli import main
from support import SHARED, SMALL, Main, Spikenas, Unpack


def pytest_configure() -> None:
    """One thread for each process, since tests run side by side; before anything imports torch."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def process(tmp_path: Path) -> Spikenas:
    """Runs the command line in a process of its own, in an empty folder."""

    def call(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "spikenas", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, **options)  # type: ignore[call-overload,no-any-return]

    return call


@pytest.fixture
def spikenas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spikenas:
    """The same in this process, which takes no seconds to begin; only what it prints is caught."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["spikenas", *map(str, arguments)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setenv("COLUMNS", "80")
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        return subprocess.CompletedProcess(command, int(left.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def run(spikenas: Spikenas) -> Main:
    """The same: status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        done = spikenas(*arguments)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope="session")
def unpack(tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """Unpack an archive of the shared data folder, once; skip where there is none."""

    @cache
    def extract(archive: str) -> Path:
        if not (SHARED / archive).exists():
            pytest.skip(f"no {archive} in the shared data folder")
        folder = tmp_path_factory.mktemp("shared")
        subprocess.run(["tar", "xJf", str(SHARED / archive), "-C", str(folder)], check=True)
        return next(folder.iterdir())

    return extract


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder of a name once, for all processes that run tests side by side; nobody may change it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, marker = root / "once" / name, root / "once" / f"{name}.made"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(root / "once" / f"{name}.lock"):
            if not marker.exists():
                make(folder)
                marker.touch()
        return folder

    return made


def command_line(*arguments: object) -> None:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "spikenas", *map(str, arguments)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="session")
def trained(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A run on digits that was trained for two epochs and quantised, without a target."""
    return once(
        "trained",
        lambda folder: command_line(
            "run", *SMALL, "--no-enhance", "--epochs", 2, "--set", "threads=1", "--out", folder
        ),
    )


@pytest.fixture(scope="session")
def deployed(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A run on digits of all stages, with a space that was decided, for a device."""

    def make(folder: Path) -> None:
        decide = ("enhance", "--data", "digits", "--target", "stm32f103", "--seeds", 5, "--draws", 2, "--cells", 1)
        settings = ("--set", "space.shared=true", "--set", "fidelity.repeats=1", "--channels", 8)
        command_line(*decide, *settings, "--out", folder, "--quiet")
        command_line("run", "--out", folder, "--epochs", 2, "--quiet")

    return once("deployed", make)
