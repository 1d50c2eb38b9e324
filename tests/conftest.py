import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from spikenas.cli import main
from support import SHARED, Main, Spikenas, Unpack


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
