"""A store commits trials one by one to an SQLite file, so that a search that was killed goes on where it was."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

from spikenas._util.errors import RunError
from spikenas._util.files import require_regular
from spikenas._util.json_file import problem_of
from spikenas.config import BudgetConfig
from spikenas.memory import violations

Status = Literal["scored", "over budget", "outside"]


@dataclass(frozen=True)
class Trial:
    """A trial is a candidate and what became of it.

    Attributes:
        position: Position in the search, counted from 0.
        step: Step of the search, such as `cell 2` or `refine 1, cell 2`.
        genotype: The genotype in its text form.
        status: Whether it was scored, left out by the memory filter, or is no connected network of the space.
        score: Score, higher is better; None when it was not scored, -inf when it cannot be computed.
        params: Learnable parameters, of the candidate as scored or, when left out by the memory filter, of its smallest
            completion; None outside the space.
        flash_bytes: Flash of the same network, in bytes.
        ram_bytes: RAM of the same network, in bytes.
        seconds: Time that the score took.
        synops: Number of additions caused by spikes, per inference; None where it is not known.
        instructions: Instructions of one inference, as often as neurons send in trained networks; None where they were
            not asked for.
    """

    position: int
    step: str
    genotype: str
    status: Status
    score: float | None
    params: int | None
    flash_bytes: int | None
    ram_bytes: int | None
    seconds: float
    synops: float | None = None
    instructions: float | None = None

    @property
    def value(self) -> float | None:
        """Score of the candidate, or None where there is none or it could not be computed."""
        return self.score if self.score is not None and math.isfinite(self.score) else None

    def meets(self, budget: BudgetConfig) -> bool:
        """Tell whether the candidate was scored and itself meets every limit."""
        return self.status == "scored" and not violations(self, budget)


_COLUMNS = tuple(field.name for field in fields(Trial))
_ROW: Any = tuple[tuple(get_type_hints(Trial).values())]  # type: ignore[misc]
_ROWS: TypeAdapter[list[tuple[Any, ...]]] = TypeAdapter(list[_ROW])


def read_trials(path: Path) -> list[Trial]:
    """Read the trials of a file, which another process may be writing.

    Returns:
        The trials in the order of their positions; none where there is no file.
    Raises:
        RunError: The file is not a trial store, or damaged.
    """
    if not path.exists():
        return []
    require_regular(path)
    with _reading(path), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        _check(connection)
        return _trials(connection, "ORDER BY position")


@contextmanager
def _reading(path: Path | None) -> Iterator[None]:
    """Say in a line what cannot be read of a store."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, ValidationError) as error:
        said = problem_of(error) if isinstance(error, ValidationError) else error
        raise RunError(
            f"{path}: not a trial store that can be used ({said}); remove it or choose another --out"
        ) from None


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(" ".join(str(found).split()))


def _trials(connection: sqlite3.Connection, condition: str, *values: int) -> list[Trial]:
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM trials {condition}", values).fetchall()
    return [Trial(*row) for row in _ROWS.validate_python(rows, strict=True)]


class TrialStore:
    """A trial store keeps the trials of one search in the order of their positions.

    Args:
        path: The SQLite file; None keeps the trials in memory.
    Raises:
        RunError: The file is not a trial store, is damaged, or cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        if path is not None and path.exists():
            require_regular(path)
        with _reading(path):
            self._connection = sqlite3.connect(path or ":memory:")
            _check(self._connection)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS trials (position INTEGER PRIMARY KEY, step TEXT NOT NULL, "
                "genotype TEXT NOT NULL, status TEXT NOT NULL, score REAL, params INTEGER, flash_bytes INTEGER, "
                "ram_bytes INTEGER, seconds REAL NOT NULL, synops REAL, instructions REAL)"
            )
            self._connection.commit()

    def get(self, position: int) -> Trial | None:
        """Return the trial at a position, or None where it is not known."""
        with _reading(self.path):
            found = _trials(self._connection, "WHERE position = ?", position)
        return found[0] if found else None

    def add(self, trial: Trial) -> None:
        """Store a trial.

        Raises:
            RunError: The trial cannot be written, for want of space for example.
        """
        marks = ", ".join("?" * len(_COLUMNS))
        try:
            with self._connection:
                self._connection.execute(f"INSERT INTO trials VALUES ({marks})", astuple(trial))
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: trial {trial.position} cannot be written ({error})") from None

    def __iter__(self) -> Iterator[Trial]:
        with _reading(self.path):
            return iter(_trials(self._connection, "ORDER BY position"))

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
