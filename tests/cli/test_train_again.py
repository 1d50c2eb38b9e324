"""A training that goes on, or begins anew, without losing the search."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import spikenas as sn
from spikenas._util.errors import RunError
from spikenas._util.run_files import BEST, CHECKPOINT, LOG, MODEL, TRAININGS, TRIALS
from spikenas.config import Config
from spikenas.pipeline.stages import State, next_stage
from spikenas.reporting import load_run
from spikenas.training.epochs import kept_epoch, read_log
from support import Main


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def next_of(folder: Path) -> str | None:
    stage = next_stage(State(folder, Config.load(folder / "config.toml")))
    return stage and stage.name


def command_in(error: str) -> list[str]:
    """The command that a message names."""
    (command,) = re.findall(r"spikenas train --again [^']*", " ".join(error.split()))
    return shlex.split(command)[1:]


@pytest.mark.parametrize("command", ["train", "run"])
def test_more_epochs_go_on(run: Main, folder: Path, command: str) -> None:
    before = read_log(folder / LOG)
    searched = [(folder / name).read_bytes() for name in (BEST, TRIALS)]
    status, out, err = run(command, "--out", folder, "--epochs", 4, "--json", "--quiet")
    assert (status, err) == (0, "")
    epochs = read_log(folder / LOG)
    assert epochs[:2] == before
    assert len(epochs) == json.loads(out)["epochs"] == 4
    assert [(folder / name).read_bytes() for name in (BEST, TRIALS)] == searched
    kept = kept_epoch(epochs, Config.load(folder / "config.toml").train)
    assert json.loads(out)["validation_accuracy"] == kept.validation_accuracy
    assert max(epoch.validation_accuracy for epoch in epochs[2:]) > max(epoch.validation_accuracy for epoch in before)
    assert next_of(folder) == json.loads(out)["next"] == ("quantise" if command == "train" else None)


def test_other_settings_are_refused_with_the_command_that_works(run: Main, folder: Path) -> None:
    old = {name: (folder / name).read_bytes() for name in (MODEL, CHECKPOINT, LOG, "config.toml")}
    status, _, err = run("run", "--out", folder, "--set", "train.lr=0.05", "--set", "train.batch=32", "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert {name: (folder / name).read_bytes() for name in old} == old
    asked = command_in(err)
    assert asked == [
        *("train", "--again", "--out", str(folder), "--set", "train.batch=32", "--set", "train.lr=0.05"),
    ]
    assert run(*asked, "--quiet")[0] == 0
    config = Config.load(folder / "config.toml")
    assert (config.train.lr, config.train.batch, config.train.epochs) == (0.05, 32, 2)
    assert {name: (folder / TRAININGS / "1" / name).read_bytes() for name in old} == old
    assert (folder / MODEL).read_bytes() != old[MODEL]
    assert next_of(folder) == "quantise", "integers and evaluation are of another model"
    stale = json.loads(run("train", "--out", folder, "--json", "--quiet")[1])
    assert not {"test_accuracy", "quantised_test_accuracy", "synops"} & stale.keys(), "of another model"
    assert load_run(folder).evaluation is None
    found = json.loads(run("evaluate", "--out", folder, "--json", "--quiet")[1])
    assert "quantised_test_accuracy" not in found
    assert run("run", "--out", folder, "--quiet")[0] == 0
    assert next_of(folder) is None


def test_fewer_epochs_are_refused_with_the_command_that_works(run: Main, folder: Path) -> None:
    status, _, err = run("train", "--out", folder, "--epochs", 1, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "was made with train.epochs = 2, not 1" in err
    assert run(*command_in(err), "--quiet")[0] == 0
    assert len(read_log(folder / LOG)) == 1


def test_a_loss_that_is_infinite_names_a_command_that_works(run: Main, folder: Path) -> None:
    wild = tuple(f"--set=train.{text}" for text in ("lr=100.0", "weight_decay=1.0", "warmup=0.0", "batch=32"))
    status, _, err = run("train", "--again", "--out", folder, *wild, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "the training loss became nan in epoch 1" in err
    assert next_of(folder) == "train"
    assert run(*command_in(err), "--quiet")[0] == 0
    assert Config.load(folder / "config.toml").train.lr == 0.1


def test_what_is_refused_sets_nothing_aside(run: Main, folder: Path) -> None:
    for words in (("--set", "network.channels=8"), ("--device", "cuda:77"), ("--set", "train.lr=-1")):
        status, _, err = run("train", "--again", "--out", folder, *words, "--quiet")
        assert (status, len(err.splitlines())) == (2, 1)
    assert not (folder / TRAININGS).exists()
    assert next_of(folder) is None


def test_killed_anywhere_the_former_training_is_whole_somewhere(
    run: Main, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (MODEL, CHECKPOINT, LOG)
    old = {name: (folder / name).read_bytes() for name in names}
    calls = {"left": 0}

    def killing(function: str) -> None:
        owner, _, name = function.rpartition(".")
        real = getattr(shutil if owner == "shutil" else Path, name)

        def maybe(*arguments: object, **named: object) -> object:
            if str(folder) in str(arguments[0]) and "lock" not in str(arguments[0]):
                calls["left"] -= 1
                if calls["left"] < 0:
                    raise KeyboardInterrupt
            return real(*arguments, **named)

        monkeypatch.setattr(shutil if owner == "shutil" else Path, name, maybe)

    for function in ("shutil.copy2", "Path.rename", "Path.unlink"):
        killing(function)
    for number in range(20):
        calls["left"] = number
        status = run("train", "--again", "--out", folder, "--epochs", 1, "--quiet")[0]
        places = [folder, *(folder / TRAININGS).glob("[0-9]")]
        whole = [all((place / name).exists() for name in names) for place in places]
        assert any(
            ok and {name: (place / name).read_bytes() for name in names} == old
            for ok, place in zip(whole, places, strict=True)
        ), number
        if status == 0:
            break
        assert status == 130
    assert 4 < number < 19


def test_again_in_python(tmp_path: Path) -> None:
    task = sn.Task("digits", settings={"network.channels": 4, "network.cells": 1})
    sn.train(task, "0-3:conv3x3", epochs=1, out=tmp_path / "t", progress=False)
    first = (tmp_path / "t" / MODEL).read_bytes()
    sn.train(task, "0-3:conv3x3", epochs=2, out=tmp_path / "t", progress=False)
    assert len(read_log(tmp_path / "t" / LOG)) == 2
    slower = task.but({"train.lr": 0.02})
    with pytest.raises(
        RunError, match=r"train\.lr = 0\.1, not 0\.02; choose another folder, or again=True trains anew"
    ):
        sn.train(slower, "0-3:conv3x3", epochs=2, out=tmp_path / "t", progress=False)
    sn.train(slower, "0-3:skip", epochs=1, out=tmp_path / "t", again=True, progress=False)
    assert len(read_log(tmp_path / "t" / LOG)) == 1
    sn.train(task, "0-3:conv3x3", epochs=1, out=tmp_path / "t", again=True, progress=False)
    assert (tmp_path / "t" / MODEL).read_bytes() == first
    assert sorted(path.name for path in (tmp_path / "t" / TRAININGS).iterdir()) == ["1", "2"]
