"""A check says what was found of a run, and what to do about it: a command that can be typed, where there is one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from spikenas._util.run_files import CONFIG
from spikenas.reporting.saved import SavedRun

Level = Literal["problem", "warning", "good", "unknown"]


@dataclass(frozen=True)
class Check:
    """A check examines one property of a run.

    Attributes:
        level: How good or bad the finding is.
        subject: What was checked.
        finding: What was found.
        remedy: What to do, where something is to be done.
    """

    level: Level
    subject: str
    finding: str
    remedy: str = ""


def command(*words: object) -> str:
    """Return a command of SpikeNAS, quoted for a sentence and for a shell."""
    return f"'{shlex.join(['spikenas', *map(str, words)])}'"


def again(run: SavedRun, suffix: str, *options: object) -> str:
    """Return the command that makes a run once more with other settings, in a folder of its own beside it."""
    other = run.folder.with_name(f"{run.name}-{suffix}")
    return command("run", run.folder / CONFIG, "--no-enhance", *options, "--out", other)
