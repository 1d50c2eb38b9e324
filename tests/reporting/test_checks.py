import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikenas.config import BudgetConfig, Config
from spikenas.reporting import SavedRun, load_run
from spikenas.reporting.advice import Check
from spikenas.reporting.checks import checks


@pytest.fixture(scope="module")
def run(folder: Path) -> SavedRun:
    return load_run(folder)


def of(run: SavedRun, subject: str, **changes: Any) -> list[Check]:
    return [check for check in checks(replace(run, **changes)) if check.subject == subject]


def budgeted(run: SavedRun, **limits: int) -> Config:
    return run.config.but({"budget": BudgetConfig.model_validate(limits)})


def levels(found: list[Check]) -> list[str]:
    return [check.level for check in found]


def test_a_budget_that_is_exceeded(run: SavedRun) -> None:
    assert "problem" not in levels(of(run, "budget"))
    over = of(run, "budget", config=budgeted(run, ram=1000))
    assert levels(over) == ["problem"]
    assert "ram" in over[0].finding
    assert over[0].remedy


def test_time_is_that_which_was_counted(run: SavedRun) -> None:
    timed = run.config.but({"budget.latency": "100ms"})
    assert "problem" not in levels(of(run, "budget", config=timed))
    ((device, said),) = run.measured.items()
    counted = {**said, "linked": said["predicted"], "instructions": 72_000_000}
    (check,) = of(run, "budget", config=timed, measured={device: counted})
    cycles = timed.budget.cycles
    assert cycles
    assert (check.level, check.finding) == ("problem", f"latency: {cycles - 0.1:g} s too much")
    said = re.search(r" --latency ([0-9.]+)([mu]?)s ", check.remedy)
    assert said
    lower = float(said[1]) * {"": 1, "m": 1e-3, "u": 1e-6}[said[2]]
    expected = run.cost.instructions * cycles / timed.budget.clock if run.cost else 0.0
    assert lower == pytest.approx(0.99 * 0.1 * expected / cycles, rel=0.01)  # counted were `cycles` seconds


def test_a_budget_that_is_hardly_used(run: SavedRun) -> None:
    assert levels(of(run, "budget", config=budgeted(run, ram=10**6, flash=10**6))) == ["warning"]


def test_layers_that_are_silent_or_saturated(run: SavedRun) -> None:
    assert run.evaluation
    binary = run.config.but({"network.neuron": "lif"})
    own = {key: value for key, value in run.evaluation.items() if key != "active_shares"}  # as of binary neurons
    rates = dict.fromkeys(own["firing_rates"], 0.2)
    assert levels(of(run, "spikes", config=binary, evaluation={**own, "firing_rates": rates})) == ["good"]
    rates |= dict(zip(rates, (0.001, 0.95), strict=False))
    found = of(run, "spikes", config=binary, evaluation={**own, "firing_rates": rates})
    assert levels(found) == ["warning", "warning"]
    assert "silent" in found[0].finding
    assert "saturated" in found[1].finding


def test_counts_are_silent_by_their_neurons_and_saturated_by_what_there_can_be(run: SavedRun) -> None:
    assert run.evaluation
    names = list(run.evaluation["firing_rates"])
    counting = run.config.but({"network.neuron": "ilif", "network.levels": 4})

    def found(rate: float, share: float) -> list[Check]:
        rates, shares = dict.fromkeys(names, 1.5), dict.fromkeys(names, 0.4)
        said = {**run.evaluation, "firing_rates": rates | {names[0]: rate}, "active_shares": shares | {names[0]: share}}
        return of(run, "spikes", config=counting, evaluation=said)

    assert levels(found(1.5, 0.4)) == ["good"]
    assert "of its neurons at a timestep" in found(1.5, 0.4)[0].finding
    assert f"{names[0]} (0.20%)" in found(0.008, 0.002)[0].finding
    assert f"{names[0]} (95%)" in found(3.8, 1.0)[0].finding
    assert levels(found(3.4, 1.0)) == ["good"]


def test_a_network_without_spikes_has_none_to_check(run: SavedRun) -> None:
    assert run.evaluation
    said = {**run.evaluation, "firing_rates": {}, "synops_by_layer": {}, "synops": None}
    assert of(run, "spikes", config=run.config.but({"network.neuron": "relu"}), evaluation=said) == []


def test_accuracy_that_the_integers_lose(run: SavedRun) -> None:
    assert run.evaluation
    lost = {**run.evaluation, "test_accuracy": 0.9, "quantised_test_accuracy": 0.88}
    assert levels(of(run, "integers", evaluation=lost)) == ["warning"]
    tuned = {**(run.quantisation or {}), "epochs": 6}
    assert "--tuning 12" in of(run, "integers", evaluation=lost, quantisation=tuned)[0].remedy
    harmed = {**(run.quantisation or {}), "tuning_did_harm": True}
    remedy = of(run, "integers", evaluation=lost, quantisation=harmed)[0].remedy
    assert f"--set quantise.lr={run.config.quantise.lr / 10:g}" in remedy
    assert levels(of(run, "integers", evaluation={**lost, "quantised_test_accuracy": 0.899})) == ["good"]


def test_memory_that_is_not_as_predicted(run: SavedRun) -> None:
    sizes = {"flash_bytes": 50000, "ram_bytes": 10000}
    same = {"predicted": sizes, "linked": sizes}
    assert levels(of(run, "firmware", measured={"a": same})) == ["good", "good"]
    more = {"predicted": sizes, "linked": {**sizes, "flash_bytes": 50001}}
    assert levels(of(run, "firmware", measured={"a": more})) == ["warning", "good"]
    assert levels(of(run, "firmware", measured={})) == ["unknown"]


def test_a_search_that_gets_slower(run: SavedRun) -> None:
    trials = [replace(run.trials[0], position=n, status="scored", seconds=0.1) for n in range(40)]
    assert levels(of(run, "search time", trials=trials)) == ["good"]
    slow = [*trials[:10], *(replace(trial, seconds=1.0) for trial in trials[10:])]
    assert levels(of(run, "search time", trials=slow)) == ["warning"]


def test_ops_that_might_have_helped(run: SavedRun) -> None:
    def decided(verdict: str) -> dict[str, Any]:
        effect = {"verdict": verdict, "loss_sd": {"mean": -0.2, "low": -0.6, "high": 0.2}}
        decision = {"key": "space.ops", "value": ["skip"], "evidence": {"effects": {"with conv5x5": effect}}}
        return {"decisions": [decision]}

    (found,) = of(run, "ops left out", space=decided("open"))
    assert found.level == "warning"
    assert "conv5x5" in found.finding
    assert "0.60" in found.finding
    assert levels(of(run, "ops left out", space=decided("useless"))) == ["good"]
    assert levels(of(run, "ops left out", space=None)) == ["unknown"]


def test_training_that_is_not_done_or_does_not_generalise(run: SavedRun) -> None:
    good = replace(run.epochs[-1], train_accuracy=0.9, validation_accuracy=0.88)
    assert levels(of(run, "training", epochs=[good])) == ["warning"]
    assert levels(of(run, "generalisation", epochs=[good, good])) == ["good"]
    learnt = replace(good, train_accuracy=0.99, validation_accuracy=0.6)
    assert levels(of(run, "generalisation", epochs=[learnt, learnt])) == ["warning"]


def test_training_that_learnt_nothing(run: SavedRun) -> None:
    guessing = replace(run.epochs[-1], train_accuracy=0.1, validation_accuracy=0.11)
    (found,) = of(run, "training", epochs=[guessing] * run.config.train.epochs)
    assert found.level == "problem"
    assert f"train.lr={run.config.train.lr / 10:g}" in found.remedy
    assert of(run, "generalisation", epochs=[guessing, guessing]) == []


def test_what_is_wrong_comes_first(run: SavedRun) -> None:
    found = levels(checks(replace(run, unreadable=["best.json: not valid JSON"])))
    order = ["problem", "warning", "unknown", "good"]
    assert found[0] == "problem"
    assert found == sorted(found, key=order.index)
