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

from spikenas.records import QUANTISED_KEYS
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


def changed(folder: Path, place: Path, name: str, **values: Any) -> Path:
    """A copy of a run in which a file of JSON says something else."""
    copy = Path(shutil.copytree(folder, place))
    found = json.loads((copy / name).read_text())
    (copy / name).write_text(json.dumps({**found, **values}))
    return copy


def test_mistakes_are_those_of_the_integers_and_have_file_names(folder: Path, tmp_path: Path) -> None:
    evaluation = json.loads((folder / "evaluation.json").read_text())
    file = '/data/test/<b>&"7/img 1.png'
    named = [{**mistake, "file": file, "label": 7, "predicted": 1} for mistake in evaluation["quantised_mistakes"]]
    run = load_run(changed(folder, tmp_path / "run", "evaluation.json", quantised_mistakes=named, mistakes=[]))
    assert run.tested
    assert run.tested.by == "the integers"
    assert len(run.mistakes) == len(named)
    page = render([run])
    assert "By the integers: " in page
    assert page.count('title="/data/test/&lt;b&gt;&amp;&#34;7/img 1.png">&lt;b&gt;&amp;&#34;7/img 1.png</span>') == len(
        named
    )
    assert page.count("<span>7, taken for 1</span>") == len(named)
    confusion = specs_of(page)["confusion-0"]["data"][0]["customdata"]
    assert confusion == evaluation["quantised_confusion"]


def test_pictures_of_another_network_s_mistakes_are_not_shown(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "run"))
    evaluation = json.loads((copy / "evaluation.json").read_text())
    kept = {key: value for key, value in evaluation.items() if key not in QUANTISED_KEYS}
    (copy / "evaluation.json").write_text(json.dumps(kept))
    run = load_run(copy)
    assert run.tested
    assert (run.tested.by, run.tested.mistakes) == ("the network in floating point", evaluation["mistakes"])
    assert run.mistakes == []
    assert run.unreadable == []
    assert "most wrong" not in render([run])


def test_what_was_noticed_of_the_data(folder: Path, tmp_path: Path, page: str) -> None:
    assert "Images of each class, by split" in page
    assert "1x8x8 (grey)" in page
    counts = json.loads((folder / "data.json").read_text())["counts"]
    assert (
        f"<td>0</td><td>{counts['train'][0]}</td><td>{counts['validation'][0]}</td><td>{counts['test'][0]}</td>" in page
    )
    notes = ["3 images are twice in the data: <a.png>", "2 files are not used"]
    noticed = render([load_run(changed(folder, tmp_path / "run", "data.json", notes=notes))])
    assert "<li>3 images are twice in the data: &lt;a.png&gt;</li>" in noticed
    bare = json.loads((folder / "data.json").read_text())
    del bare["counts"], bare["items"]
    (tmp_path / "run" / "data.json").write_text(json.dumps(bare))
    assert "The data</h2>" not in render([load_run(tmp_path / "run")])


def test_figures_are_explained_where_they_stand(page: str) -> None:
    for word in ("in decibels; higher is better", "number of timesteps over which", "additions that spikes cause"):
        assert word in page


def test_recall_and_precision_of_each_class(folder: Path, page: str) -> None:
    figures = json.loads((folder / "evaluation.json").read_text())["quantised_figures"]
    for one in figures["classes"]:
        shares = ("" if one[key] is None else f"{one[key]:.1%}" for key in ("recall", "precision"))
        assert (
            f"<tr><td>{one['name']}</td><td>{one['items']}</td>{''.join(f'<td>{s}</td>' for s in shares)}</tr>" in page
        )


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


def test_a_run_of_which_files_are_missing(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    for name in ("data.json", "history.jsonl", "mistakes.png"):
        (copy / name).unlink()
    assert {"trials-0", "training-0", "confusion-0", "spikes-0"} <= specs_of(render([load_run(copy)])).keys()


def test_an_analysis_is_shown_before_the_space_is_decided(folder: Path) -> None:
    page = render([replace(load_run(folder), space=None, undecided=True, best=None, trials=[])])
    assert "Which operations matter" in page
    assert "Decisions" not in page
