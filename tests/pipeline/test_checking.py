from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

import spikenas as sn
from spikenas._util.errors import ConfigError, DataError, GenotypeError, RunError, ScoreError
from spikenas.config import Config
from spikenas.pipeline.checking import check_device, check_machine, check_settings


@pytest.mark.parametrize(
    "device", ["hpu", "cuda:99", "meta", "mkldnn", "gpu", "mps", "xpu:3", "", "cpu:x", "a\nb", "\0"]
)
def test_a_device_that_is_not_here_is_one_line(device: str) -> None:
    with pytest.raises(RunError, match=r"^device '.*' cannot be used by PyTorch here; available: cpu") as caught:
        check_device(device)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "value", "kind", "problem"),
    [
        ("device", "hpu", RunError, "device 'hpu' cannot be used"),
        ("search.strategy", "spike", ConfigError, "unknown strategy 'spike'"),
        ("search.score", "cmr", ScoreError, "unknown score 'cmr', did you mean 'cmrr'"),
        ("enhancement.by", "trian", ScoreError, "did you mean 'train'"),
        ("enhancement.analysis", "~/nowhere", ConfigError, "~/nowhere: no such folder"),
        ("space.ops", ["skip", "conv9x9"], GenotypeError, "unknown op 'conv9x9'"),
        ("executor", {"kind": "pool", "address": "10.0.0.1:6379"}, ConfigError, "is for executor.kind ray, not pool"),
        ("executor", {"kind": "in-process", "workers": 2}, ConfigError, "2 asked, executor.kind in-process has one"),
        ("data.name", "digts", DataError, "did you mean 'digits'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_before_anything_is_written(
    tmp_path: Path, key: str, value: Any, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        check_settings(Config().but({key: value}))
    with pytest.raises(kind, match=problem):
        sn.run(out=tmp_path / "r", settings={key: value}, progress=False)
    assert not (tmp_path / "r").exists()


def test_tensorboard_that_is_not_installed_is_said_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"train.tensorboard": True}
    found = importlib.util.find_spec
    hidden = ("tensorboard", "tensorboardX")
    monkeypatch.setattr("spikenas.pipeline.checking.find_spec", lambda name: name not in hidden and found(name))
    said = r"^train\.tensorboard: TensorBoard is not installed; pip install 'spikenas\[tensorboard\]'$"
    with pytest.raises(ConfigError, match=said):
        sn.run("digits", out=tmp_path / "r", settings=asked, progress=False)
    with pytest.raises(ConfigError, match=said):
        sn.train(sn.Task("digits", settings=asked), "0-3:skip", out=tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


def test_settings_are_checked_on_the_cpu_without_torch() -> None:
    import subprocess

    script = "import sys; from spikenas.config import Config; from spikenas.pipeline.checking import check_settings\n"
    script += "check_settings(Config()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"network.layer_bits": ["cell9=4"]}, "'cell9' is no stage and no layer with weights"),
        ({"network.cells": 64}, "too small for 64 cells"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], problem: str
) -> None:
    asked = {"enhancement.enabled": False, "network.channels": 4, **settings}
    with pytest.raises(sn.SpikeNASError, match=problem):
        sn.run("digits", out=tmp_path / "r", settings=asked, progress=False)
    assert not (tmp_path / "r" / "config.toml").exists()


def test_a_precision_that_is_not_there_is_an_error_before_anything_is_written() -> None:
    check_machine(Config.parse({"train": {"precision": "auto"}}))
    with pytest.raises(RunError, match=r"^train\.precision: this processor does not train in fp16"):
        check_machine(Config.parse({"train": {"precision": "fp16"}}))
