"""Searches of designs: score, race, the training that goes on from the winner's."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikenas._util.run_files import CHECKPOINT
from spikenas.config import Config
from spikenas.interface.products import Found
from spikenas.nas import Trial, read_trials
from spikenas.nas.store import Status
from spikenas.pipeline.designing import RULE, shortlist
from spikenas.pipeline.racing import Race
from spikenas.records import BEST_FILE, RACE_FILE, SPACE_FILE, RaceRecord, raced
from spikenas.space import Design, Plan
from spikenas.task import Task
from spikenas.training import entrants
from spikenas.training.entrants import EntrantTrainer
from spikenas.training.epochs import read_log
from support import SMALL, Main

RACE = (
    *("--data", "digits", "--flash", "16KiB", "--ram", "8KiB", "--evaluations", "30", "--epochs", "8"),
    *("--set", "race.epochs=1", "--set", "race.entrants=4", "--executor", "in-process"),
    *("--set", "designs.cells=[1, 2]", "--set", "designs.image_sizes=[8, 6]"),
)


def accuracies(folder: Path) -> list[tuple[int, float, float | None]]:
    return [(one["entrant"], one["length"], one["accuracy"]) for one in RACE_FILE.read(folder)["trained"]]


@pytest.fixture(scope="module")
def whole(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A run whose race was not stopped."""

    def make(folder: Path) -> None:
        from typer.testing import CliRunner

        from spikenas.cli.app import app

        done = CliRunner().invoke(app, ["run", *RACE, "--out", str(folder / "r"), "--quiet"])
        assert done.exit_code == 0, done.output

    return once("race", make) / "r"


def test_the_winner_of_the_race_is_what_is_trained_on(whole: Path) -> None:
    best, record, config = BEST_FILE.read(whole), RACE_FILE.read(whole), Config.load(whole / "config.toml")
    assert [(rung["entrants"], rung["length"]) for rung in record["rungs"]] == [(4, 1.0), (2, 3.0)]
    assert len(record["trained"]) == 6
    last = [one for one in record["trained"] if one["length"] == 3]
    won = max(last, key=lambda one: one["outlook"] or 0)
    assert (best["race"]["entrant"], best["race"]["accuracy"]) == (won["entrant"], won["accuracy"])
    assert best["design"] == record["entrants"][won["entrant"]]["design"]
    design = Design.parse(best["design"])
    assert config.data.size == design.image
    assert config.network.cell_widths == design.widths
    assert config.train.crop == min(design.image) // 8
    epochs = read_log(whole / "train.csv")
    assert len(epochs) == 8
    assert epochs[:3] == read_log(whole / f"race/{won['entrant']:03d}/train.csv")
    assert best["flash_bytes"] <= 16 * 1024
    assert best["ram_bytes"] <= 8 * 1024
    assert json.loads((whole / "data.json").read_text())["input"]["height"] == design.image[1]


def test_it_is_told_what_was_decided_and_by_what(whole: Path) -> None:
    decisions = {one["key"]: one for one in SPACE_FILE.read(whole)["decisions"]}
    design = Design.parse(BEST_FILE.read(whole)["design"])
    assert decisions["network.cells"]["value"] == design.cells
    assert "after 1 epochs each" in decisions["network.channels"]["reason"]
    page = (whole / "report.html").read_text()
    assert "4 for 1 epochs, then 2 for 3 epochs in all" in page
    assert "Accuracy against memory, of all that was trained" in page


def test_a_rule_of_thumb_races_too(whole: Path) -> None:
    steps = {trial.genotype: trial.step for trial in read_trials(whole / "trials.db")}
    assert RULE in {steps[entrant["design"]] for entrant in RACE_FILE.read(whole)["entrants"]}


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the process end before a training of the race."""
    left, train = [number], EntrantTrainer.__call__

    def call(self: EntrantTrainer, entrant: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return train(self, entrant)

    monkeypatch.setattr(EntrantTrainer, "__call__", call)


@pytest.mark.parametrize("trainings", [0, 3, 5])
def test_a_race_goes_on_where_it_was(
    run: Main, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainings: int
) -> None:
    with monkeypatch.context() as patch:
        killed_at(patch, trainings)
        assert (
            run("search", *RACE[:8], *RACE[10:], "--set", "train.epochs=8", "--out", tmp_path / "r", "--quiet")[0]
            == 130
        )
    assert len(RACE_FILE.read(tmp_path / "r")["trained"]) == trainings
    status, _, stderr = run("search", "--out", tmp_path / "r", "--set", "train.lr=0.5", "--quiet")
    assert (status, "was made with train.lr = " in stderr) == (2, True)
    assert run("run", "--out", tmp_path / "r", "--epochs", "8", "--quiet")[::2] == (0, "")
    assert accuracies(tmp_path / "r") == accuracies(whole)
    best, same = BEST_FILE.read(tmp_path / "r"), BEST_FILE.read(whole)
    assert best["design"] == same["design"]
    assert [(e.train_loss, e.validation_accuracy) for e in read_log(tmp_path / "r/train.csv")] == [
        (e.train_loss, e.validation_accuracy) for e in read_log(whole / "train.csv")
    ]


def test_a_survivor_whose_checkpoint_is_damaged_is_trained_anew(
    run: Main, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        killed_at(patch, 4)
        run("search", *RACE[:8], *RACE[10:], "--set", "train.epochs=8", "--out", tmp_path / "r", "--quiet")
    for folder in (tmp_path / "r/race").glob("0*"):
        (folder / CHECKPOINT).write_bytes((folder / CHECKPOINT).read_bytes()[:-9])
    status, _, stderr = run("search", "--out", tmp_path / "r", "--quiet")
    assert status == 0
    assert stderr.count("trained anew") == 2
    assert CHECKPOINT in stderr
    assert accuracies(tmp_path / "r") == accuracies(whole)


def test_with_class_weights_it_is_the_balanced_accuracy_that_counts(run: Main, tmp_path: Path) -> None:
    asked = (
        *RACE[:8],
        *RACE[10:],
        "--set",
        "train.epochs=8",
        "--set",
        "train.class_weights=balanced",
        "--out",
        tmp_path / "r",
    )
    assert run("search", *asked, "--quiet")[0] == 0
    for one in RACE_FILE.read(tmp_path / "r")["trained"]:
        log = read_log(tmp_path / f"r/race/{one['entrant']:03d}/train.csv")
        assert one["accuracy"] == log[round(one["length"]) - 1].validation_balanced_accuracy
    assert run("report", tmp_path / "r")[0] == 0
    assert ">balanced accuracy</th>" in (tmp_path / "r/report.html").read_text()


@pytest.mark.slow
def test_the_twin_of_a_race_is_that_of_its_winner(run: Main, tmp_path: Path) -> None:
    assert run("run", *RACE, "--twin", "--out", tmp_path / "r", "--quiet")[0] == 0
    own, twin = (Config.load(tmp_path / name / "config.toml") for name in ("r", "r/twin"))
    assert (own.network.neuron, twin.network.neuron) == ("ilif", "relu")
    assert own.network.cell_widths == twin.network.cell_widths
    assert own.data.size == twin.data.size == Design.parse(BEST_FILE.read(tmp_path / "r")["design"]).image
    assert len(read_log(tmp_path / "r/twin/train.csv")) > 0
    assert (tmp_path / "r/twin/quantised.safetensors").exists()


def test_what_a_device_has_no_memory_for_drops_out(
    run: Main, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RACE_FILE.read(whole)["entrants"][0]["design"]
    train = entrants.train

    def fails(plan: Plan, *rest: Any) -> Any:
        if str(Design.of_plan(plan)) == first:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return train(plan, *rest)

    monkeypatch.setattr(entrants, "train", fails)
    status, _, stderr = run(
        "search", *RACE[:8], *RACE[10:], "--set", "train.epochs=8", "--out", tmp_path / "r", "--quiet"
    )
    assert status == 0
    assert stderr.count("device cpu: out of memory") == 1
    assert BEST_FILE.read(tmp_path / "r")["race"]["entrant"] != 0


def test_what_integers_cannot_hold_drops_out(
    run: Main, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that came farthest none can be integers, so that one of the rung before wins."""
    finalists = {one["entrant"] for one in RACE_FILE.read(whole)["trained"] if one["length"] == 3}
    problem = Race._problem

    def found(self: Race, entrant: int) -> str:
        last = len(read_log(self.folder / f"race/{entrant:03d}/train.csv")) == 3
        return "sums are too large" if last else problem(self, entrant)

    monkeypatch.setattr(Race, "_problem", found)
    status, _, stderr = run("run", *RACE, "--out", tmp_path / "r", "--quiet")
    assert status == 0
    assert stderr.count("sums are too large") == 2
    best = BEST_FILE.read(tmp_path / "r")
    assert best["race"]["entrant"] not in finalists
    folder = tmp_path / "r"
    others = tuple(raced(RACE_FILE.read(folder)))
    found = Found(Task.of(Config.load(folder / "config.toml")), Design.parse(best["design"]), 0.0, (), others)
    assert f"validation accuracy {best['race']['accuracy']:.1%}, best of 4 that raced" in repr(found)
    assert best["race"]["accuracy"] == max(
        accuracy or 0 for entrant, _, accuracy in accuracies(whole) if entrant not in finalists
    )


@pytest.mark.slow
def test_a_race_that_is_killed_ten_times_ends_as_one_that_was_not(tmp_path: Path) -> None:
    rng, race = random.Random(0), [*RACE[:-6], "--set", "race.epochs=1", "--set", "race.entrants=16", *RACE[-4:]]

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "spikenas", "run", *race, "--out", str(folder), "--quiet"])

    killed, other = tmp_path / "killed", tmp_path / "whole"
    for _ in range(10):
        before, process = len(accuracies(killed)) if (killed / "race/race.json").exists() else -1, start(killed)
        while not (killed / "race/race.json").exists() or len(accuracies(killed)) == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        assert not (killed / "best.json").exists()
        process.kill()
        process.wait()
    assert [start(folder).wait() for folder in (killed, other)] == [0, 0]
    assert accuracies(killed) == accuracies(other)
    assert BEST_FILE.read(killed)["design"] == BEST_FILE.read(other)["design"]
    for name in ("race/race.json", "train.csv"):
        assert (killed / name).exists()
    assert [e.validation_accuracy for e in read_log(killed / "train.csv")] == [
        e.validation_accuracy for e in read_log(other / "train.csv")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("executor", [("--executor", "in-process"), ("--executor", "pool", "--workers", "2")])
def test_ctrl_c_ends_the_trainings_of_a_race(tmp_path: Path, executor: tuple[str, ...]) -> None:
    """Each would go on for minutes; what it learnt in whole epochs is kept."""
    long = (
        *RACE[:10],
        *executor,
        "--set",
        "race.epochs=2000",
        "--set",
        "race.entrants=2",
        "--out",
        str(tmp_path / "r"),
    )
    command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
               "from spikenas.cli.app import app; app()", "run", *long, "--quiet"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "r").glob("race/00*/train.csv")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "interrupted; the same command goes on from" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert accuracies(tmp_path / "r") == []


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["pool", "ray"])
def test_executors_find_the_same(run: Main, whole: Path, tmp_path: Path, executor: str) -> None:
    if executor == "ray":
        pytest.importorskip("ray")
    given = [*RACE[:8], *RACE[10:-6], "--executor", executor, "--workers", "2", *RACE[-4:]]
    assert run("search", *given, "--out", tmp_path / "r", "--quiet")[0] == 0
    assert accuracies(tmp_path / "r") == accuracies(whole)
    assert BEST_FILE.read(tmp_path / "r")["design"] == BEST_FILE.read(whole)["design"]


def test_a_time_of_the_whole_is_divided(run: Main, tmp_path: Path) -> None:
    given = ("--data", "digits", "--flash", "12KiB", "--evaluations", "20", "--set", "designs.cells=[1]")
    status, _, stderr = run("run", *given, "--time", "20s", "--out", tmp_path / "r", "--quiet")
    assert (status, stderr) == (0, "")
    best, config = BEST_FILE.read(tmp_path / "r"), Config.load(tmp_path / "r/config.toml")
    won = best["race"]
    left = 20 - won["seconds"] - won["after"] - won["tuned"] * won["trained"]
    assert config.train.time == pytest.approx(won["trained"] + left / (1 + won["tuned"]))
    assert won["after"] > 0
    epochs = read_log(tmp_path / "r/train.csv")
    assert sum(epoch.seconds for epoch in epochs) >= (config.train.time or 0)
    more = run("run", "--out", tmp_path / "r", "--time", "22s", "--quiet")
    assert more[::2] == (0, "")
    assert len(read_log(tmp_path / "r/train.csv")) > len(epochs)
    assert Config.load(tmp_path / "r/config.toml").train.time == pytest.approx(
        (config.train.time or 0) + 2 / (1 + won["tuned"])
    )


def test_the_command_again_does_nothing_more_and_other_settings_are_refused(
    run: Main, whole: Path, tmp_path: Path
) -> None:
    here = tmp_path / "runs" / "digits"  # where it is without --out
    shutil.copytree(whole, here)
    before = (here / "config.toml").read_bytes(), read_log(here / "train.csv")
    assert run("run", *RACE, "--quiet")[::2] == (0, "")
    assert before == ((here / "config.toml").read_bytes(), read_log(here / "train.csv"))
    status, _, stderr = run("run", *RACE, "--ops", "skip,conv1x1", "--quiet")
    assert status == 2
    assert "was searched for space.ops = ('skip', 'conv3x3'), not ('skip', 'conv1x1'); choose another --out" in stderr
    assert run("train", "--out", here, "--epochs", "9", "--quiet")[::2] == (0, "")
    assert len(read_log(here / "train.csv")) == 9
    assert run("train", "--out", here, "--again", "--epochs", "2", "--quiet")[::2] == (0, "")
    assert len(read_log(here / "train.csv")) == 2


def test_a_time_for_a_run_of_cells_is_refused(run: Main, tmp_path: Path) -> None:
    assert run("search", *SMALL, "--out", tmp_path / "r")[0] == 0
    status, _, stderr = run("run", "--out", tmp_path / "r", "--time", "20s", "--quiet")
    assert status == 2
    assert "its search was one of cells, so that no time can be divided" in stderr


def test_too_little_time_can_be_followed_by_more(run: Main, tmp_path: Path) -> None:
    given = ("--data", "digits", "--flash", "12KiB", "--evaluations", "10", "--set", "designs.cells=[1]", "--quiet")
    assert run("run", *given, "--time", "0.1s", "--out", tmp_path / "r")[0] == 2
    assert run("run", *given, "--time", "16s", "--out", tmp_path / "r")[0] == 0


def test_designs_of_event_frames_keep_their_size_and_time(run: Main, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, low in (("a", 0), ("b", 4)):
        (tmp_path / "events" / name).mkdir(parents=True)
        for number in range(8):
            frames = np.zeros((3, 2, 8, 8), np.float32)
            frames[:, :, low : low + 4] = rng.poisson(1, (3, 2, 4, 8))
            np.savez(tmp_path / "events" / name / f"{number}.npz", frames)
    given = (
        "--data",
        f"events:{tmp_path / 'events'}",
        "--flash",
        "12KiB",
        "--evaluations",
        "6",
        "--epochs",
        "4",
        "--set",
        "fidelity.batch=8",
    )
    race = ("--set", "race.epochs=1", "--set", "race.entrants=2", "--set", "fidelity.batch=8", "--workers", "1")
    status, _, stderr = run("run", *given, *race, "--out", tmp_path / "r", "--quiet")
    assert (status, stderr) == (0, "")
    design = Design.parse(BEST_FILE.read(tmp_path / "r")["design"])
    assert (design.image, design.colours, design.timesteps, design.neuron) == ((8, 8), 2, 3, "ilif")
    assert design.membrane_bits == 16


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--time", "60s", "--epochs", "3"), "--epochs and --time: give one of them"),
        (("--time", "60s", "--network", "snasnet"), "designs are networks of the kind compact"),
        (("--time", "60s", "--strategy", "spikenas"), "spikenas goes by cells, and does not search designs"),
        (("--time", "60s", "--set", "designs.cells=[]"), "at least one value, each once, got []"),
        (("--time", "60s", "--set", "designs.cells=[2, 2]"), "at least one value, each once, got [2, 2]"),
        (("--time", "60s", "--cells", "2", "--set", "designs.cells=[1, 2]"), "network.cells = 2 is set too"),
        (
            ("--time", "60s", "--set", "designs.neurons=['relu']", "--set", "designs.timesteps=[4]"),
            "relu neurons have T = 1, got [4]; nothing is left",
        ),
        (("--time", "60s", "--channels", "4", "--set", "network.widths=[4, 6]"), "network.widths: a search of designs"),
        (("--time", "60s", "--set", "space.shared=true"), "space.shared: a search of designs decides it for each cell"),
        (("--time", "60s", "--flash", "1KiB"), "the smallest takes 6.4 KiB of flash, allowed are 1.0 KiB"),
        (("--time", "60s", "--flash", "6KiB", "--set", "designs.channels=[64]"), "[designs] may leave out what does"),
        (("--time", "0.1s"), "could be trained: train.time: "),
    ],
)
def test_wrong_input_is_one_line(run: Main, tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    few = () if "--strategy" in given else ("--evaluations", "20")
    status, _, stderr = run("run", "--data", "digits", *few, *given, "--out", tmp_path / "r", "--quiet")
    assert status == 2
    assert said in stderr.splitlines()[-1]
    assert len(stderr.splitlines()) == 1 or "0.1s" in given


def trial(text: str, score: float, step: str = "random", status: Status = "scored") -> Trial:
    return Trial(0, step, text, status, score, 1, 1, 1, 0.0)


def test_a_shortlist_is_not_all_of_one_kind() -> None:
    alike = [trial(f"1x8x8 / {width} 0-3:conv3x3", 10 - width) for width in range(4, 9)]
    other = [trial(f"1x8x8 stride=2 / {width} 0-3:conv3x3", 0) for width in (4, 5)]
    rule = trial("1x6x6 / 4 0-3:skip", -3.0, RULE)
    found = shortlist([*alike, *other, rule], 4)
    assert found == [*alike[:2], other[0], rule]
    assert shortlist(alike, 4) == alike[:4]
    assert shortlist([*alike, rule], 8) == [*alike, rule]


def test_fewer_designs_than_a_race_has_room_for(run: Main, tmp_path: Path) -> None:
    few = (*RACE[:6], "--evaluations", "3", *RACE[10:], "--quiet")
    assert run("search", *few, "--out", tmp_path / "r")[::2] == (0, "")
    record = RACE_FILE.read(tmp_path / "r")
    assert len(record["entrants"]) == record["rungs"][0]["entrants"] == 2
    assert {one["entrant"] for one in record["trained"]} == {0, 1}
    steps = {trial.genotype: trial.step for trial in read_trials(tmp_path / "r/trials.db")}
    assert len(steps) == 3
    assert RULE in {steps[one["design"]] for one in record["entrants"]}


def test_a_record_of_other_entrants_is_damaged(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "race", tmp_path / "race")
    record: RaceRecord = RACE_FILE.read(tmp_path)
    record["trained"][0]["entrant"] = 9
    (tmp_path / "race/race.json").write_text(json.dumps(record))
    with pytest.raises(Exception, match="expected trainings of its entrants"):
        RACE_FILE.read(tmp_path)
