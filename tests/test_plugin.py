"""A package in tests/plugin brings a score, a strategy, a data source and a target; it is installed and found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed in it, as pip does."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for file in PLUGIN.glob("*.*"):
        (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(source)], check=True, capture_output=True)
    return folder


def python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "400"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300, check=False
    )


def test_help_lists_what_a_package_brings(installed: Path, tmp_path: Path) -> None:
    said = python(installed, tmp_path, "-m", "spikenas", "run", "--help").stdout
    for name in ("wide", "backwards", "stripes", "teapot"):
        assert name in said


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("--score wied", "wide"),
        ("--strategy backward", "backwards"),
        ("--data strips", "stripes"),
        ("--target teapt", "teapot"),
    ],
)
def test_a_mistyped_name_leads_to_it(installed: Path, tmp_path: Path, options: str, name: str) -> None:
    done = python(installed, tmp_path, "-m", "spikenas", "search", *options.split())
    assert done.returncode == 2
    assert f"did you mean {name!r}?" in done.stderr


@pytest.mark.slow
def test_the_command_line_runs_with_all_of_them(installed: Path, tmp_path: Path) -> None:
    options = "--data stripes --score wide --strategy backwards --target teapot --evaluations 3 --workers 2 --cells 1"
    done = python(installed, tmp_path, "-m", "spikenas", "search", *options.split(), "--json", "--out", "r")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["score_name"], found["trials"]) == ("wide", 3)
    assert found["budget"]["ram"] == 32 * 1024
    assert 'core = "cortex-m0"' in (tmp_path / "r" / "config.toml").read_text()


def test_python_does_too(installed: Path, tmp_path: Path) -> None:
    code = """
import spikenas as sn
settings = {"search.score": "wide", "search.strategy": "backwards", "search.evaluations": 3, "network.cells": 1}
task = sn.Task("stripes", target="teapot", settings=settings)
found = sn.search(task, progress=False)
print(task.classes, task.config.train.flip, found.task.config.network.core, len(found.candidates))
"""
    done = python(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "('along', 'across') True cortex-m0 3"


def test_a_package_that_cannot_be_imported_is_one_line(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "broken-1.0.dist-info").mkdir(parents=True)
    (site / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    entry = "[spikenas.scores]\nbroken = not_there_at_all:SCORE\n"
    (site / "broken-1.0.dist-info" / "entry_points.txt").write_text(entry)
    options = ("--data", "digits", "--score", "broken", "--out", "r", "--cells", "1")
    done = python(site, tmp_path, "-m", "spikenas", "search", *options)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("spikenas: score 'broken': not_there_at_all:SCORE cannot be loaded")


def test_a_name_that_two_packages_register_is_refused(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "double-1.0.dist-info").mkdir(parents=True)
    (site / "double-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: double\nVersion: 1.0\n")
    (site / "double-1.0.dist-info" / "entry_points.txt").write_text("[spikenas.scores]\ncmrr = elsewhere:SCORE\n")
    code = "from spikenas.scores import SCORES; SCORES.find('sahd'); SCORES.find('cmrr')"
    done = python(site, tmp_path, "-c", code)
    assert done.returncode == 1
    assert "ScoreError: score 'cmrr': registered by spikenas and double" in done.stderr
