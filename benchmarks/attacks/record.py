"""The record of a campaign: an outcome for each step, in an SQLite file, so that a campaign that was killed goes on."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

LONGEST_S = 10.0
LARGEST_BYTES = 2 << 30
OUTCOMES = ("worked", "clean error", "traceback", "hang", "memory", "wrong result")
FINDINGS = OUTCOMES[2:]


@dataclass(frozen=True)
class Step:
    """A step is one attack. Its input follows from the campaign's seed, its kind and its number.

    Attributes:
        kind: Kind of the attack, such as `read best.json`.
        number: Number within the kind, counted from 0.
        outcome: One of `OUTCOMES`.
        where: Innermost line of the package in a traceback, by which equal findings are told.
        message: What was raised, printed or found wrong, in one line.
        seconds: Time that it took, waiting for a core included.
        peak_bytes: Most memory that was resident meanwhile.
    """

    kind: str
    number: int
    outcome: str = "worked"
    where: str = ""
    message: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0

    def judged(self) -> Step:
        """Return the step as one of too much memory, where it was."""
        if self.outcome in ("worked", "clean error") and self.peak_bytes > LARGEST_BYTES:
            return replace(self, outcome="memory", message=f"{self.peak_bytes / 2**30:.1f} GiB; {self.message}")
        return self


class Record:
    """The record of a campaign.

    Args:
        folder: Folder of the campaign, which is made; it belongs to one seed and one state of the code.
        seed: Seed of every choice.
        commit: State of the code that is attacked; None takes that of the folder, whatever the code is now.
    """

    def __init__(self, folder: Path, seed: int, commit: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.seed = folder, seed
        self._connection = sqlite3.connect(folder / "steps.db", isolation_level=None, timeout=60)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("CREATE TABLE IF NOT EXISTS campaign (seed INTEGER, version TEXT)")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS steps (kind TEXT, number INTEGER, outcome TEXT, place TEXT, message TEXT, "
            "seconds REAL, peak_bytes INTEGER, PRIMARY KEY (kind, number))"
        )
        known = self._connection.execute("SELECT seed, version FROM campaign").fetchone()
        if known is None:
            known = (seed, commit or "unknown")
            self._connection.execute("INSERT INTO campaign VALUES (?, ?)", known)
        self.commit = known[1]
        if seed != known[0] or commit not in (None, self.commit):
            raise SystemExit(f"{folder}: a campaign of seed {known[0]} on commit {self.commit}; give another --folder")

    def random(self, kind: str, number: int) -> random.Random:
        """Return the source of every choice in one step."""
        return random.Random(f"{self.seed} {kind} {number}")

    def done(self, kind: str) -> set[int]:
        """Return the numbers of a kind whose outcome is known."""
        rows = self._connection.execute("SELECT number FROM steps WHERE kind = ?", (kind,))
        return {number for (number,) in rows}

    def add(self, step: Step) -> None:
        """Store what became of a step."""
        values = (
            value.encode(errors="replace").decode() if isinstance(value, str) else value for value in astuple(step)
        )
        self._connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(values))

    def __iter__(self) -> Iterator[Step]:
        yield from (Step(*row) for row in self._connection.execute("SELECT * FROM steps ORDER BY kind, number"))

    def findings(self) -> Iterator[tuple[Step, int]]:
        """Yield the first step of each finding, and how many there are of the same kind, outcome and place."""
        marks = ", ".join("?" * len(FINDINGS))
        query = (
            "SELECT kind, min(number), outcome, place, message, seconds, peak_bytes, count(*) FROM steps "
            f"WHERE outcome IN ({marks}) GROUP BY kind, outcome, place ORDER BY kind, outcome, count(*) DESC"
        )
        for *values, count in self._connection.execute(query, FINDINGS):
            yield Step(*values), count
