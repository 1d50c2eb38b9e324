import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from spikenas.cli import main
from support import SHARED, Main, Spikenas, Unpack


@pytest.fixture
def spikenas(tmp_path: Path) -> Spikenas:
    """Runs the command line in a process of its own, in an empty folder."""

    def call(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "spikenas", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, **options)  # type: ignore[call-overload,no-any-return]

    return call


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """Run the command line in this process: status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spikenas", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "160")
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

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
