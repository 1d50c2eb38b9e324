import csv
import json
from pathlib import Path

import pytest

from spikenas.config import NetworkConfig
from spikenas.memory import footprint
from spikenas.space import Design, Genotype, InputSpec, Space
from support import Spikenas

QUICK = (
    *("--data", "digits", "--channels", "4", "--stem-stride", "1"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "fidelity.repeats=1", "--workers", "1"),
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Made-up accuracies of 3-node networks: more convolutions are better."""
    cells = Space.of(("none", "skip", "conv3x3"), cells=1, nodes=3).distinct_cells
    lines = [
        f"{Genotype((cell, cell))},{0.4 + 0.05 * str(cell).count('conv') + k / 1e4:.4f},10"
        for k, cell in enumerate(cells)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["genotype,accuracy,seconds", *lines]) + "\n")
    return tmp_path / "table.csv"


@pytest.mark.slow
def test_scores_and_strategies_on_a_table(spikenas: Spikenas, tmp_path: Path, table: Path) -> None:
    asked = ("compare", "--table", table, *QUICK, "--by", "cmrr,convs,test", "--strategies", "random,exhaustive")
    asked += ("--convs", "0-2", "--seeds", "2", "--initialisations", "2", "--evaluations", "4", "--out", "c")
    first = spikenas(*asked)
    assert first.returncode == 0, first.stderr
    for text in ("Rank correlation", "cmrr", "convs", "exhaustive", "regret"):
        assert text in first.stdout
    folder = tmp_path / "c"
    report = json.loads((folder / "comparison.json").read_text())
    by_convs = next(rank for rank in report["ranks"] if rank["evaluator"] == "convs")
    assert by_convs["figures"]["spearman"]["networks"]["mean"] > 0.8
    assert next(rank for rank in report["ranks"] if rank["evaluator"] == "test")["initialisations"] == 1
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 3 * 2
    assert {row["budget"] for row in rows} == {"convs <= 0", "convs <= 1", "convs <= 2"}
    truth = [row for row in rows if (row["evaluator"], row["strategy"]) == ("test", "exhaustive")]
    assert all(float(row["accuracy"]) == float(row["score"]) for row in truth)
    assert (folder / "comparison.svg").read_text().startswith("<?xml")
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((folder / "scores").iterdir())) == 4  # two scores, two initialisations
    assert "3/2" not in first.stderr

    before = (folder / "results.csv").read_bytes()
    again = spikenas(*asked, "--json")
    assert json.loads(again.stdout)["summaries"] == report["summaries"]
    assert (folder / "results.csv").read_bytes() == before


def test_without_a_table_searches_are_judged_by_their_scores(spikenas: Spikenas, tmp_path: Path) -> None:
    asked = ("compare", *QUICK, "--set", "space.nodes=3", "--by", "cmrr", "--strategies", "random,spikenas")
    found = spikenas(*asked, "--flash", "8KiB,16KiB", "--seeds", "2", "--evaluations", "3", "--out", "c", "--json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert report["ranks"] == []
    assert {summary["budget"] for summary in report["summaries"]} == {"flash <= 8192", "flash <= 16384", "all"}
    assert all("score" in s["figures"] and "regret" not in s["figures"] for s in report["summaries"])


def test_designs_are_compared_by_scores_and_short_trainings(spikenas: Spikenas, tmp_path: Path) -> None:
    asked = ("compare", "--data", "digits", "--designs", "--by", "capacity,train", "--strategies", "random,evolution")
    asked += (
        "--flash",
        "12KiB",
        "--ram",
        "12KiB",
        "--seeds",
        "2",
        "--evaluations",
        "3",
        "--workers",
        "1",
        "--out",
        "c",
    )
    asked += ("--set", "short_training.images=200", "--set", "short_training.epochs=1", "--set", "designs.cells=[1, 2]")
    first = spikenas(*asked)
    assert first.returncode == 0, first.stderr
    with (tmp_path / "c" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 * 2
    for row in rows:
        design = Design.parse(row["genotype"])
        assert design.cells in (1, 2)
        found = footprint(design.plan(NetworkConfig(), InputSpec(1, 8, 8, 10)))
        assert (found.flash_bytes if row["budget"].startswith("flash") else found.ram_bytes) <= 12 << 10
    assert all(0 <= float(row["score"]) <= 1 for row in rows if row["evaluator"] == "train")

    before = (tmp_path / "c" / "results.csv").read_bytes()
    assert spikenas(*asked, "--quiet").returncode == 0
    assert (tmp_path / "c" / "results.csv").read_bytes() == before


def test_scores_of_a_file_rank_a_table(spikenas: Spikenas, tmp_path: Path, table: Path) -> None:
    with table.open() as file:
        genotypes = [row["genotype"] for row in csv.DictReader(file)]
    lines = [f"{genotype},{-k}" for k, genotype in enumerate(genotypes)]
    (tmp_path / "mine.csv").write_text("\n".join(["genotype,score", *lines]) + "\n")
    asked = ("compare", "--table", table, "--data", "digits", "--by", "mine.csv", "--strategies", "none", "--out", "c")
    found = spikenas(*asked)
    assert found.returncode == 0, found.stderr
    assert "mine" in found.stdout
    assert not (tmp_path / "c" / "results.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by", "cmrX"), "--by: unknown score 'cmrX', did you mean 'cmrr'?; a CSV, or a metric such as"),
        (("--by", "epoch 5"), "--by: unknown score 'epoch 5', known: capacity, cmrr, "),
        (("--strategies", "randon"), "unknown strategy 'randon', did you mean 'random'?"),
        (("--convs", "3-1"), "--convs 3-1: 3 is more than 1"),
        (("--convs", "few"), "--convs few: expected numbers such as 0-6 or 2,4"),
        (("--convs", "2"), "limit convs <= 2: only the networks of a table can be limited so"),
        (("--flash", "many"), "--flash: expected a size such as 96KiB"),
        (("--table", "nowhere.csv"), "nowhere.csv: no such file or folder"),
        (("--by", "cmrr,cmrr"), "evaluator 'cmrr' is there twice"),
        (("--strategies", "none"), "--strategies none: nothing is left to compare; name strategies, or rank"),
        (("--strategies", ""), "--strategies '': an empty text"),
        (("--by", "cmrr,"), "--by cmrr,: an empty entry"),
        (("--designs", "--table", "nowhere.csv"), "--designs: a table has no designs"),
        (("--networks", "3"), "--networks: goes with --table alone"),
        (("--executor", "in-process", "--workers", "2"), "executor.workers: 2 asked"),
    ],
)
def test_what_cannot_be_compared(spikenas: Spikenas, options: tuple[str, ...], message: str) -> None:
    found = spikenas("compare", *QUICK, *options, "--seeds", "1", "--out", "c")
    assert found.returncode == 2
    assert found.stderr.startswith("spikenas: ")
    assert message in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_a_file_in_the_place_of_the_folder(spikenas: Spikenas, tmp_path: Path) -> None:
    (tmp_path / "c").touch()
    found = spikenas("compare", *QUICK, "--strategies", "random", "--out", "c")
    assert found.returncode == 2
    assert found.stderr == "spikenas: c: a file, not a folder\n"


def test_a_table_and_its_evaluators(spikenas: Spikenas, table: Path) -> None:
    found = spikenas("compare", "--table", table, "--out", "c")
    assert found.returncode == 2
    assert "give --data too" in found.stderr
    found = spikenas("compare", "--table", table, "--data", "digits", "--strategies", "none", "--networks", "0")
    assert found.returncode == 2
    assert "--strategies none: nothing is left to compare" in found.stderr
    found = spikenas("compare", "--table", table, "--data", "digits", "--by", "epoch 3", "--out", "c")
    assert found.returncode == 2
    assert "no row has the metric 'epoch 3'" in found.stderr
    found = spikenas("compare", "--table", table, "--data", "digits", "--by", "sadh", "--out", "c")
    assert found.returncode == 2
    assert "evaluator 'sadh': neither a score, nor a .csv of scores, nor a metric of the table" in found.stderr
