"""The data of a run that has begun: the same items in the same splits, whatever happens around it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spikenas as sn
from spikenas._util.errors import SpikeNASError
from spikenas.data import Manifest
from support import Spikenas, write_images

QUICK = {
    **{"network.channels": 4, "network.cells": 1, "space.nodes": 3, "train.epochs": 1},
    **{"fidelity.channels": 4, "fidelity.batch": 8, "search.evaluations": 3, "enhancement.enabled": False},
}
WORDS = [word for key, value in QUICK.items() for word in ("--set", f"{key}={str(value).lower()}")]
ONE = "0-3:conv3x3"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_images(tmp_path / "set", 8)
    return tmp_path / "set"


def add(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for path in folder.iterdir():
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(path / "000.png")


def test_a_training_in_a_folder_goes_on_with_the_same_items_alone(pictures: Path, tmp_path: Path) -> None:
    first = sn.train(sn.Task(pictures, settings=QUICK), ONE, out=tmp_path / "t", progress=False)
    assert len(Manifest.load(tmp_path / "t" / "manifest.csv").entries) == 80
    shutil.copytree(pictures, tmp_path / "other")
    add(pictures)
    with pytest.raises(SpikeNASError, match=r"t was made with other data, or other splits of them"):
        sn.train(sn.Task(pictures, settings=QUICK), ONE, epochs=2, out=tmp_path / "t", progress=False)
    again = sn.train(sn.Task(tmp_path / "other", settings=QUICK), ONE, epochs=2, out=tmp_path / "t", progress=False)
    assert again.classes == first.classes


def test_another_seed_divides_anew_a_repetition_keeps_the_test_items(pictures: Path) -> None:
    task = sn.Task(pictures, settings=QUICK)
    fresh, other, repeated = sn.Task(pictures, seed=1, settings=QUICK), task.but({"seed": 1}), task.repeated(1, {})
    assert set(other.test.items) == set(fresh.test.items) != set(task.test.items)
    assert other.manifest() == fresh.manifest()
    assert set(repeated.test.items) == set(task.test.items)
    assert set(repeated.validation.items) != set(task.validation.items)


def test_a_search_that_begins_anew_does_not_free_the_test_items(
    pictures: Path, tmp_path: Path, spikenas: Spikenas
) -> None:
    assert spikenas("run", "--data", "set", *WORDS, "--out", "r", "-q").returncode == 0
    before = Manifest.load(tmp_path / "r" / "manifest.csv")
    for name in ("trials.db", "best.json"):
        (tmp_path / "r" / name).unlink()
    add(pictures)
    done = spikenas("run", "--out", "r", "-q")
    assert done.returncode == 0, done.stderr
    assert "new files are left out: 10" in done.stderr
    assert Manifest.load(tmp_path / "r" / "manifest.csv") == before


def test_duplicates_stay_left_out_and_are_no_new_files(pictures: Path, tmp_path: Path, spikenas: Spikenas) -> None:
    shutil.copy(pictures / "0" / "0.png", pictures / "0" / "copy.png")
    assert spikenas("search", "--data", "set", *WORDS, "--out", "r", "-q").returncode == 0
    manifest, data = ((tmp_path / "r" / name).read_bytes() for name in ("manifest.csv", "data.json"))
    done = spikenas("train", "--out", "r", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "r" / "manifest.csv").read_bytes() == manifest
    assert (tmp_path / "r" / "data.json").read_bytes() == data
    assert any("same file twice: 1" in note for note in json.loads(data)["notes"])


def test_a_broken_file_is_found_before_the_search_and_can_be_left_out(
    pictures: Path, tmp_path: Path, spikenas: Spikenas
) -> None:
    for number in range(5):
        (pictures / "3" / f"{number}.png").write_bytes(b"%d" % number)
    refused = spikenas("run", "--data", "set", *WORDS, "--out", "r", "-q")
    assert refused.returncode == 2
    assert "and 4 more files; replace them, or leave broken files out with --skip-broken" in refused.stderr
    assert not (tmp_path / "r" / "trials.db").exists()
    assert spikenas("run", "--data", "set", "--skip-broken", *WORDS, "--out", "r", "-q").returncode == 0
    left_out = Manifest.load(tmp_path / "r" / "manifest.csv").names("left out")
    assert sorted(left_out) == [f"3/{number}.png" for number in range(5)]


def test_a_run_without_its_settings_is_refused(pictures: Path, tmp_path: Path, spikenas: Spikenas) -> None:
    assert spikenas("search", "--data", "set", *WORDS, "--out", "r", "-q").returncode == 0
    (tmp_path / "r" / "config.toml").unlink()
    refused = spikenas("run", "--out", "r", "-q")
    assert refused.returncode == 2
    assert "config.toml: no such file, without which a run cannot go on" in refused.stderr


def test_a_budget_that_nothing_meets_is_not_kept(pictures: Path, tmp_path: Path, spikenas: Spikenas) -> None:
    refused = spikenas("run", "--data", "set", "--ram", "1", "--out", "r", "-q")
    assert refused.returncode == 2
    assert not (tmp_path / "r" / "enhance" / "config.toml").exists()
    assert not (tmp_path / "r" / "config.toml").exists()


def test_predict_says_what_was_trained_on(pictures: Path, tmp_path: Path, spikenas: Spikenas) -> None:
    for command in (["search", "--data", "set", *WORDS], ["train"]):
        assert spikenas(*command, "--out", "r", "-q").returncode == 0
    done = spikenas("predict", "--out", "r", "set", "-q")
    assert "60 of these files were trained on or chosen with: no test of these" in done.stdout


@pytest.mark.parametrize("enhanced", [True, False])
def test_a_run_in_a_folder_of_the_data_is_refused(pictures: Path, spikenas: Spikenas, enhanced: bool) -> None:
    words = [] if enhanced else ["--no-enhance"]
    refused = spikenas("run", "--data", "set", *words, "--out", "set/3", "-q")
    assert refused.returncode == 2
    assert "set/3: holds items of the data, so it cannot be the run folder; choose another --out" in refused.stderr
    assert {path.suffix for path in (pictures / "3").iterdir() if path.name != ".lock"} == {".png"}


def test_a_sparse_file_of_a_terabyte_is_left_out_in_no_time(pictures: Path) -> None:
    with (pictures / "3" / "huge.png").open("wb") as file:
        file.truncate(2**40)
    task = sn.Task(pictures, settings={**QUICK, "data.skip_broken": True})
    assert task.manifest().names("left out") == ["3/huge.png"]
