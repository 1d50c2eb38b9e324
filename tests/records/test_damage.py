# ruff: noqa: PT017
"""Every file of a run, damaged in many ways: a line with its name in stages and report, or the right result."""

import json
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spikenas._util.errors import DeployError, RunError, SpikeNASError
from spikenas._util.json_file import JsonFile
from spikenas._util.progress import Reporter
from spikenas.deployment.nir import read_nir
from spikenas.interface.functions import load
from spikenas.pipeline.running import run_stages
from spikenas.pipeline.settings import Settings
from spikenas.pipeline.stages import STAGES
from spikenas.records import (
    ANALYSIS_FILE,
    BEST_FILE,
    DATA_FILE,
    EVALUATION_FILE,
    QUANTISATION_FILE,
    SPACE_FILE,
    STATISTICS_FILE,
    footprint_file,
)
from spikenas.reporting import load_run
from spikenas.reporting.checks import checks
from spikenas.reporting.page import render

RECORDS: list[JsonFile[Any]] = [
    *(BEST_FILE, DATA_FILE, SPACE_FILE, STATISTICS_FILE),
    *(ANALYSIS_FILE, EVALUATION_FILE, footprint_file("stm32f103"), QUANTISATION_FILE),
]
TENSORS = ["model.safetensors", "checkpoint.safetensors", "quantised.safetensors"]
OTHERS = ["config.toml", "enhance/config.toml", "train.csv", "trials.db", "history.jsonl", "network.nir"]
NOT_OF_THE_REPORT = ["statistics.json", "enhance/config.toml", "network.nir"]
FILES = [*(file.name for file in RECORDS), *TENSORS, *OTHERS, "mistakes.png"]
_NUMBER = re.compile(rb"(?:(?<=[:=] )|(?<=,))\d+(\.\d+)?(?=[,\r\n}])")  # none within a text
Mutation = Callable[[bytes], bytes]
MUTATIONS: dict[str, Mutation] = {
    "halved": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "list": lambda content: b"[1]\n",
    "another object": lambda content: b'{"a": {"b": 1}}\n',
    "NaN": lambda content: _NUMBER.sub(b"NaN", content),
    "long number": lambda content: _NUMBER.sub(b"9" * 5000, content),
    "nested": lambda content: b"[" * 100_000,
    "zeros": lambda content: bytes(len(content)),
    "binary": lambda content: random.Random(1).randbytes(len(content)),
    "not UTF-8": lambda content: b"\xff" + content,
}


@pytest.fixture
def run(deployed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(deployed, tmp_path / "run", ignore=shutil.ignore_patterns("*.html", "*.svg", ".lock")))


def said(folder: Path) -> str:
    """What the report says of a run, its folder and the damage left out."""
    saved = load_run(folder)
    render([saved])
    assert all("\n" not in line and "; " in line for line in saved.unreadable)
    assert len([check for check in checks(saved) if check.subject == "files"]) == len(saved.unreadable)
    return repr(
        [saved.summary, saved.evaluation, saved.measured, saved.space, saved.analysis, saved.epochs, saved.trials]
    )


def is_named_in_the_report(folder: Path, name: str, right: str) -> bool:
    """Whether the report says that a file is damaged; else it must be as that of the whole run."""
    try:
        found = said(folder)
    except SpikeNASError as error:
        assert name in str(error)
        return True
    if any(name in line for line in load_run(folder).unreadable):
        return True
    assert found == right
    return False


@pytest.mark.parametrize("name", FILES)
def test_the_report_names_a_damaged_file(run: Path, name: str) -> None:
    path, right = run / name, said(run)
    content = path.read_bytes()
    for kind, mutate in MUTATIONS.items():
        torn = name == "history.jsonl" and kind in ("halved", "empty")  # as a kill leaves it
        if (damaged := mutate(content)) != content and not torn:
            path.write_bytes(damaged)
            named = is_named_in_the_report(run, name, right)
            assert named or name in NOT_OF_THE_REPORT, kind
    path.write_bytes(content)
    assert said(run) == right


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, value in (
        values.items() if isinstance(values, dict) else enumerate(values if isinstance(values, list) else ())
    ):
        yield from places(value, (*path, key))


def replaced(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = values.copy()
    copy[path[0]] = replaced(values[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.name)
def test_a_wrong_type_at_any_depth_is_named_or_is_of_no_account(run: Path, file: JsonFile[Any]) -> None:
    values, right = json.loads((run / file.name).read_text()), said(run)
    everywhere, rng = [*places(values)], random.Random(file.name)
    everywhere = rng.sample(everywhere, min(len(everywhere), 50))
    accepted = []
    for path in everywhere:
        for wrong in (5.5, "text", [[]], {"a": 1}, True, None, -(10**17)):
            (run / file.name).write_text(json.dumps(replaced(values, path, wrong)))
            try:
                file.read(run)
            except RunError as error:
                assert str(error).startswith(f"{run / file.name}: ")
                assert "\n" not in str(error)
            else:
                accepted.append((path, wrong))
    assert len(accepted) < 7 * len(everywhere)
    for path, wrong in rng.sample(accepted, min(len(accepted), 6)):
        (run / file.name).write_text(json.dumps(replaced(values, path, wrong)))
        render([load_run(run)])  # another value of the same type is no damage that can be seen
    (run / file.name).write_text(json.dumps(values))
    assert said(run) == right


def stages_of(folder: Path, names: tuple[str, ...] | None) -> dict[str, Any]:
    return run_stages(Settings.of(folder, None, {}), names, Reporter(None), "a test")


def check_stages(
    folder: Path, name: str, mutate: Mutation, names: tuple[str, ...] | None, right: dict[str, Any]
) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(mutate(content))
    try:
        found = stages_of(folder, names)
    except SpikeNASError as error:
        assert Path(name).name in str(error)
        assert "\n" not in str(error)
    else:  # what is damaged may be the next to be made anew; then it, and what follows from it, is not told of
        told = [key for key in found if key != "next"]
        assert {key: found[key] for key in told} == {key: right[key] for key in told}
        assert found == right or found["next"]


@pytest.mark.parametrize("name", FILES)
def test_the_stages_name_a_file_that_was_cut_off(run: Path, name: str) -> None:
    right = stages_of(run, None)
    check_stages(run, name, MUTATIONS["halved"], None, right)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_stage_names_a_damaged_file_or_is_right(run: Path, name: str) -> None:
    whole = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    every: list[tuple[str, tuple[str, ...] | None]] = [
        *((kind, None) for kind in MUTATIONS),
        *(("another object", (stage,)) for stage in STAGES),
    ]
    for kind, names in random.Random(name).sample(every, 6):
        right = stages_of(run, names)
        check_stages(run, name, MUTATIONS[kind], names, right)
        for path, content in whole.items():
            path.write_bytes(content)


@pytest.mark.parametrize("name", TENSORS)
def test_a_flipped_bit_never_loads(run: Path, name: str) -> None:
    content, rng = (run / name).read_bytes(), random.Random(name)
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (run / name).write_bytes(flipped)
        with pytest.raises(RunError, match=name):
            load(run / name)


def test_damaged_integers_are_not_left_out_without_a_word(run: Path) -> None:
    right = stages_of(run, None)
    path = run / "quantised.safetensors"
    flipped = bytearray(path.read_bytes())
    flipped[-5] ^= 4
    path.write_bytes(flipped)
    for stage in ("evaluate", "deploy"):
        with pytest.raises(RunError, match=r"quantised\.safetensors: truncated or damaged"):
            stages_of(run, (stage,))
    assert "quantised.safetensors: truncated or damaged" in load_run(run).unreadable[0]
    assert stages_of(run, ("quantise",)) == right
    assert stages_of(run, ("evaluate",))["quantised_test_accuracy"] == right["quantised_test_accuracy"]
    (run / "model.safetensors").unlink()
    for stage in ("evaluate", "deploy"):
        with pytest.raises(RunError, match=r"model\.safetensors: no such file; 'spikenas train"):
            stages_of(run, (stage,))


def with_trials(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE trials SET score = 'high' WHERE position = 3", "3.4: expected a number, got 'high'"),
        ("UPDATE trials SET status = 'best' WHERE position = 3", "3.3: expected 'scored', 'over budget' or 'outside'"),
        ("UPDATE trials SET genotype = x'ff00' WHERE position = 3", "3.2: expected a text"),
        ("UPDATE trials SET params = 'many'", "0.5: expected a whole number"),
        ("UPDATE trials SET genotype = CAST(x'ff' AS TEXT)", "decode"),
        ("DELETE FROM trials WHERE position > 5", "has 6 trials, best.json 39; remove both"),
        ("DROP TABLE trials", "no such table"),
    ],
)
def test_trials_that_cannot_be(run: Path, statement: str, message: str) -> None:
    with_trials(run / "trials.db", statement)
    assert [line for line in load_run(run).unreadable if "trials.db" in line and message in line]
    with pytest.raises(RunError, match=r"trials\.db: ") as refused:
        stages_of(run, ("search",))
    assert message in str(refused.value) or message == "no such table"


@pytest.mark.parametrize("size", [0.3, 0.5, 0.75, 0.99])
def test_trials_that_are_cut_off(run: Path, size: float) -> None:
    path = run / "trials.db"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * size)])
    for stage in (None, ("search",)):
        with pytest.raises(RunError, match=r"trials\.db: not a trial store that can be used"):
            stages_of(run, stage)
    assert any("trials.db" in line for line in load_run(run).unreadable)


def test_a_damaged_graph(run: Path) -> None:
    pytest.importorskip("nir")
    path = run / "network.nir"
    content, rng = path.read_bytes(), random.Random(2)
    right = read_nir(path).network.state_dict()
    for number in range(60):
        damaged = bytearray(content)
        for _ in range(1 + number % 8):
            damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged if number % 3 else damaged[: rng.randrange(len(damaged))])
        try:
            found = read_nir(path).network.state_dict()
        except DeployError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            assert all(found[key].equal(right[key]) for key in right)
