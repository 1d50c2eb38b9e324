import json
import shutil
from pathlib import Path

import pytest

import spikenas
from spikenas._util.errors import ConfigError
from spikenas.config import Config
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.summary import summarise
from spikenas.reporting import load_run
from spikenas.reporting.page import render
from spikenas.task import Task


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run"))


def test_a_whole_run(folder: Path) -> None:
    run = load_run(folder)
    assert run.status == "complete"
    assert not run.unreadable
    assert run.best
    assert run.evaluation
    assert run.cost
    assert run.cost.flash_bytes == run.best["flash_bytes"]
    assert len(run.classes) == 10
    assert len(run.trials) == run.best["trials"]
    assert run.tested
    assert run.tested.mistakes == run.evaluation["quantised_mistakes"]
    assert len(run.mistakes) == len(run.tested.mistakes) > 0
    assert {"enhance", "search", "train", "quantise", "evaluate", "deploy"} == run.seconds.keys()


def test_a_run_that_was_stopped(copy: Path) -> None:
    for name in ("evaluation.json", "quantise.json", "firmware/stm32f103/footprint.json"):
        (copy / name).unlink()
    assert load_run(copy).status == "quantise is next"
    lines = (copy / "train.csv").read_text().splitlines(keepends=True)
    (copy / "train.csv").write_text("".join(lines[:2]))
    assert load_run(copy).status == "train is next, 1 of 2 epochs"
    (copy / "best.json").unlink()
    run = load_run(copy)
    assert run.status == f"search is next, {len(run.trials)} candidates so far"
    assert run.plan is None


@pytest.mark.parametrize(
    "name", ["best.json", "space.json", "trials.db", "train.csv", "evaluation.json", "mistakes.png"]
)
def test_a_file_that_is_damaged_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"epoch,lr\n\x00{,nothing\n")
    run = load_run(copy)
    assert len(run.unreadable) == 1
    assert name in run.unreadable[0]


def test_a_history_that_was_cut_off_is_read_as_far_as_it_goes(copy: Path) -> None:
    with (copy / "history.jsonl").open("a") as file:
        file.write('{"stage": "tr')
    assert load_run(copy).seconds == load_run(copy.parent / "run").seconds


def test_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load_run(tmp_path)


def test_a_run_whose_space_is_not_decided_yet(tmp_path: Path) -> None:
    (tmp_path / "enhance").mkdir()
    (tmp_path / "enhance" / "config.toml").write_text("[data]\nname = 'digits'\n")
    run = load_run(tmp_path)
    assert (run.status, run.trials, run.best) == ("enhance is next", [], None)
    assert "enhance is next" in render([run])


def test_reading_changes_nothing(copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    load_run(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_what_is_of_other_integers_is_not_shown(copy: Path) -> None:
    quantisation = json.loads((copy / "quantise.json").read_text())
    assert load_run(copy).measured
    (copy / "quantise.json").write_text(json.dumps({**quantisation, "quantised_sha256": "f" * 64}))
    run = load_run(copy)
    assert not run.measured
    assert run.evaluation
    assert "quantised_test_accuracy" not in run.evaluation
    assert "test accuracy in floating point" in run.summary


def test_it_says_the_same_as_the_next_step(copy: Path) -> None:
    """A row of the table of stages after the other becomes the next one; status and `next` agree on each."""
    task = Task.of(Config.load(copy / "config.toml"))
    for result in (
        None,
        "firmware/stm32f103/footprint.json",
        "evaluation.json",
        "quantise.json",
        "model.safetensors",
        "best.json",
    ):
        if result:
            (copy / result).unlink()
        if not (copy / "best.json").exists():
            break
        with RunFolder(copy) as run:
            following = summarise(run, task)["next"]
        status = load_run(copy).status
        assert status == "complete" if following is None else status.startswith(f"{following} is next")


def test_it_prints_itself_in_a_few_lines(folder: Path) -> None:
    for run in (load_run(folder), spikenas.load(folder)):
        assert len(str(run)) < 2000
        assert len(repr(run).splitlines()) < 25
