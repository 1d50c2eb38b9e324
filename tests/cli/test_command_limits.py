"""What is given on the command line, and must neither break it nor be left in a file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from spikenas.cli import tables
from support import Main

HUGE = "9" * 5_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cells", 10**9), "--cells: expected at most 64, got 1000000000"),
        (("--timesteps", 10**9), "--timesteps: expected at most 1000, got 1000000000"),
        (("--set", f"seed={HUGE}"), "--set seed: expected a text of at most 4,096 characters"),
        (("--set", "network.cells=true"), "--set network.cells: expected a number, got True"),
        (("--set", "threads=99999999999"), "--set threads: expected at most 1024, got 99999999999"),
        (("--set", "a\nb=1"), r"--set a\nb: unknown key"),
        (("--set", 'device="\\u0000"'), r"--set device: expected a text without NUL characters, got '\x00'"),
        (("--set", f"seed={'[' * 3_000}"), "--set seed: expected a whole number, got '[[[["),
        (("--set", "device=[[[[[[[[[[1]]]]]]]]]]"), "--set device: expected a text, got [[[[[...]]]]]"),
        (("--channels", HUGE), "--channels: expected a text of at most 4,096 characters"),
        (("--channels", 10**12), "--channels: expected a number, at least 1 and at most 4096, or 'auto'"),
        (("--classes", 10**9), "Invalid value for '--classes': expected at most 10000, got '1000000000'"),
        (("--input", "99999x9x9"), "--input 99999x9x9: expected at most 4,096 channels of 4,096x4,096"),
        (("--config", "no\x1b[31m"), r"no\x1b[31m: cannot be read"),
    ],
    ids=lambda value: str(value)[:25].encode("unicode_escape").decode(),
)
def test_what_is_out_of_its_limits_is_one_line(run: Main, arguments: tuple[object, ...], said: str) -> None:
    status, out, err = run("estimate", "0-3:skip", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"spikenas: {said}")
    assert len(err.splitlines()) == 1
    assert len(err) < 2_200


@pytest.mark.parametrize(
    "genotype",
    [
        "0-3:skip /" * 100,
        "0-1:conv3x3 " * 100_000,
        f"nodes={HUGE} 0-1:skip",
        f"{HUGE}-1:skip",
        f"0-1:conv3x3@{HUGE}",
        "0-1:conv3x3@0.0000001",
        "٠-٣:skip",
        "0-1:\x1b[2J",
    ],
    ids=["cells", "text", "nodes", "node", "threshold", "small", "digits", "escape"],
)
def test_a_genotype_has_limits(run: Main, genotype: str) -> None:
    for command in (("estimate",), ("show",)):
        status, out, err = run(*command, genotype)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert len(err) < 2_200


@pytest.mark.parametrize("command", ["run", "search", "enhance", "analyze", "compare", "score"])
def test_a_device_that_is_not_here_is_refused_before_anything_is_written(
    run: Main, tmp_path: Path, command: str
) -> None:
    (tmp_path / "g").write_text("0-3:skip\n", encoding="utf-8")
    more = ("--genotypes", "g") if command == "score" else ()
    status, _, err = run(command, "--data", "digits", "--device", "hpu", "--out", "r", *more)
    assert (status, err) == (2, "spikenas: device 'hpu' cannot be used by PyTorch here; available: cpu\n")
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize("command", ["train", "quantise", "evaluate"])
@pytest.mark.parametrize("given", [("--device", "cuda:99"), ("--set", "threads=99999999999")])
def test_a_bad_value_is_not_left_in_a_run_folder(
    run: Main, tmp_path: Path, trained: Path, command: str, given: tuple[str, str]
) -> None:
    shutil.copytree(trained, tmp_path / "r")
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    status, _, err = run(command, "--out", "r", *given)
    assert (status, len(err.splitlines())) == (2, 1)
    assert {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()} == before


def test_the_home_folder_is_meant_by_its_sign_everywhere(
    run: Main, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "g").write_text("0-3:skip\n", encoding="utf-8")
    shutil.copytree(trained, home / "r")
    assert run("estimate", "--genotypes", "~/g", "--out", "~/sizes.csv")[0] == 0
    assert run("show", "0-3:skip", "--svg", "~/cell.svg")[0] == 0
    assert run("report", "~/r", "--out", "~/page.html", "--quiet")[0] == 0
    assert run("estimate", "0-3:skip", "--config", "~/r/config.toml", "--cells", 1)[0] == 0
    assert run("evaluate", "--out", "~/r", "--quiet")[0] == 0
    assert {"sizes.csv", "cell.svg", "page.html"} <= {path.name for path in home.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


NAME = "o[/b]\n:smile:\x1b[31m"


def test_a_folder_may_be_called_as_markup_is(run: Main, tmp_path: Path, trained: Path) -> None:
    shutil.copytree(trained, tmp_path / NAME)
    status, out, err = run("evaluate", "--out", NAME)
    assert (status, err) == (0, "")
    assert r"o[/b]\n:smile:\x1b[31m" in out
    assert "\x1b" not in out
    assert run("report", NAME)[:2] == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_names_that_are_not_utf_8(run: Main, tmp_path: Path, trained: Path) -> None:
    odd = os.fsdecode(b"x\xff")
    (tmp_path / f"{odd}.png").write_bytes(b"no image")
    status, _, err = run("predict", "--out", trained, f"{odd}.png")
    assert (status, len(err.splitlines())) == (2, 1)
    assert r"x\xff.png" in err
    status, _, err = run("run", "--data", "digits", "--out", odd)
    assert (status, err) == (2, "spikenas: x\\xff: not UTF-8, as the name of a run folder has to be\n")
    assert run("report", trained, "--out", f"{odd}.html")[0] == 0
    status, _, err = run("search", "--data", odd)
    assert (status, len(err.splitlines())) == (2, 1)


def test_a_table_shows_names_as_they_are() -> None:
    from io import StringIO

    from spikenas._util.console import PlainConsole

    console = PlainConsole()
    console.file = StringIO()
    row = {"genotype": "[/b]", "score": 1.0, "params": 1, "flash_bytes": 1, "ram_bytes": 1, "synops": None}
    console.print(tables.front_table([row]))
    assert "[/b]" in console.file.getvalue()
