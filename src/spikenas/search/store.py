"""Trials in an SQLite file, committed one by one, so that a search that was killed goes on where it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Literal

from spikenas.errors import RunError

Status = Literal["scored", "over budget"]


@dataclass(frozen=True)
class Trial:
    """A candidate and what became of it.

    Attributes:
        position: Its place in the search, from 0.
        step: The step of the search, such as `cell 2` or `refine 1, cell 2`.
        genotype: Text form.
        status: Whether it was scored or left out by the memory filter.
        score: Higher is better; None when it was left out, -inf when it cannot be computed.
        params: Learnable parameters, of the candidate as scored or, when left out, of its smallest completion.
        flash_bytes: Flash of the same.
        ram_bytes: RAM of the same.
        seconds: Wall time of the score.
    """

    position: int
    step: str
    genotype: str
    status: Status
    score: float | None
    params: int
    flash_bytes: int
    ram_bytes: int
    seconds: float


_COLUMNS = tuple(field.name for field in fields(Trial))


class TrialStore:
    """The trials of one search, in the order of their positions.

    Args:
        path: The SQLite file; None keeps the trials in memory.
    Raises:
        RunError: the file is not a trial store, or cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(path or ":memory:")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS trials (position INTEGER PRIMARY KEY, step TEXT NOT NULL, "
                "genotype TEXT NOT NULL, status TEXT NOT NULL, score REAL, params INTEGER NOT NULL, "
                "flash_bytes INTEGER NOT NULL, ram_bytes INTEGER NOT NULL, seconds REAL NOT NULL)"
            )
            self._connection.commit()
        except sqlite3.Error as error:
            raise RunError(f"{path}: not a trial store that can be used ({error})") from None

    def get(self, position: int) -> Trial | None:
        """The trial at a position, if it is known."""
        rows = self._rows("WHERE position = ?", position)
        return rows[0] if rows else None

    def _rows(self, condition: str, *values: int) -> list[Trial]:
        query = f"SELECT {', '.join(_COLUMNS)} FROM trials {condition}"
        try:
            return [Trial(*row) for row in self._connection.execute(query, values)]
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: not a trial store that can be used ({error})") from None

    def add(self, trial: Trial) -> None:
        """Keep a trial.

        Raises:
            RunError: it cannot be written, for want of space for example.
        """
        marks = ", ".join("?" * len(_COLUMNS))
        try:
            with self._connection:
                self._connection.execute(f"INSERT INTO trials VALUES ({marks})", astuple(trial))
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: trial {trial.position} cannot be written ({error})") from None

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._rows("ORDER BY position"))

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
