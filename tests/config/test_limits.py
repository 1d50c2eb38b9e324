"""Numbers and texts from outside have limits, whatever way they come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from spikenas._util.errors import ConfigError
from spikenas.cli.options import SET, Given
from spikenas.config import Config, NetworkConfig, SearchConfig
from spikenas.targets import find_target

SECTIONS = {name: type(part) for name, part in Config() if isinstance(part, BaseModel)}
KEYS = [
    *(key for key in Config.model_fields if key not in SECTIONS),
    *(f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields),
]
LINES = 200_000  # of Python, run for whatever text, Config or error


def nested(key: str, value: object) -> dict[str, Any]:
    section, dot, name = key.partition(".")
    return {section: {name: value}} if dot else {key: value}


def from_python(key: str, value: Any, folder: Path) -> Config:
    return Config().but({key: value})


def from_command(key: str, value: Any, folder: Path) -> Config:
    return Config().but(Given.of((SET,), {"set_": [f"{key}={value}"]}).words)


def from_toml(key: str, value: Any, folder: Path) -> Config:
    path = folder / "config.toml"
    text = value if isinstance(value, str) else repr(value)
    path.write_text(tomli_w.dumps(nested(key, text)), encoding="utf-8")
    return Config.load(path)


def from_raw_toml(key: str, value: Any, folder: Path) -> Config:
    path = folder / "config.toml"
    section, dot, name = key.partition(".")
    path.write_text(f"[{section}]\n{name} = {value}\n" if dot else f"{key} = {value}\n", encoding="utf-8")
    return Config.load(path)


def in_steps(make: Callable[[str, Any, Path], Config], key: str, value: Any, folder: Path) -> Config | str:
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        return make(key, value, folder)
    except ConfigError as error:
        return str(error)
    finally:
        sys.settrace(before)
        assert lines < LINES, (key, lines)


TEXTS = st.text(st.characters(), max_size=30)
WHOLE_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.one_of(st.integers(), st.integers(10**4400, 10**4500), st.floats(), st.booleans())
EASY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EASY
@given(key=st.sampled_from(KEYS), value=st.one_of(TEXTS, NUMBERS, st.lists(st.one_of(TEXTS, NUMBERS), max_size=3)))
def test_whatever_is_given_in_python_gives_a_configuration_or_an_error(tmp_path: Path, key: str, value: object) -> None:
    found = in_steps(from_python, key, value, tmp_path)
    if isinstance(found, Config):
        path = tmp_path / "config.toml"
        path.write_text(found.dump(), encoding="utf-8")
        assert Config.load(path) == found
    else:
        assert len(found.splitlines()) == 1


@EASY
@given(key=st.sampled_from(KEYS), value=WHOLE_TEXTS)
def test_whatever_text_is_given_by_set_or_toml_gives_a_configuration_or_an_error(
    tmp_path: Path, key: str, value: str
) -> None:
    for make in (from_command, from_toml, from_raw_toml):
        found = in_steps(make, key, value, tmp_path)
        assert isinstance(found, Config) or len(found.splitlines()) == 1


@settings(EASY, max_examples=50)
@given(keys=st.lists(TEXTS, min_size=1, max_size=4), value=st.one_of(TEXTS, NUMBERS))
def test_whatever_key_is_given_it_is_unknown(tmp_path: Path, keys: list[str], value: object) -> None:
    found = in_steps(from_python, ".".join(keys), value, tmp_path)
    assert isinstance(found, str) or ".".join(keys) in KEYS
    assert isinstance(found, Config) or len(found.splitlines()) == 1


HUGE = "9" * 5_000
DEEP = "[" * 3_000 + "]" * 3_000


@pytest.mark.parametrize(
    "value",
    [HUGE, DEEP, "{a=" * 3_000 + "1" + "}" * 3_000, '"\\u0000"', "x" * 10**6, f'"{HUGE}"'],
    ids=["digits", "lists", "tables", "NUL", "letters", "text of digits"],
)
@pytest.mark.parametrize("make", [from_command, from_raw_toml])
def test_a_text_that_breaks_a_reader_is_refused_for_every_key(
    make: Callable[[str, Any, Path], Config], value: str, tmp_path: Path
) -> None:
    for key in KEYS:
        found = in_steps(make, key, value, tmp_path)
        assert isinstance(found, str), (key, value[:20])
        assert len(found) < 2_100


def test_what_breaks_the_reader_of_toml_is_named(tmp_path: Path) -> None:
    assert in_steps(from_raw_toml, "seed", HUGE, tmp_path) == (
        f"{tmp_path}/config.toml: not valid TOML: a number has too many digits"
    )
    assert in_steps(from_raw_toml, "seed", DEEP, tmp_path) == (
        f"{tmp_path}/config.toml: not valid TOML: nested too deeply"
    )


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("threads", 1_024),
        ("seed", 2**32 - 1),
        ("network.cells", 64),
        ("network.channels", 4_096),
        ("network.timesteps", 1_000),
        ("network.hidden", 65_536),
        ("network.votes", 1_000),
        ("network.pool", 64),
        ("search.evaluations", 10_000_000),
        ("search.refine", 100),
        ("enhancement.seeds", 1_000),
        ("enhancement.draws", 10_000),
        ("fidelity.channels", 4_096),
        ("fidelity.timesteps", 1_000),
        ("fidelity.image_size", 4_096),
        ("fidelity.batch", 65_536),
        ("fidelity.repeats", 1_000),
        ("short_training.epochs", 100_000),
        ("short_training.channels", 4_096),
        ("executor.workers", 4_096),
        ("train.epochs", 100_000),
        ("train.batch", 65_536),
        ("train.crop", 4_096),
        ("train.lr", 100),
        ("train.weight_decay", 1),
        ("quantise.epochs", 100_000),
        ("quantise.vectors", 1_000),
        ("network.tau", 10_000),
        ("budget.flash", 10**12),
        ("budget.params", 10**12),
    ],
)
def test_a_number_has_a_largest_value_which_the_message_says(key: str, most: int) -> None:
    assert Config().but({key: most}).value(key) == most
    with pytest.raises(ConfigError, match=rf"^{key}: .*(at most {most}|less than {most + 1})\b"):
        Config().but({key: most + 1})


def numeric_keys() -> Iterator[str]:
    for key in KEYS:
        for value in (5, 0.5, 1.5, 2):
            try:
                Config().but({key: value})
            except ConfigError:
                continue
            yield key
            break


@pytest.mark.parametrize("key", sorted(numeric_keys()))
def test_a_truth_value_is_no_number(key: str) -> None:
    for value in (True, False):
        with pytest.raises(ConfigError, match=rf"^{key}: expected .*, got {value}"):
            Config().but({key: value})


def test_a_number_has_a_largest_value_whichever_there_is() -> None:
    for key in numeric_keys():
        if not key.startswith("data."):
            with pytest.raises(ConfigError, match=f"^{key}: expected"):
                Config().but({key: 10**30})


def test_the_constructor_raises_an_error_of_this_package() -> None:
    with pytest.raises(ConfigError, match=r"^Config: seed: expected at least 0, got -1$"):
        Config(seed=-1)
    with pytest.raises(ConfigError, match=r"^NetworkConfig: cells: expected a whole number, got 'two'$"):
        NetworkConfig(cells="two")
    with pytest.raises(ConfigError, match=r"^SearchConfig: evaluatoins: unknown key, did you mean 'evaluations'\?$"):
        SearchConfig(evaluatoins=3)
    with pytest.raises(ConfigError, match=r"^Config: network\.cells: expected at least 1, got 0$"):
        Config(network={"cells": 0})
    with pytest.raises(ConfigError, match=r"budget\.target: unknown target"):
        Config(budget={"target": "stm"})


def test_a_key_is_a_text() -> None:
    with pytest.raises(ConfigError, match="3: expected a text as key"):
        Config().but({3: 4})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="here: 3: expected a text as key"):
        Config.parse({3: 4}, "here")  # type: ignore[dict-item]


BOARD = 'title = "B"\nsource = "s"\nflash = "64KiB"\nram = "16KiB"\n'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"runtime_ram = {HUGE}", "not valid TOML: a number has too many digits"),
        (f"x = {DEEP}", "not valid TOML: nested too deeply"),
        ('note = "\\u0000"', r"note: expected a text without NUL characters, got '\x00'"),
        ("runtime_ram = true", "runtime_ram: expected a number, got True"),
        ("runtime_flash = 65536", "runtime_flash = 65536 leaves nothing of flash = 65536"),
        ("runtime_flash = -1", "runtime_flash: expected at least 0, got -1"),
        ("nots = 1", "nots: unknown key"),
    ],
    ids=["digits", "lists", "NUL", "truth", "runtime", "negative", "key"],
)
def test_the_file_of_a_device_has_the_same_limits(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f"{BOARD}{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        find_target(str(path))
    assert str(caught.value) == f"{path}: {problem}"


def test_the_file_of_a_device_may_be_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "board.toml").write_text(BOARD, encoding="utf-8")
    assert Config().but({"budget.target": "~/board.toml"}).budget.ram == 16_384
