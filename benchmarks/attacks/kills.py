"""Part c: commands that are killed at random moments, go on, and have to end as if they had not been."""

from __future__ import annotations

import csv
import io
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from attacks.attempt import fresh
from attacks.corpus import COMMANDS, Corpus
from attacks.record import Step
from spikenas.training.checkpoint import load_tensors
from spikenas.training.epochs import Epoch

LONGEST_RUN_S = 600.0
KILLS = {"run": 40, "analyze": 30, "compare": 30}
SIGNALS = (*(signal.SIGKILL,) * 7, signal.SIGINT, signal.SIGINT, signal.SIGTERM)
LEFT_OUT = ("seconds", "ended", "wall_seconds", "evaluation_seconds", "analysis")  # times; the folder of an analysis
NOT_COMPARED = (".lock", "history.jsonl", "report.html")  # times, and the command line
PICTURES = (".png", ".svg")  # drawn from times too, in a comparison


class Kills:
    """The attacks of part c; each is a command that is killed at least once.

    Args:
        corpus: What uninterrupted commands wrote.
        room: Folder in which they work.
    """

    def __init__(self, corpus: Corpus, room: Path) -> None:
        self.corpus, self.room = corpus, room
        self._lengths = corpus.seconds
        self.counts = {f"kill {name}": count for name, count in KILLS.items()}

    def attack(self, kind: str, number: int, rng: random.Random) -> Step:
        """Kill a command one to three times, let it end, and compare."""
        name = kind.removeprefix("kill ")
        folder = fresh(self.room / name)
        length, said = self._length(name), []
        wanted = rng.choice((1, 1, 2, 3))
        while len(said) < wanted:
            how, after = rng.choice(SIGNALS), rng.uniform(0.1, length)
            again = how is signal.SIGINT and rng.random() < 0.3
            ended = _killed(name, folder, how, after, again)
            if ended is None:  # it ended by itself before
                if said:
                    break
                folder, length = fresh(folder), 0.8 * length
                continue
            said.append(f"{how.name}{' twice' if again else ''} after {after:.2f} s")
            status, err = ended
            last = (err.strip().splitlines() or [""])[-1]
            if "Traceback" in err or status not in (0, 130, -how, 128 + how):
                place = f"{how.name}, status {status}, {last.partition(':')[0][:40]}"
                return Step(kind, number, "traceback", place, f"{'; '.join(said)}: {last[:200]}")
        done = _start(name, folder)
        try:
            _, err = done.communicate(timeout=LONGEST_RUN_S)
        except subprocess.TimeoutExpired:
            done.kill()
            done.communicate()
            return Step(kind, number, "hang", "", "; ".join(said))
        if done.returncode:
            return Step(kind, number, "traceback", "does not go on", f"{'; '.join(said)}: {err[-300:]!r}")
        if unequal := differences(folder, self.corpus.folder / name):
            return Step(kind, number, "wrong result", ", ".join(unequal[:5]), "; ".join(said))
        return Step(kind, number, message="; ".join(said))

    def _length(self, name: str) -> float:
        """Return the time that the command takes here and now."""
        if name not in self._lengths:
            began = time.perf_counter()
            _start(name, fresh(self.room / f"{name}-whole")).communicate(timeout=LONGEST_RUN_S)
            self._lengths[name] = time.perf_counter() - began
        return self._lengths[name]


def _start(name: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spikenas", *COMMANDS[name], "--out", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")


def _killed(name: str, folder: Path, how: signal.Signals, after: float, again: bool) -> tuple[int, str] | None:
    """Return exit status and standard error of a command that is ended after so many seconds; None if it was done."""
    process = _start(name, folder)
    try:
        process.communicate(timeout=after)
        return None
    except subprocess.TimeoutExpired:
        process.send_signal(how)
    if again:
        time.sleep(0.05)
        process.send_signal(how)
    try:
        _, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        _, err = process.communicate()
        return 1, f"{err}\nno end within 60 s of {how.name}"
    return process.returncode, err


def differences(found: Path, expected: Path) -> list[str]:
    """Return the files of two folders that are not equal, times left out."""

    def files(folder: Path) -> dict[str, Path]:
        return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}

    ours, theirs = files(found), files(expected)
    unequal = [
        f"{name} (there in one only)" for name in sorted(ours.keys() ^ theirs.keys()) if name not in NOT_COMPARED
    ]
    timed = "comparison.json" in theirs
    for name in sorted(ours.keys() & theirs.keys()):
        path = Path(name)
        if path.name in NOT_COMPARED or (timed and path.suffix in PICTURES):
            continue
        if ours[name].read_bytes() != theirs[name].read_bytes() and _timeless(ours[name]) != _timeless(theirs[name]):
            unequal.append(name)
    return unequal


def _timeless(path: Path) -> Any:
    """Return what a file says but for times."""
    match path.suffix:
        case ".json":
            return _without_times(json.loads(path.read_text()))
        case ".csv":
            return [_without_times(row) for row in csv.DictReader(io.StringIO(path.read_text()))]
        case ".db":
            with closing(sqlite3.connect(path)) as connection:
                connection.row_factory = sqlite3.Row
                rows = connection.execute("SELECT * FROM trials ORDER BY position").fetchall()
            return [_without_times(dict(row)) for row in rows]
        case ".safetensors":
            tensors, header = load_tensors(path)
            column = [field.name for field in fields(Epoch)].index("seconds")
            epochs = [[*row[:column], *row[column + 1 :]] for row in header.pop("epochs", [])]
            return {key: value.numpy().tobytes() for key, value in tensors.items()}, header, epochs
    return path.read_bytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in LEFT_OUT}
    return [_without_times(inner) for inner in value] if isinstance(value, list) else value
