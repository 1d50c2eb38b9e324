"""Classes of new files, on the command line."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spikenas
from spikenas._util.class_figures import Figures
from spikenas.integers import IntegerNetwork, as_bytes, run_reference
from support import Main, write_images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images") / "digits"
    write_images(folder, 4)
    return folder


def test_a_labelled_folder_has_accuracy_and_confusion(run: Main, trained: Path, images: Path) -> None:
    status, out, err = run("predict", "--out", trained, images, "--json", "--quiet")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["integers"] is True
    (folder,) = found["folders"]
    confusion = np.array(folder["confusion"])
    assert confusion.shape == (10, 10)
    assert confusion.sum(1).tolist() == [4] * 10
    assert folder["accuracy"] == confusion.trace() / 40
    assert folder["figures"] == Figures.of(confusion.tolist(), folder["classes"]).as_json()
    rows = found["predictions"]
    assert sum(row["label"] == row["true"] for row in rows) == confusion.trace()
    assert all(abs(sum(row["probabilities"].values()) - 1) < 1e-9 for row in rows)
    assert all(row["probability"] == max(row["probabilities"].values()) for row in rows)


def test_the_default_is_the_arithmetic_of_the_device(run: Main, trained: Path, images: Path) -> None:
    network = spikenas.load(trained / "quantised.safetensors")
    assert isinstance(network, IntegerNetwork)
    files = sorted(images.glob("*/*.png"))
    rows = json.loads(run("predict", "--out", trained, *files, "--json", "-q")[1])["predictions"]
    for file, row in zip(files, rows, strict=True):
        pixels = np.asarray(Image.open(file))[None, None]
        scores = run_reference(network, as_bytes(pixels, network.input_scale)[:, 0].astype(np.int64))
        assert row["label"] == network.classes[int(scores.argmax())]
    floating = json.loads(run("predict", "--out", trained, *files, "--float", "--json", "-q")[1])
    assert floating["integers"] is False
    assert [row["probability"] for row in floating["predictions"]] != [row["probability"] for row in rows]


def test_csv_and_table(run: Main, trained: Path, images: Path) -> None:
    file = images / "3" / "0.png"
    status, out, _ = run("predict", "--out", trained, file, images / "7", "--csv", "-q")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (status, len(rows)) == (0, 5)
    assert list(rows[0]) == ["file", "label", "probability", *map(str, range(10))]
    assert rows[0]["file"] == str(file)
    status, out, _ = run("predict", "--out", trained, images, "-q")
    assert status == 0
    assert " of 40 items right (" in out
    assert "recall" in out
    assert "precision" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "nowhere.png: no such file or folder"),
        (["text.png"], "text.png: cannot be decoded as image (unknown format)"),
        (["empty"], "empty: holds no images"),
        (["odd"], "odd: its class folders hold nothing that can be read"),
        (["deep"], "deep: holds no images"),
        (["text.png", "--json", "--csv"], "--json --csv: one of them"),
    ],
)
def test_wrong_input_is_one_line(run: Main, trained: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "cat").mkdir(parents=True)
    (tmp_path / "odd" / "3").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    status, _, err = run("predict", "--out", trained, *arguments, "-q")
    assert (status, len(err.splitlines())) == (2, 1)
    assert message in err


def test_a_folder_that_is_no_run(run: Main, tmp_path: Path) -> None:
    status, _, err = run("predict", "--out", tmp_path / "r", "x.png")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "no run folder" in err


def test_a_folder_of_other_folders_is_searched(run: Main, trained: Path, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "3", tmp_path / "new" / "monday")
    status, out, _ = run("predict", "--out", trained, tmp_path / "new", "--json", "-q")
    assert status == 0
    assert len(json.loads(out)["predictions"]) == 4
    assert json.loads(out)["folders"] == []


def test_integers_of_another_model_are_not_taken(run: Main, trained: Path, images: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    run("quantise", "--out", folder, "--set", "quantise.epochs=0", "-q")
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("vectors = 20", "vectors = 20\nweight_bits = 4"))
    found = json.loads(run("predict", "--out", folder, images / "3", "--json", "-q")[1])
    assert found["integers"] is False
    status, _, err = run("predict", "--out", folder, images / "3", "--integers", "-q")
    assert status == 2
    assert "of other settings or another model; 'spikenas quantise' makes it anew" in err
