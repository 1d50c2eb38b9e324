import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from spikenas.reporting import load_run
from spikenas.reporting.page import edge_notes, render
from support import Main

LARGEST_BYTES = 3_000_000


def specs_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="specs">([^<]*)<', page)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return render([load_run(folder)])


def test_every_plot_is_one_that_plotly_knows(page: str) -> None:
    specs = specs_of(page)
    names = {name.rpartition("-")[0] for name in specs}
    assert names == {"trials", "search", "training", "confusion", "spikes", "flash", "ram", "operations"}
    for spec in specs.values():
        go.Figure({"data": spec["data"], "layout": spec["layout"]})
        for view in spec["views"].values():
            assert len(view["x"]) == len(spec["data"])


def test_the_page_needs_nothing_else(page: str) -> None:
    without_library = re.sub(r'id="library">[^<]*<', "", page)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", without_library)
    assert "url(http" not in without_library
    assert len(page.encode()) < LARGEST_BYTES


def test_the_answer_is_on_it(folder: Path, page: str) -> None:
    run = load_run(folder)
    assert run.best
    assert run.evaluation
    assert run.best["genotype"] in page
    assert f"{run.evaluation['quantised_test_accuracy']:.2%} of the test images right" in page
    assert "STM32F103" in page
    assert "spikenas run --out" in page
    for stage in run.seconds:
        assert f"<td>{stage}</td>" in page


def test_names_are_escaped(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "<script>alert(1)<")
    data = json.loads((copy / "data.json").read_text())
    data["classes"] = [f"<b>{name}&" for name in data["classes"]]
    (copy / "data.json").write_text(json.dumps(data))
    found = render([load_run(copy)])
    assert "<b>" not in found
    assert "<script>alert" not in found


def test_edges_say_what_they_compute_and_take(folder: Path) -> None:
    run = load_run(folder)
    assert run.plan
    assert run.cost
    notes = edge_notes(run.plan, run.cost)
    own = {str(atom.op) for cell in run.plan.genotype.cells for atom in cell.canonical.atoms}
    assert {op for _, op in notes} == own
    assert all("params" in note and "flash" in note for note in notes.values())


def test_several_runs(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "evaluation.json").unlink()
    found = render([load_run(folder), load_run(other), load_run(folder)])
    specs = specs_of(found)
    assert {"comparison", "training", "trials-0", "trials-1", "trials-2"} <= specs.keys()
    assert "confusion-1" not in specs
    assert len(specs["comparison"]["data"]) == 2
    identifiers = re.findall(r'\bid="([^"]+)"', found)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(
    "gone",
    [["evaluation.json", "firmware/stm32f103/footprint.json"], ["best.json", "train.csv", "trials.db"], ["data.json"]],
)
def test_what_is_there_is_shown(folder: Path, tmp_path: Path, gone: list[str]) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    for name in gone:
        (copy / name).unlink()
    assert "To make it again" in render([load_run(copy)])


def test_a_search_of_15625_candidates_stays_below_the_size(large: Path) -> None:
    page = render([load_run(large)])
    assert len(page.encode()) < LARGEST_BYTES
    traces = specs_of(page)["trials-0"]["data"]
    assert sum(len(trace["y"]) for trace in traces if trace["name"].startswith("cell")) == 15625


def test_the_command(folder: Path, tmp_path: Path, run: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("report", folder, folder)[0] == 0
    assert (tmp_path / "report.html").exists()
    assert run("report", folder, "--out", "one.html")[0] == 0
    assert (tmp_path / "one.html").exists()
    status, _, said = run("report", tmp_path / "nothing")
    assert (status, said.count("\n")) == (2, 1)
    assert "no such folder" in said
    (tmp_path / "empty").mkdir()
    status, _, said = run("report", tmp_path / "empty")
    assert (status, said.count("\n")) == (2, 1)
    assert "config.toml" in said


def test_every_run_writes_one(folder: Path) -> None:
    assert (folder / "report.html").stat().st_size < LARGEST_BYTES


def test_a_loss_that_is_no_number(folder: Path) -> None:
    run = load_run(folder)
    page = render([replace(run, epochs=[replace(epoch, validation_loss=float("nan")) for epoch in run.epochs])])
    assert None in specs_of(page)["training-0"]["data"][-1]["y"]


def test_a_run_of_an_earlier_version(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    for name in ("data.json", "history.jsonl", "mistakes.png"):
        (copy / name).unlink()
    evaluation = json.loads((copy / "evaluation.json").read_text())
    del evaluation["mistakes"], evaluation["synops_by_layer"]
    (copy / "evaluation.json").write_text(json.dumps(evaluation))
    assert {"trials-0", "training-0", "confusion-0", "spikes-0"} <= specs_of(render([load_run(copy)])).keys()


def test_an_analysis_is_shown_before_the_space_is_decided(folder: Path) -> None:
    page = render([replace(load_run(folder), space=None, undecided=True, best=None, trials=[])])
    assert "Which operations matter" in page
    assert "Decisions" not in page
