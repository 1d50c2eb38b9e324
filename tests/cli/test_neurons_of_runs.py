"""Runs of each kind of neuron at the command line, and what cannot be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikenas.reporting import load_run
from spikenas.reporting.page import render
from support import Main

TINY = (
    *("--data", "digits", "--channels", 4, "--cells", 1, "--set", "train.epochs=1", "--set", "space.nodes=3"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "fidelity.repeats=1", "--quiet"),
)
CELLS = "0-3:conv3x3 / 0-3:skip"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--neuron", "lfi"), "--neuron: expected 'lif', 'ilif' or 'relu', got 'lfi', did you mean 'lif'?"),
        (("--set", "network.neuron=3"), "--set network.neuron: expected 'lif', 'ilif' or 'relu', got 3"),
        (("--neuron", "ilif", "--levels", 0), "--levels: expected at least 1, got 0"),
        (("--neuron", "ilif", "--levels", 16), "--levels: expected at most 15, got 16"),
        (("--neuron", "ilif", "--network", "snasnet"), "--neuron: snasnet has lif neurons, got ilif"),
        (("--neuron", "relu", "--space", "spikenas-bench"), "--neuron: snasnet has lif neurons, got relu"),
        (
            ("--neuron", "relu", "--timesteps", 2),
            "network.timesteps: relu neurons have no memory; images take 1, got 2",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "command", [("estimate", CELLS), ("run", "--data", "digits", "--out", "r")], ids=["estimate", "run"]
)
def test_what_cannot_be_asked_for(
    run: Main, tmp_path: Path, command: tuple[str, ...], arguments: tuple[object, ...], said: str
) -> None:
    status, out, err = run(*command, *arguments)
    *seen, last = err.splitlines()
    assert (status, out, last) == (2, "", f"spikenas: {said}")
    assert all(line.startswith(("data ", "images ", "input ")) for line in seen), "what tells an image from events"
    assert not (tmp_path / "r" / "config.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--set", "fidelity.neuron=if"),
            "--set fidelity.neuron: expected 'lif', 'ilif', 'relu' or 'network', got 'if'",
        ),
        (
            ("--set", "fidelity.neuron=ilif", "--network", "snasnet"),
            "--set fidelity.neuron: snasnet has lif neurons, got ilif",
        ),
        (
            ("--neuron", "relu", "--front", "synops"),
            "search.front: relu neurons send no spikes, so there are no synops; params, flash or ram",
        ),
        (
            ("--neuron", "ilif", "--ops", "skip,conv3x3@0"),
            "'conv3x3@0': the threshold after @ must be a positive number",
        ),
        (
            ("--neuron", "ilif", "--ops", "skip,conv3x3@-1"),
            "'conv3x3@-1': the threshold after @ must be a positive number",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_searched(run: Main, tmp_path: Path, arguments: tuple[object, ...], said: str) -> None:
    status, out, err = run("search", "--data", "digits", "--out", "r", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"spikenas: {said}")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_a_potential_has_nothing_to_be_above_where_it_is_not_reset_to(run: Main) -> None:
    reset = ("--set", "network.v_reset=0.5")
    assert run("estimate", "0-3:conv3x3@0.25", *reset, "--neuron", "lif")[0] == 2
    assert run("estimate", "0-3:conv3x3@0.25", *reset)[0] == 0


@pytest.mark.parametrize(
    ("neuron", "levels", "words"),
    [("lif", None, "lif, T = 5"), ("ilif", 7, "ilif, D = 7, T = 1"), ("relu", None, "relu (not spiking), T = 1")],
)
def test_estimate_says_the_neurons(run: Main, neuron: str, levels: int | None, words: str) -> None:
    status, out, _ = run("estimate", CELLS, "--neuron", neuron)
    assert status == 0
    assert f"Neurons: {words}." in " ".join(out.split())
    said = json.loads(run("estimate", CELLS, "--neuron", neuron, "--json")[1])
    assert (said["neuron"], said["levels"], said["timesteps"]) == (neuron, levels, 1 if neuron != "lif" else 5)


@pytest.mark.parametrize(("neuron", "levels"), [("ilif", 3), ("relu", None)])
def test_search_training_evaluation_and_report(run: Main, tmp_path: Path, neuron: str, levels: int | None) -> None:
    given = ("--levels", levels) if levels else ()
    for command in (("search", *TINY, "--neuron", neuron, *given), ("train", "--quiet"), ("evaluate", "--quiet")):
        status, _, err = run(*command, "--out", "r")
        assert (status, err) == (0, "")
    said = json.loads(run("evaluate", "--out", "r", "--json")[1])
    assert (said["neuron"], said["levels"], said["timesteps"]) == (neuron, levels, 1)
    assert (said["synops"] is None) == (neuron == "relu")
    evaluation = json.loads((tmp_path / "r" / "evaluation.json").read_text())
    saved, shown = load_run(tmp_path / "r"), run("evaluate", "--out", "r")[1]
    assert saved.unreadable == []
    page = render([saved])
    if neuron == "ilif":
        assert "4 channels, ilif, D = 3, T = 1" in shown
        assert f"{evaluation['synops']:,.0f} synops per inference" in " ".join(shown.split())
        assert evaluation["active_shares"].keys() == evaluation["firing_rates"].keys()
        assert saved.summary["neurons, T"] == "ilif, D = 3, T = 1"
        assert "sends 0 to D spikes in a timestep" in page
        assert "spikes a neuron and timestep" in page
    else:
        assert "4 channels, relu (not spiking), T = 1" in shown
        assert f"{evaluation['macs']:,.0f} multiplications per inference" in " ".join(shown.split())
        assert "active_shares" not in evaluation
        assert saved.summary["multiplications an inference"] == f"{evaluation['macs']:,.0f}"
        assert "synaptic operations an inference" not in saved.summary
        assert "not a spiking network" in page
        assert "layers of neurons" not in page
