import json
from pathlib import Path

import pytest

from spikenas._util.errors import BudgetError, ConfigError, NoDifferenceError
from spikenas._util.progress import Reporter
from spikenas.config import Config
from spikenas.enhancement import Enhancer, write_space
from spikenas.memory.width import LADDER
from spikenas.task import Task
from support import Spikenas

FIDELITY = {"channels": 4, "batch": 8, "repeats": 1, "timesteps": 2}
BASE = {"budget": {"flash": "16KiB"}, "fidelity": FIDELITY, "executor": {"workers": 1}}
FIVE = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")


def enhancer(folder: Path, values: dict[str, object] | None = None, **settings: object) -> Enhancer:
    config = Config.parse(BASE | (values or {}) | {"enhancement": {"seeds": 5, "draws": 4, **settings}})
    return Enhancer(Task.of(config), folder, Reporter(None))


@pytest.mark.slow
def test_each_setting_is_decided_with_a_reason_and_its_evidence(tmp_path: Path) -> None:
    found = enhancer(tmp_path, {"network": {"timesteps": 2}}).run()
    by_key = {decision.key: decision for decision in found.decisions}
    assert list(by_key) == [
        *("network.kind", "space.ops", "network.cells", "network.weight_bits", "network.channels"),
        "network.stem_stride",
        *("space.shared", "search.refine", "search.evaluations", "network.timesteps"),
    ]
    assert all(decision.reason for decision in found.decisions)
    assert by_key["network.timesteps"].given
    assert set(found.config.space.ops) <= set(FIVE)
    assert set(by_key["space.ops"].evidence["effects"]) >= {
        *("without skip", "without conv3x3", "with none", "with conv1x1", "with avgpool3x3")
    }
    cells = by_key["network.cells"].evidence["cells"]
    assert "left_out" in cells["3"]  # 8x8 images
    assert {cells[number]["channels"] for number in "12"} <= set(LADDER)
    assert found.config.network.cells == 2
    widths = by_key["network.weight_bits"].evidence["channels_by_bits"]
    assert widths["8"] == found.config.network.channels <= widths["4"] <= widths["2"]
    assert isinstance(found.config.network.channels, int)
    assert by_key["network.channels"].evidence["share_that_fits"]["4"] == 1
    assert found.config.space.shared is not bool(found.config.search.refine)
    assert "hidden layer" in by_key["network.kind"].reason
    assert enhancer(tmp_path, {"network": {"timesteps": 2}}).run() == found
    write_space(tmp_path, found)
    stored = json.loads((tmp_path / "space.json").read_text())
    assert Config.parse(stored["config"]) == found.config


@pytest.mark.slow
def test_short_trainings_can_decide_the_number_of_cells(tmp_path: Path) -> None:
    short = {"epochs": 1, "images": 60, "validation": 60}
    values = {"network": {"timesteps": 2}, "space": {"ops": ["skip", "conv3x3"]}, "short_training": short}
    found = enhancer(tmp_path, values, by="train").run()
    (decision,) = [one for one in found.decisions if one.key == "network.cells"]
    rows = decision.evidence["cells"]
    assert decision.evidence["evaluator"] == "train"
    assert {"mean", "low", "high"} <= set(rows["1"]["gain"])
    assert "short trainings" in decision.reason


def test_what_is_given_stays(tmp_path: Path) -> None:
    values = {
        "network": {"cells": 1, "channels": 6, "stem_stride": 1, "timesteps": 3, "kind": "compact"},
        "space": {"ops": ["skip", "conv3x3"], "shared": True},
        "search": {"evaluations": 5, "refine": 0},
    }
    found = enhancer(tmp_path, values).run()
    given = {decision.key: decision for decision in found.decisions}
    assert not given["network.weight_bits"].given, "nobody asked for it"
    assert "the width is given" in given.pop("network.weight_bits").reason
    assert all(
        decision.given and decision.reason == "set beforehand, so not decided here" for decision in given.values()
    )
    assert found.config.network.cells == 1
    assert not list(tmp_path.iterdir())  # nothing had to be evaluated


REPORT = {
    "data": "digits", "ops": list(FIVE), "kept": ["skip", "conv3x3"], "effects": [], "together": [],
    "evaluator": "cmrr", "candidates": 5259, "candidates_kept": 39,
    "config": {"space": {"nodes": 4, "feedback": False}},
}  # fmt: skip


def test_ops_of_an_analysis_that_was_made_before(tmp_path: Path) -> None:
    (tmp_path / "analysis.json").write_text(json.dumps(REPORT))
    one = {"network": {"cells": 1}}
    found = enhancer(tmp_path / "e", one, analysis=str(tmp_path)).run()
    assert found.config.space.ops == ("skip", "conv3x3")
    asked = enhancer(tmp_path / "e", one | {"space": {"ops": list(FIVE)}}, analysis=str(tmp_path)).run()
    assert asked.config.space.ops == ("skip", "conv3x3"), "an analysis of just the ops that are asked for"


@pytest.mark.parametrize(
    ("changes", "values", "message"),
    [
        ({"data": "cifar10"}, {}, "of the data 'cifar10', not 'digits'; 'spikenas analyze' makes one"),
        ({"evaluator": "train"}, {}, "evaluated by 'train', this space by 'cmrr'"),
        ({"ops": ["skip", "conv5x5"], "kept": ["skip"]}, {}, r"of another space \(skip, conv5x5\)"),
        ({}, {"space": {"ops": ["skip", "conv3x3"]}}, "of another space"),
        ({}, {"space": {"nodes": 3}}, "cells with other nodes"),
        ({"kept": 3}, {}, r"analysis\.json: not an analysis \(kept: expected"),
        ({"kept": ["conv5x5"]}, {}, r"not an analysis \(kept"),
        ({"effects": [{}]}, {}, r"not an analysis \(effects\.0\."),
        ({"ops": ["conv9x9"]}, {}, "not an analysis .*unknown op"),
    ],
)
def test_an_analysis_of_something_else_or_damaged_is_refused(
    tmp_path: Path, changes: dict[str, object], values: dict[str, object], message: str
) -> None:
    (tmp_path / "analysis.json").write_text(json.dumps(REPORT | changes))
    with pytest.raises(ConfigError, match=message):
        enhancer(tmp_path / "e", {"network": {"cells": 1}} | values, analysis=str(tmp_path)).run()


def test_an_analysis_that_is_no_json_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "analysis.json").write_text("{")
    with pytest.raises(ConfigError, match="not an analysis"):
        enhancer(tmp_path / "e", analysis=str(tmp_path)).run()
    with pytest.raises(ConfigError, match="cannot be read"):
        enhancer(tmp_path / "e", analysis=str(tmp_path / "nowhere")).run()


def test_a_budget_that_one_cell_meets_is_met(tmp_path: Path) -> None:
    """There is nothing to compare then, so that nothing is drawn."""
    found = enhancer(tmp_path, {"budget": {"flash": 4000, "ram": 1000}}).run()
    by_key = {decision.key: decision for decision in found.decisions}
    assert "one cell of the space fits" in by_key["space.ops"].reason
    assert found.config.space.ops == ("skip", "conv3x3")
    assert not (tmp_path / "analysis").exists()
    assert Task.of(found.config).sized().config.network.channels == LADDER[0]


@pytest.mark.slow
def test_a_budget_that_fewer_cells_meet_is_met(tmp_path: Path) -> None:
    found = enhancer(tmp_path, {"budget": {"flash": 5500, "ram": 900}}).run()
    (cells,) = [one for one in found.decisions if one.key == "network.cells"]
    assert (found.config.network.cells, cells.value) == (1, 1)
    assert "2 cells cannot be: no network of the space meets the budget" in cells.reason


def test_networks_that_are_all_equally_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_differs(*_: object) -> None:
        raise NoDifferenceError("of 5 networks none differs")

    monkeypatch.setattr("spikenas.enhancement.analysis.EffectEstimator.effects", none_differs)
    found = enhancer(tmp_path, {"network": {"cells": 1, "timesteps": 2}, "search": {"refine": 0}}, draws=2).run()
    (ops,) = [one for one in found.decisions if one.key == "space.ops"]
    assert "equally good" in ops.reason
    assert found.config.space.ops == ("skip", "conv3x3")


def test_nothing_fits(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="no network of the space meets the budget"):
        enhancer(tmp_path, {"budget": {"flash": "1KiB"}}).run()


@pytest.mark.slow
def test_the_command_and_the_run_that_follows(spikenas: Spikenas, tmp_path: Path) -> None:
    quick = ("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "fidelity.repeats=1")
    quick += ("--timesteps", "2", "--flash", "12KiB", "--cells", "1", "--workers", "1", "--seed", "3")
    decided = spikenas("enhance", "--data", "digits", *quick, "--seeds", "5", "--draws", "4", "--out", "r")
    assert decided.returncode == 0, decided.stderr
    assert "space.ops" in decided.stdout
    space = json.loads((tmp_path / "r" / "space.json").read_text())
    done = spikenas("run", "--out", "r", "--epochs", "1", "--evaluations", "6", "--json")
    assert done.returncode == 0, done.stderr
    best = json.loads((tmp_path / "r" / "best.json").read_text())
    assert json.loads(done.stdout)["genotype"] == best["genotype"]
    assert best["channels"] == space["config"]["network"]["channels"]
    assert json.loads((tmp_path / "r" / "space.json").read_text()) == space


@pytest.mark.parametrize("neuron", ["ilif", "relu"])
def test_networks_of_other_neurons_are_decided_too(tmp_path: Path, neuron: str) -> None:
    network = {"neuron": neuron, "cells": 1, "channels": 4}
    values = {"network": network, "space": {"ops": ["skip", "conv3x3"], "shared": True}, "search": {"evaluations": 4}}
    found = enhancer(tmp_path, values).run()
    by_key = {decision.key: decision for decision in found.decisions}
    assert by_key["network.kind"].evidence["smallest_snasnet"]["flash_bytes"] > 16 << 10
    assert (found.config.network.neuron, found.config.network.timesteps) == (neuron, 1)
    assert by_key["network.timesteps"].value == 1
