"""The table of stages: whoever asks what is next, done or missing gets the same answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spikenas._util import run_files
from spikenas._util.errors import ConfigError, RunError
from spikenas.config import Config
from spikenas.pipeline.stages import STAGES, State, next_stage, require_input, require_run, written_by
from spikenas.reporting import load_run
from support import Main, lightly

IN_ORDER = ["enhance", "search", "train", "quantise", "evaluate", "deploy"]


@pytest.fixture
def folder(deployed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(deployed, tmp_path / "run"))


def test_each_stage_has_a_function_and_needs_what_one_before_writes() -> None:
    assert list(STAGES) == [*IN_ORDER, "twin"]
    for number, stage in enumerate(STAGES.values()):
        assert callable(stage.function())
        if stage.needs:
            assert IN_ORDER.index(written_by(stage.needs).name) < number
    sections = [section for stage in STAGES.values() for section in stage.fixes]
    assert len(sections) == len(set(sections)), "one stage fixes a setting"
    assert set(sections) <= set(Config.model_fields)
    known = {value for name, value in vars(run_files).items() if name.isupper()}
    for name in (name for stage in STAGES.values() for name in (stage.result, *stage.writes)):
        assert name in known or set(name.split("/")) <= known, "a file of a run, or one in a folder of it"


def test_the_table_needs_no_torch() -> None:
    assert lightly("train", "--out", "nowhere").stderr.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("name", [name for name in IN_ORDER if name != "enhance"])
def test_a_stage_whose_result_is_gone_is_next_for_everybody(run: Main, folder: Path, name: str) -> None:
    for path in folder.glob(STAGES[name].result):
        path.unlink()
    config = Config.load(folder / "config.toml")
    following = next_stage(State(folder, config))
    assert following is not None
    assert following.name == name
    assert load_run(folder).status.startswith(f"{name} is next")
    if name != "search":
        done = run("evaluate", "--out", folder, "--json", "-q") if name in ("deploy", "train") else None
        if done:
            assert json.loads(done[1])["next"] == name


def test_a_finished_run_is_complete_for_everybody(run: Main, folder: Path) -> None:
    assert next_stage(State(folder, Config.load(folder / "config.toml"))) is None
    assert load_run(folder).status == "complete"
    assert json.loads(run("evaluate", "--out", folder, "--json", "-q")[1])["next"] is None


def test_the_report_is_not_complete_where_integers_are_next(folder: Path) -> None:
    (folder / "quantised.safetensors").unlink()
    assert load_run(folder).status == "quantise is next"
    damaged = folder / "evaluation.json"
    damaged.write_text("{")
    assert load_run(folder).status == "quantise is next"


def test_what_a_stage_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run folder; 'spikenas search --out .*' makes one"):
        require_run(tmp_path)
    with pytest.raises(RunError, match=r"quantised\.safetensors: no such file; 'spikenas quantise --out .*' writes it"):
        require_input(STAGES["deploy"], tmp_path)


def test_whether_enhancement_runs_follows_from_settings(tmp_path: Path) -> None:
    enhance = STAGES["enhance"]
    assert enhance.wanted(State(tmp_path, Config()))
    assert not enhance.wanted(State(tmp_path, Config().but({"enhancement.enabled": False})))
    (tmp_path / "config.toml").touch()
    assert not enhance.wanted(State(tmp_path, Config())), "a search was prepared without it"
    (tmp_path / "enhance").mkdir()
    (tmp_path / "enhance" / "config.toml").touch()
    assert enhance.wanted(State(tmp_path, Config())), "it was killed while it decided anew"
    (tmp_path / "trials.db").touch()
    assert not enhance.wanted(State(tmp_path, Config())), "a search came after it was killed"
    (tmp_path / "space.json").touch()
    assert enhance.wanted(State(tmp_path, Config()))
    assert enhance.done(State(tmp_path, Config()))
