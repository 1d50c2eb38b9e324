import csv
import json
from pathlib import Path

import pytest

from spikenas.space import Genotype, Space
from support import Spikenas

QUICK = (
    *("--ops", "none,skip,conv1x1,conv3x3", "--set", "space.nodes=3", "--channels", "4"),
    *("--stem-stride", "1", "--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "fidelity.repeats=1"),
    *("--seeds", "5", "--draws", "6", "--workers", "1"),
)


def test_an_analysis_by_score(spikenas: Spikenas, tmp_path: Path) -> None:
    asked = ("analyze", "--data", "digits", *QUICK, "--add", "dwconv3x3", "--out", "a")
    first = spikenas(*asked)
    assert first.returncode == 0, first.stderr
    for text in ("without conv3x3", "with dwconv3x3", "Kept: ", "standard"):
        assert text in first.stdout
    found = json.loads((tmp_path / "a" / "analysis.json").read_text())
    assert found["ops"] == ["none", "skip", "conv1x1", "conv3x3"]
    assert len(found["effects"]) == 5
    assert found["config"]["network"]["channels"] == 4
    with (tmp_path / "a" / "effects.csv").open() as file:
        assert [row["variant"] for row in csv.DictReader(file)][:5] == [e["name"] for e in found["effects"]]
    assert (tmp_path / "a" / "analysis.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "a" / "networks.csv").read_text().splitlines()) == found["networks"] + 1
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir() if path.is_file()}
    again = spikenas(*asked, "--json")
    assert json.loads(again.stdout)["analyses"][0]["effects"] == found["effects"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir() if path.is_file()} == files


@pytest.mark.slow
def test_two_evaluators_are_compared(spikenas: Spikenas, tmp_path: Path) -> None:
    short = ("--set", "short_training.epochs=1", "--set", "short_training.images=600")
    short += ("--set", "short_training.channels=8", "--set", "short_training.validation=140")
    found = spikenas("analyze", "--data", "digits", *QUICK, *short, "--draws", "3", "--by", "depth,train", "--out", "a")
    assert found.returncode == 0, found.stderr
    assert "Agreement" in found.stdout
    agreement = json.loads((tmp_path / "a" / "agreement.json").read_text())
    assert set(agreement["agreements"][0]["verdicts"]) == {"digits by depth", "digits by train"}
    assert (tmp_path / "a" / "digits-train" / "analysis.svg").exists()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Made-up accuracies of 3-node networks: more convolutions are better."""
    cells = Space.of(("none", "skip", "conv3x3"), cells=1, nodes=3).distinct_cells
    lines = [f"{Genotype((c, c))},{0.4 + 0.05 * str(c).count('conv') + k / 1e4:.4f}" for k, c in enumerate(cells)]
    (tmp_path / "table.csv").write_text("\n".join(["genotype,accuracy", *lines]) + "\n")
    return tmp_path / "table.csv"


def test_an_analysis_of_a_table(spikenas: Spikenas, tmp_path: Path, table: Path) -> None:
    asked = ("analyze", "--table", table, "--data", "digits", "--by", "test", "--seeds", "8", "--draws", "4", "--json")
    found = spikenas(*asked, "--out", "t")
    assert found.returncode == 0, found.stderr
    (answer,) = json.loads(found.stdout)["analyses"]
    by_name = {effect["name"]: effect for effect in answer["effects"]}
    assert by_name["without conv3x3"]["verdict"] == "needed"
    assert by_name["without conv3x3"]["best_lost"] > 0.1
    assert answer["data"] == "table"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tolerance", "-1"), "tolerance: -1 asked, expected 0 to 5 standard deviations"),
        (("--ops", "none,conv3x3"), "without conv3x3 the ops none, conv3x3 leave no network"),
        (("--by", "depth,nonsense"), "--by: unknown score 'nonsense', known: capacity, cmrr"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "digits"), "two analyses are called 'digits-cmrr'"),
        (("--seeds", "3"), "expected at least 5, got"),
    ],
)
def test_what_cannot_be_analysed(spikenas: Spikenas, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    found = spikenas("analyze", "--data", "digits", *QUICK, *options, "--out", "a")
    assert found.returncode == 2, found.stdout
    assert message in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert all(len(path.read_text().splitlines()) == 1 for path in tmp_path.glob("a/**/*.csv"))  # nothing evaluated


def test_a_table_needs_its_images(spikenas: Spikenas, table: Path) -> None:
    found = spikenas("analyze", "--table", table, "--by", "train", "--out", "t")
    assert found.returncode == 2
    assert "give --data too" in found.stderr
    found = spikenas("analyze", "--table", table, "--data", "digits", "--ops", "skip", "--by", "test", "--out", "t")
    assert "--ops skip: the space is that of --table" in found.stderr


def test_one_class(spikenas: Spikenas, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images" / "train" / "only").mkdir(parents=True)
    for k in range(20):
        Image.new("L", (8, 8), k).save(tmp_path / "images" / "train" / "only" / f"{k}.png")
    found = spikenas("analyze", "--data", "images", *QUICK, "--out", "a")
    assert found.returncode == 2
    assert "class" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
