"""What becomes of a run when its data change, move, are few or lie in odd places, each with what is right."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import spikenas as sn
from spikenas.cli import main
from support import Spikenas, write_images

CHEAP = (
    *("--channels", "4", "--cells", "1", "--set", "space.nodes=3", "--set", "train.epochs=1"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "search.evaluations=4"),
)
EACH, NEW = 8, 5


@pytest.fixture
def searched(spikenas: Spikenas, tmp_path: Path) -> Path:
    """A folder `set` of 80 pictures and a run `r` on it, trained but not evaluated; commands begin where both are."""
    write_images(tmp_path / "set", EACH)
    for arguments in (["search", "--data", "set", *CHEAP], ["train"]):
        done = spikenas(*arguments, "--out", "r", "-q")
        assert done.returncode == 0, done.stderr
    return tmp_path


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "manifest.csv").open(newline="", errors="surrogateescape") as file:
        return [row for row in csv.DictReader(file) if row["split"] != "end"]


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command ended with, with status 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("spikenas: "), done.stderr
    assert "Traceback" not in done.stderr
    return lines[-1]


def evaluated(run: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads((run / "evaluation.json").read_text())
    return values


def more_pictures(folder: Path) -> None:
    """Add pictures with other pixels to each class; they come first by name."""
    others = folder.parent / "others"
    write_images(others, EACH + NEW)
    for path in sorted(others.glob("*/*")):
        if int(path.stem) >= EACH:
            path.rename(folder / path.parent.name / f"00_new{path.name}")
    shutil.rmtree(others)


def test_a_manifest_says_which_picture_is_in_which_split(searched: Path) -> None:
    found = rows(searched / "r")
    assert len(found) == 10 * EACH
    splits = [row["split"] for row in found]
    assert {name: splits.count(name) for name in set(splits)} == {"train": 50, "validation": 10, "test": 20}
    assert len({row["sha256"] for row in found}) == 10 * EACH
    sizes = {(searched / "set" / row["file"]).stat().st_size == int(row["bytes"]) for row in found}
    assert sizes == {True}
    assert json.loads((searched / "r" / "data.json").read_text())


def test_new_pictures_are_left_out_and_named(searched: Path, spikenas: Spikenas) -> None:
    before = rows(searched / "r")
    more_pictures(searched / "set")
    done = spikenas("evaluate", "--out", "r")
    assert done.returncode == 0, done.stderr
    assert rows(searched / "r") == before
    said = " ".join(done.stderr.split())
    assert re.search(rf"\b{10 * NEW}\b", said)
    assert "00_new" in said
    assert sum(map(sum, evaluated(searched / "r")["confusion"])) == 20  # type: ignore[call-overload]


def test_new_pictures_do_not_change_what_is_found(searched: Path, spikenas: Spikenas) -> None:
    shutil.copytree(searched / "r", searched / "other")
    assert spikenas("evaluate", "--out", "r").returncode == 0
    more_pictures(searched / "set")
    assert spikenas("evaluate", "--out", "other").returncode == 0
    first, second = (evaluated(searched / name) for name in ("r", "other"))
    for key in ("test_accuracy", "confusion"):
        assert first[key] == second[key]


@pytest.mark.parametrize("command", ["quantise", "evaluate", "run"])
def test_a_changed_picture_is_refused(searched: Path, spikenas: Spikenas, command: str) -> None:
    path = searched / "set" / "3" / "2.png"
    with Image.open(path) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(path)
    line = only_line(spikenas(command, "--out", "r", "-q"))
    assert re.search(r"3/2\.png\b", line)
    assert not (searched / "r" / "evaluation.json").exists()


def test_deleted_pictures_are_refused(searched: Path, spikenas: Spikenas) -> None:
    for name in ("1", "7"):
        for path in sorted((searched / "set" / name).iterdir())[:4]:
            path.unlink()
    line = only_line(spikenas("evaluate", "--out", "r", "-q"))
    assert re.search(r"1/\d\.png\b", line)
    assert re.search(r"\b[78]\b", line), "how many"
    assert (searched / "r" / "model.safetensors").exists()


def test_what_is_done_stays_when_the_data_come_back(searched: Path, spikenas: Spikenas) -> None:
    path = searched / "set" / "3" / "2.png"
    content = path.read_bytes()
    path.unlink()
    only_line(spikenas("evaluate", "--out", "r", "-q"))
    path.write_bytes(content)
    assert spikenas("evaluate", "--out", "r", "-q").returncode == 0


def test_moved_data_are_the_same_data_where_their_place_is_said(searched: Path, spikenas: Spikenas) -> None:
    (searched / "elsewhere").mkdir()
    (searched / "set").rename(searched / "elsewhere" / "set")
    line = only_line(spikenas("evaluate", "--out", "r", "-q"))
    assert "--data" in line
    done = spikenas("evaluate", "--out", "r", "-q", "--data", "elsewhere/set")
    assert done.returncode == 0, done.stderr
    assert spikenas("run", "--out", "r", "-q").returncode == 0, "the new place is kept"


def test_other_data_are_not_taken_for_moved_ones(searched: Path, spikenas: Spikenas) -> None:
    write_images(searched / "other", EACH + 1)
    (searched / "other" / "3" / "2.png").write_bytes((searched / "other" / "3" / "3.png").read_bytes())
    shutil.rmtree(searched / "set")
    assert "3/2.png" in only_line(spikenas("evaluate", "--out", "r", "-q", "--data", "other"))


def at(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command line in this process, begun in a folder; returns its status."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["spikenas", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_a_run_goes_on_from_another_folder(searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (searched / "deep" / "down").mkdir(parents=True)
    assert at(searched / "deep" / "down", monkeypatch, "evaluate", "--out", "../../r", "-q") == 0


def test_forty_pictures_are_enough(spikenas: Spikenas, tmp_path: Path) -> None:
    write_images(tmp_path / "set", 4)
    options = [word for word in CHEAP if word != "fidelity.batch=8"]
    options.pop(options.index("fidelity.channels=4") + 1)  # the --set before it
    done = spikenas("search", "--data", "set", *options, "--out", "r")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert said.count("fidelity.batch") == 1
    assert re.search(r"\b32\b", said), "what was to be"


def test_results_within_the_data_are_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "set", EACH)
    assert at(tmp_path / "set", monkeypatch, "search", "--data", ".", *CHEAP, "-q") == 0
    assert (tmp_path / "set" / "runs").is_dir()
    (tmp_path / "set" / "runs" / "plot.png").write_bytes((tmp_path / "set" / "3" / "2.png").read_bytes())
    assert at(tmp_path / "set", monkeypatch, "train", "--out", "runs/set", "-q") == 0
    (tmp_path / "set" / "runs" / "plot.png").unlink()
    assert sn.Task(tmp_path / "set").classes == tuple("0123456789")


def test_a_home_folder_is_meant_by_a_tilde(spikenas: Spikenas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_images(tmp_path / "home" / "set", EACH)
    assert spikenas("search", "--data", "~/set", *CHEAP, "--out", "~/x", "-q").returncode == 0
    assert (tmp_path / "home" / "x" / "best.json").exists()
    assert not (tmp_path / "~").exists()
    assert spikenas("train", "--out", "~/x", "-q").returncode == 0


@pytest.mark.parametrize("text", ["96KiB", "96kib", "96kB", "96K", "96k", "96 KB", "98304"])
def test_sizes_in_any_case(text: str) -> None:
    assert sn.Task("digits", flash=text).limits.flash in (96 * 1024, 96_000)


def test_targets_in_any_case() -> None:
    assert sn.Task("digits", target="STM32F405").limits == sn.Task("digits", target="stm32f405").limits


def test_names_that_read_like_markup(spikenas: Spikenas, tmp_path: Path) -> None:
    write_images(tmp_path / "[red]set[/b]", EACH)
    done = spikenas("search", "--data", "[red]set[/b]", *CHEAP, "--out", "o[/b]")
    assert done.returncode == 0, done.stderr
    assert "o[/b]" in done.stdout
    assert spikenas("train", "--out", "o[/b]").returncode == 0


def test_class_names_that_are_not_utf_8(spikenas: Spikenas, tmp_path: Path) -> None:
    write_images(tmp_path / "set", EACH)
    name = os.fsdecode(b"caf\xe9 [b]\nau lait")
    (tmp_path / "set" / "3").rename(tmp_path / "set" / name)
    done = spikenas("run", "--no-enhance", "--data", "set", *CHEAP, "--out", "r")
    assert done.returncode == 0, done.stderr
    assert "caf" in (tmp_path / "r" / "report.html").read_bytes().decode()
    assert {row["class"] for row in rows(tmp_path / "r")} > {"0", "1", "2", "4"}
    again = spikenas("evaluate", "--out", "r")
    assert again.returncode == 0, again.stderr


def limited() -> None:
    """Let a process have ten seconds of a core and four gigabytes; a signal would wait for the end of a long call."""
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))


def test_a_billion_cells_are_refused_at_once(process: Spikenas) -> None:
    done = process("estimate", "0-3:conv3x3", "--cells", "1000000000", preexec_fn=limited)
    assert "cells" in only_line(done)
