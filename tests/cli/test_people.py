"""From a folder of 800 pictures of every kind to firmware, as somebody would do it who has such a folder."""

import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from people_pictures import ROUND, SHARE, STRIPED, Drawn, write_classes

pytestmark = pytest.mark.slow

MOST_BYTES = 2 * 10**9
FEWER = ("--set", "enhancement.seeds=5", "--set", "enhancement.draws=4")  # in the place of 30 and 12, for time
EPOCHS = 8  # of 60, which take some minutes more; the learning rate rises during the first two
PROGRESS = re.compile(r"^[a-z ]+: \d+/\d+, ")


@dataclass(frozen=True)
class Ended:
    """A command that has ended, with the most memory of its processes together, in bytes."""

    status: int
    printed: str
    said: str
    peak_bytes: int

    @property
    def lines(self) -> list[str]:
        """What was said of the data: standard error without what shows progress, a message a line."""
        return [line.rstrip() for line in self.said.splitlines() if line.strip() and not PROGRESS.match(line)]


def measured(folder: Path, *arguments: str) -> Ended:
    """Run the command line; memory that processes share counts once."""
    with (folder / "printed").open("w+b") as printed, (folder / "said").open("w+b") as said:
        command = [sys.executable, "-m", "spikenas", *arguments]
        wide = os.environ | {"COLUMNS": "2000"}  # so that a message is a line
        process = subprocess.Popen(command, stdout=printed, stderr=said, cwd=folder, env=wide)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _bytes_of_tree(process.pid))
            time.sleep(0.2)
        peak = max(peak, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        texts = []
        for file in (printed, said):
            file.seek(0)
            texts.append(file.read().decode(errors="surrogateescape"))
    return Ended(process.returncode, *texts, peak)


def _bytes_of_tree(pid: int) -> int:
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in processes:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest.fixture(scope="module")
def drawn(folder: Path) -> Drawn:
    return write_classes(folder / "pictures")


@pytest.fixture(scope="module")
def ended(folder: Path, drawn: Drawn) -> Ended:
    options = ("--data", "pictures", "--target", "stm32f405", "--skip-broken", "--epochs", str(EPOCHS), *FEWER)
    options += ("--out", "run")
    return measured(folder, "run", *options)


def test_there_is_firmware_that_fits(ended: Ended, folder: Path) -> None:
    assert ended.status == 0, ended.said
    assert list((folder / "run" / "firmware").rglob("network.h"))
    footprint = json.loads((folder / "run" / "firmware" / "stm32f405" / "footprint.json").read_text())
    assert footprint["predicted"]["flash_bytes"] <= 1016 * 1024
    assert footprint["predicted"]["ram_bytes"] <= 126 * 1024
    assert (folder / "run" / "report.html").stat().st_size


def test_memory_is_bounded(ended: Ended) -> None:
    assert ended.status == 0, ended.said
    assert ended.peak_bytes < MOST_BYTES, f"{ended.peak_bytes:,} bytes"


def test_both_classes_are_learnt(ended: Ended, folder: Path) -> None:
    assert ended.status == 0, ended.said
    evaluation = json.loads((folder / "run" / "evaluation.json").read_text())
    assert evaluation["test_accuracy"] > SHARE + 0.08
    assert evaluation["quantised_test_accuracy"] > SHARE + 0.08


def test_everything_that_is_odd_is_said_once(ended: Ended, drawn: Drawn) -> None:
    assert "Traceback" not in ended.said
    assert len(ended.lines) == len(set(ended.lines)), "the same message twice"
    (broken,) = [line for line in ended.lines if "broken" in line]
    assert re.search(rf"\b{len(drawn.broken)}\b", broken)
    assert any(path.name in broken for path in drawn.broken)
    (unequal,) = [line for line in ended.lines if ROUND in line and STRIPED in line and "unequal" in line]
    assert re.search(r"\b6[12]\d\b.*\b18\d\b|\b7[78](\.\d+)? ?%", unequal), "counts or shares"
    assert [line for line in ended.lines if "same" in line or "duplicate" in line.lower()]
    everything = [*ended.lines, *ended.printed.splitlines()]
    assert [line for line in everything if re.search(r"\b\d+x\d+\b", line) and re.search("grey|RGB|colour", line)]
    assert [line for line in everything if "white" in line], "what becomes of transparency"
    assert [line for line in ended.lines if "runs" in line], "results in the data are not used"


def test_every_picture_is_in_one_split_and_nothing_else_is(ended: Ended, folder: Path, drawn: Drawn) -> None:
    assert ended.status == 0, ended.said
    text = (folder / "run" / "manifest.csv").read_bytes().decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    used = [row for row in rows if row["split"] in ("train", "validation", "test")]
    assert len({row["sha256"] for row in used}) == len(used), "the same picture in two splits"
    assert {row["class"] for row in used} == {ROUND, STRIPED}
    names = {row["file"] for row in used}
    assert not names & {str(path.relative_to(drawn.folder)) for path in (*drawn.broken, *drawn.ignored)}
    assert 800 - 10 <= len(used) <= sum(drawn.counts.values())
