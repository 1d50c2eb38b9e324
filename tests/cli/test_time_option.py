"""`--time`, in the place of epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikenas.config import Config
from spikenas.records import QUANTISATION_FILE
from spikenas.training.epochs import behind, read_log
from support import SMALL, Main


@pytest.fixture
def searched(run: Main, tmp_path: Path) -> Path:
    assert run("search", *SMALL, "--out", tmp_path / "r")[0] == 0
    return tmp_path / "r"


def test_a_training_and_its_fine_tuning_take_the_time_given(run: Main, searched: Path) -> None:
    status, _, stderr = run("train", "--out", searched, "--time", "2s", "--quiet")
    assert (status, stderr) == (0, "")
    assert 2 <= behind(read_log(searched / "train.csv"), timed=True) < 4
    assert Config.load(searched / "config.toml").train.time == 2
    assert run("quantise", "--out", searched, "--bits", "4", "--quiet")[0] == 0
    said = QUANTISATION_FILE.read(searched)
    tuned = read_log(next((searched / "tuning").glob("*/train.csv")))
    assert said["epochs"] == len(tuned)
    assert 0.2 <= behind(tuned, timed=True) < 2


def test_it_does_not_go_with_epochs(run: Main, searched: Path) -> None:
    status, _, stderr = run("train", "--out", searched, "--time", "2s", "--epochs", "3", "--quiet")
    assert (status, stderr) == (2, "spikenas: --epochs and --time: give one of them\n")
    given = ("--set", "train.epochs=3", "--set", "train.time=2s")
    assert run("train", "--out", searched, *given, "--quiet")[2].endswith("train.time: give one of them\n")


def test_epochs_after_a_time_are_another_training(run: Main, searched: Path) -> None:
    assert run("train", "--out", searched, "--time", "1s", "--quiet")[0] == 0
    status, _, stderr = run("train", "--out", searched, "--epochs", "3", "--quiet")
    assert status == 2
    assert "was made with train.time = 1.0" in stderr
    assert stderr.count("\n") == 1
    assert run("train", "--out", searched, "--again", "--epochs", "3", "--quiet")[0] == 0
    assert len(read_log(searched / "train.csv")) == 3


@pytest.mark.parametrize(("text", "said"), [("0s", "time"), ("soon", "soon"), ("-1m", "time")])
def test_no_time_at_all_is_one_line(run: Main, searched: Path, text: str, said: str) -> None:
    status, _, stderr = run("train", "--out", searched, f"--time={text}", "--quiet")
    assert status == 2
    assert stderr.count("\n") == 1
    assert said in stderr
