import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikenas._util.class_figures import Figures
from spikenas._util.errors import BudgetError, RunError
from spikenas._util.progress import Reporter
from spikenas._util.run_files import BEST, EVALUATION, MISTAKES
from spikenas.config import Config
from spikenas.data.pictures import pictured
from spikenas.memory import footprint
from spikenas.nas import TrialStore
from spikenas.pipeline import finishing, searching
from spikenas.pipeline.checking import check_device
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import fix
from spikenas.pipeline.summary import summarise
from spikenas.records import EVALUATION_FILE
from spikenas.scores.batch import make_scorer
from spikenas.space import Genotype
from spikenas.task import Task

QUIET = Reporter()
CONFIG = Config.parse(
    {
        "budget": {"flash": "16KiB"},
        "space": {"nodes": 3},
        "fidelity": {"channels": 4, "batch": 8},
        "train": {"epochs": 2},
    }
)


def test_all_stages_from_digits_to_accuracy(tmp_path: Path) -> None:
    task = Task.of(CONFIG).sized()
    with RunFolder(tmp_path / "run") as run:
        fix(run, task.config)
        best = searching.search(run, task, QUIET)
        epochs = finishing.train(run, task, QUIET)
        evaluation = finishing.evaluate(run, task, QUIET)
        summary = summarise(run, task)
    cost = footprint(task.plan(Genotype.parse(best["genotype"])))
    assert (best["params"], best["flash_bytes"], best["ram_bytes"]) == (cost.params, cost.flash_bytes, cost.ram_bytes)
    assert best["flash_bytes"] <= 16 * 1024
    assert len(epochs) == 2
    assert evaluation["images"] == len(task.dataset.test)
    assert summary["test_accuracy"] == evaluation["test_accuracy"] > 0.1
    assert json.loads((tmp_path / "run" / EVALUATION).read_text()) == evaluation
    assert Config.load(tmp_path / "run" / "config.toml") == task.config
    with TrialStore(tmp_path / "run" / "trials.db") as store:
        assert max(trial.score for trial in store if trial.score is not None) == best["score"]


def test_a_run_s_own_config_gives_the_same_result_again(tmp_path: Path) -> None:
    results = []
    config = CONFIG
    for name in ("first", "second"):
        task = Task.of(config).sized()
        with RunFolder(tmp_path / name) as run:
            fix(run, task.config)
            searching.search(run, task, QUIET)
            finishing.train(run, task, QUIET)
            finishing.evaluate(run, task, QUIET)
            results.append([(run / BEST).read_bytes(), json.loads((run / EVALUATION).read_text())["model_sha256"]])
        config = Config.load(tmp_path / name / "config.toml")
    assert results[0] == results[1]


def test_what_is_decided_from_the_data() -> None:
    config = Task.of(CONFIG).sized().config
    assert (config.data.image_size, config.data.channels) == (8, 1)
    assert (config.train.crop, config.train.flip) == (1, False)
    assert isinstance(config.network.channels, int)


@pytest.mark.parametrize("shape", [(12, 20), (20, 20)])
def test_images_that_are_not_square(tmp_path: Path, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(8):
            Image.fromarray(rng.integers(0, 255, (*shape, 3), dtype=np.uint8)).save(tmp_path / name / f"{k}.png")
    config = CONFIG.but({"data.name": str(tmp_path), "data.image_size": f"{shape[1]}x{shape[0]}"})
    task = Task.of(config).sized()
    assert (task.input.height, task.input.width) == shape
    again = Task.of(task.config).sized()
    assert again.input == task.input
    assert task.config.train.flip is True


def test_a_finished_search_is_read_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task.of(CONFIG).sized()
    with RunFolder(tmp_path) as run:
        first = searching.search(run, task, QUIET)
        monkeypatch.setattr(searching, "run_search", None)
        assert searching.search(run, task, QUIET) == first


def test_an_evaluation_is_repeated_only_for_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task.of(CONFIG).sized()
    with RunFolder(tmp_path) as run:
        searching.search(run, task, QUIET)
        finishing.train(run, task, QUIET)
        first = finishing.evaluate(run, task, QUIET)
        real, calls = finishing.evaluate_model, []
        monkeypatch.setattr(finishing, "evaluate_model", lambda *args, **named: calls.append(1) or real(*args, **named))
        assert finishing.evaluate(run, task, QUIET) == first
        assert not calls
        EVALUATION_FILE.write(tmp_path, {**first, "model_sha256": "f" * 64})
        assert finishing.evaluate(run, task, QUIET)["test_accuracy"] == first["test_accuracy"]
        assert calls


def test_a_budget_that_nothing_meets_names_what_would(tmp_path: Path) -> None:
    config = CONFIG.but({"budget.flash": 100})
    with pytest.raises(BudgetError, match=r"smallest takes .* KiB of flash, allowed are 100 B"):
        Task.of(config).sized()


def test_a_batch_larger_than_the_data_is_all_of_them_said_once(caplog: pytest.LogCaptureFixture) -> None:
    task = Task.of(CONFIG.but({"fidelity.batch": 5000})).sized()
    there = len(task.train)
    assert make_scorer(task.but({"network.cells": 1}), "sahd").images.shape[0] == task.config.fidelity.batch == there
    assert [record.message for record in caplog.records] == [
        f"fidelity.batch: 5000 asked, all {there} training images are taken"
    ]


def test_a_model_of_other_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(8):
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / "data" / name / f"{k}.png")
    data = CONFIG.data.but({"name": str(tmp_path / "data")})
    config = CONFIG.but({"data": data})
    task = Task.of(config).sized()
    with RunFolder(tmp_path / "run") as run:
        searching.search(run, task, QUIET)
        finishing.train(run, task, QUIET)
        (tmp_path / "data" / "a").rename(tmp_path / "data" / "c")
        with pytest.raises(RunError, match=r"trained on 2 classes \(a, b\), the data have 2 classes \(b, c\)"):
            finishing.evaluate(run, Task.of(config), QUIET)


def test_no_such_device() -> None:
    with pytest.raises(RunError, match=r"device 'cuda:77' cannot be used .*available: cpu"):
        check_device("cuda:77")
    with pytest.raises(RunError, match="device 'gpu' cannot be used"):
        check_device("gpu")


def test_image_size_of_the_fidelity(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    small = CONFIG.but({"fidelity.image_size": 4})
    task = Task.of(small).sized()
    scorer = make_scorer(task, "sahd")
    assert scorer.images.shape == (8, 1, 4, 4)
    assert (scorer.input.height, scorer.input.width) == (4, 4)


def test_a_shorter_fidelity_of_event_frames(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(8):
            np.savez(tmp_path / name / f"{k}.npz", rng.integers(0, 3, (4, 2, 8, 8), dtype=np.uint8))
    data = CONFIG.data.model_copy(update={"name": f"events:{tmp_path}"})
    for neuron in ("lif", "ilif", "relu"):
        task = Task.of(CONFIG.but({"data": data, "network": {"neuron": neuron}})).sized()
        assert task.config.network.timesteps == 4, "of the data, whatever is usual"
    for timesteps in (2, 5):
        fidelity = CONFIG.fidelity.but({"timesteps": timesteps})
        task = Task.of(CONFIG.but({"data": data, "fidelity": fidelity})).sized()
        assert task.config.network.timesteps == 4
        assert task.config.fidelity.timesteps == min(timesteps, 4)
        assert make_scorer(task, "sahd")(Genotype.parse("0-3:conv3x3 / 0-3:skip")).score > -1e9
    said = [record.message for record in caplog.records if "timesteps" in record.message]
    assert said == ["fidelity.timesteps: 5 asked, all 4 timesteps of the event frames are taken"]


def test_the_front_of_a_search_that_is_done(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        task = Task.of(CONFIG).sized()
        fix(run, task.config)
        best = searching.search(run, task, QUIET)
        assert "front" not in summarise(run, task)
        search = CONFIG.search.but({"front": "flash"})
        task = Task.of(CONFIG.but({"search": search})).sized()
        fix(run, task.config)
        assert searching.search(run, task, QUIET) == best
        rows = summarise(run, task)["front"]
        assert (tmp_path / "front.csv").read_text().splitlines()[1:] == [
            ",".join("" if value is None else str(value) for value in row.values()) for row in rows
        ]
    assert rows[-1]["genotype"] == best["genotype"]
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    assert [row["flash_bytes"] for row in rows] == sorted(row["flash_bytes"] for row in rows)


def test_the_pictures_are_those_of_the_network_that_is_shown(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    task = Task.of(Config.load(folder / "config.toml"))
    said = json.loads((folder / EVALUATION).read_text())
    assert pictured(folder / MISTAKES) == said["quantised_sha256"]
    (folder / "quantise.json").unlink()
    with RunFolder(folder) as run:
        finishing.evaluate(run, task, QUIET)
    assert pictured(folder / MISTAKES) == said["model_sha256"]
    (folder / MISTAKES).write_bytes(b"no picture")
    with RunFolder(folder) as run:
        finishing.evaluate(run, task, QUIET)
    assert pictured(folder / MISTAKES) == said["model_sha256"]


def test_an_evaluation_has_figures_of_both_networks(trained: Path) -> None:
    said = json.loads((trained / EVALUATION).read_text())
    task = Task.of(Config.load(trained / "config.toml"))
    for part, accuracy in (("", "test_accuracy"), ("quantised_", "quantised_test_accuracy")):
        confusion = np.array(said[f"{part}confusion"])
        assert confusion.sum() == said["images"] == len(task.test)
        assert said[accuracy] == said[f"{part}figures"]["accuracy"] == confusion.trace() / confusion.sum()
        assert said[f"{part}figures"] == Figures.of(confusion.tolist(), task.classes).as_json()
        wrong = {(mistake["label"], mistake["predicted"]) for mistake in said[f"{part}mistakes"]}
        assert all(label != predicted and confusion[label][predicted] for label, predicted in wrong)
        assert all(mistake["file"] == f"item {mistake['index']}" for mistake in said[f"{part}mistakes"])
