"""Limits of instructions, time and energy, from the command line to the network found."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from spikenas.config import Config
from spikenas.nas.store import read_trials
from spikenas.space import Genotype
from spikenas.task import Task

Main = Callable[..., tuple[int, str, str]]
DIGITS = ("--data", "digits", "--set", "threads=1")
SPEED = ("--set", "budget.clock=10MHz", "--set", "budget.cycles=2", "--set", "budget.power=50mW")


@pytest.mark.parametrize(
    ("limit", "instructions"),
    [
        (("--instructions", "300k"), 300_000),
        (("--latency", "60ms", *SPEED), 300_000),
        (("--energy", "3mJ", *SPEED), 300_000),
        (("--target", "rp2040", "--latency", "3ms"), 3e-3 * 125e6 / 1.3),
    ],
)
def test_a_network_within_the_limit_is_found(
    run: Main, tmp_path: Path, limit: tuple[str, ...], instructions: float
) -> None:
    status, out, err = run("search", *DIGITS, *limit, "--out", tmp_path / "r", "--json", "--quiet")
    assert (status, err) == (0, "")
    best = json.loads(out)
    task = Task.of(Config.load(tmp_path / "r/config.toml"))
    assert best["instructions"] == round(task.cost(Genotype.parse(best["genotype"])).instructions) <= instructions
    trials = read_trials(tmp_path / "r/trials.db")
    assert all((trial.instructions or 0) <= instructions for trial in trials if trial.status == "scored")
    assert task.config.network.channels < Task("digits").sized().config.network.channels  # type: ignore[operator]


def test_designs_are_drawn_within_the_limit(run: Main, tmp_path: Path) -> None:
    race = ("--set", "race.epochs=1", "--set", "race.entrants=2", "--evaluations", "12", "--executor", "in-process")
    given = ("--instructions", "400k", "--set", "train.epochs=1", "--out", tmp_path / "r", "--json", "--quiet")
    status, out, _ = run("search", *DIGITS, *race, *given)
    assert status == 0
    assert json.loads(out)["instructions"] <= 400_000
    trials = read_trials(tmp_path / "r/trials.db")
    assert {trial.status for trial in trials} <= {"scored", "over budget"}
    assert all((trial.instructions or 1e9) <= 400_000 for trial in trials if trial.status == "scored")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--latency", "0ms"), "--latency: expected more than 0"),
        (("--energy", "-1mJ"), "--energy: expected a number with a unit, such as 2mJ"),
        (("--instructions", "0"), "--instructions: expected more than 0"),
        (("--target", "rp2040", "--latency", "50"), "--latency: expected a number with a unit, such as 50ms"),
        (
            ("--target", "esp32s3", "--instructions", "5M"),
            "--instructions: expected a device whose instructions are known, not esp32s3, whose processor is none of",
        ),
        (
            ("--latency", "50ms"),
            "--latency: expected a device whose clock, cycles are known; name a --target, set budget.clock and",
        ),
        (
            ("--target", "rp2350", "--latency", "5ms"),
            "--latency: expected a device whose cycles is known, not rp2350; name another --target",
        ),
        (
            ("--target", "rp2040", "--energy", "5mJ"),
            "--energy: expected a device whose power is known, not rp2040; name another",
        ),
        (("--instructions", "100"), "of instructions, allowed are 100; no change"),
        (("--target", "rp2040", "--latency", "1500us", "--channels", "32"), "would fit: --set network."),
        (("--set", "budget.clock=fast"), "budget.clock: expected a number with a unit, such as 168MHz"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_one_line(run: Main, tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    status, out, err = run("search", *DIGITS, *given, "--out", tmp_path / "r", "--quiet")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "r").exists()


def test_a_target_says_its_speed_and_what_is_set_stays() -> None:
    config = Config.parse({"budget": {"target": "stm32f405", "cycles": 1.4}})
    assert (config.budget.clock, config.budget.cycles, config.budget.power) == (168e6, 1.4, 0.132)
    again = Config.parse(tomllib.loads(config.dump()))
    assert again.budget == config.budget


def test_at_another_clock_the_power_is_not_known() -> None:
    config = Config.parse({"budget": {"target": "stm32f405", "clock": "84MHz"}})
    assert (config.budget.clock, config.budget.cycles, config.budget.power) == (84e6, 1.7, None)
    assert Config.parse(tomllib.loads(config.dump())).budget == config.budget
    assert config.but({"budget.power": "60mW"}).budget.power == 0.06


def test_the_speed_of_a_target_is_known_where_its_memory_and_core_are_given() -> None:
    budget = {"target": "stm32f405", "flash": "96KiB", "ram": "64KiB", "latency": "50ms"}
    config = Config.parse({"budget": budget, "network": {"core": "cortex-m4"}})
    assert (config.budget.flash, config.budget.ram, config.budget.clock) == (96 << 10, 64 << 10, 168e6)


def test_another_processor_has_instructions_that_are_not_known(run: Main) -> None:
    status, out, _ = run("estimate", "0-3:conv3x3", "--target", "esp32s3")
    assert status == 0
    assert "a number of instructions that is not known on esp32s3" in " ".join(out.split())
    _, out, _ = run("estimate", "0-3:conv3x3", "--target", "esp32s3", "--json")
    assert json.loads(out)["instructions"] is None


def test_comparisons_keep_what_is_limited_besides(run: Main, tmp_path: Path) -> None:
    given = ("--strategies", "random", "--by", "capacity", "--evaluations", "4", "--flash", "32KiB", "--seeds", "1")
    status, _, err = run("compare", *DIGITS, *given, "--set", "budget.instructions=300k", "--out", tmp_path, "--quiet")
    assert (status, err) == (0, "")
    assert "flash <= 32768, instructions <= 300000" in (tmp_path / "results.csv").read_text()


def test_a_board_that_is_named_again_has_the_speed_of_its_file(tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    lines = 'title = "b"\nsource = ""\ncore = "cortex-m4"\nflash = "1MiB"\nram = "64KiB"\ncycles = 2\nclock = '
    board.write_text(f'{lines}"120MHz"\n', encoding="utf-8")
    stored = Config.parse(tomllib.loads(Config.parse({"budget": {"target": str(board)}}).dump()))
    board.write_text(f'{lines}"12MHz"\n', encoding="utf-8")
    assert stored.budget.clock == stored.but({"seed": 1}).budget.clock == 120e6
    assert stored.but({"budget.target": str(board)}).budget.clock == 12e6
