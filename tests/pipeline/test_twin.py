"""The ordinary network that is trained beside a run's own: the same plan, items and time."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

import spikenas as sn
from spikenas.config import Config
from spikenas.pipeline.stages import State, next_stage
from support import SMALL, Main

WITH_TWIN = ("run", *SMALL, "--no-enhance", "--epochs", 12, "--set", "search.evaluations=2", "--twin", "--out", "r")


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


@pytest.mark.slow
def test_a_twin_has_the_plan_the_items_and_the_time_of_its_run(
    run: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # the firmware is written, not built
    status, out, err = run(*(word for word in WITH_TWIN if word != "--quiet"), "--json")
    assert status == 0, err
    found, folder, twin = json.loads(out), tmp_path / "r", tmp_path / "r" / "twin"
    own, other = Config.load(folder / "config.toml"), Config.load(twin / "config.toml")
    assert (other.network.neuron, other.network.timesteps, other.twin) == ("relu", 1, False)
    assert (folder / "manifest.csv").read_bytes() == (twin / "manifest.csv").read_bytes()
    assert found["twin"]["genotype"] == found["genotype"]
    assert found["twin"]["params"] == found["params"]
    seconds = found["training_seconds"]
    assert seconds <= (other.train.time or 0) < seconds + 1
    assert "twin: training" in err
    assert found["twin"]["quantised_test_accuracy"] > 0.5
    (said,), (read,) = found["verdict"], sn.load(folder).verdict
    assert said == json.loads(json.dumps(read.as_json()))
    assert said["other"]["accuracy"] == found["twin"]["quantised_test_accuracy"]
    assert [aim["name"] for aim in said["aims"]] == ["accuracy", "flash", "RAM", "instructions"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"Beside an ordinary network: {said['sentence']}" in unescape(page)

    assert next_stage(State(folder, own)) is None
    before = stamps(twin)
    assert run(*WITH_TWIN)[0] == 0
    assert stamps(twin) == before, "what is done is not done again"

    loaded = sn.load(folder)
    assert isinstance(loaded, sn.RunResult)
    assert loaded.twin is not None
    assert loaded.twin.accuracy == found["twin"]["quantised_test_accuracy"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Beside an ordinary network" in page

    status, out, err = run("train", "--out", "r", "--epochs", 15, "--json")
    assert status == 0, err
    following = next_stage(State(folder, Config.load(folder / "config.toml")))
    assert following is not None
    status, out, err = run("run", "--out", "r", "--json")
    assert status == 0, err
    assert "accuracy with relu" in repr(sn.load(folder))
    again = json.loads(out)
    longer = Config.load(twin / "config.toml").train.time or 0
    assert again["training_seconds"] <= longer < again["training_seconds"] + 1
    assert (longer > (other.train.time or 0)) == (twin / "trainings" / "1").exists(), "trained anew, the former kept"

    (twin / "evaluation.json").write_text('{"a":')
    damaged = sn.load(folder)
    assert damaged.twin is None
    assert any("twin/evaluation.json" in line for line in damaged.unreadable)
    _, shown, _ = run("evaluate", "--out", "r")
    assert "spikenas run --twin --out r" in shown


def test_a_run_that_wants_no_twin_has_none(run: Main, tmp_path: Path) -> None:
    status, _, err = run(*(word for word in WITH_TWIN if word != "--twin"))
    assert status == 0, err
    assert not (tmp_path / "r" / "twin").exists()
