"""The history of a run, a line for each stage that was done; a line that a kill cut off is not counted."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from spikenas._util.errors import RunError
from spikenas._util.files import read_text, reason
from spikenas._util.json_file import parse_json
from spikenas._util.provenance import Machine
from spikenas._util.run_files import HISTORY
from spikenas.records.kinds import CLOSED, NotNegative


@with_config(CLOSED)
class HistoryLine(TypedDict):
    """A line of history.jsonl: when a stage ended, how long it took, what was typed, and where it was done."""

    ended: str
    stage: str
    seconds: NotNegative
    command: str
    versions: dict[str, str]
    machine: Machine


_LINE = TypeAdapter(HistoryLine)


def read_history(folder: Path) -> tuple[list[HistoryLine], int]:
    """Read the history of a run.

    Returns:
        The lines, none where there is no file, and how many others cannot be read, but the end of a torn file.
    Raises:
        RunError: The file is no text.
    """
    path = folder / HISTORY
    try:
        text = read_text(path) if path.exists() else ""
    except RunError as error:
        raise RunError(f"{error}; remove it") from None
    *whole, torn = text.split("\n")
    if torn and not torn.startswith("{"):  # no line that a kill cut off
        whole.append(torn)
    found = []
    for line in whole:
        try:
            found.append(_LINE.validate_python(parse_json(line), strict=True))
        except (ValidationError, ValueError):
            continue
    return found, len(whole) - len(found)


def append_history(folder: Path, line: HistoryLine) -> None:
    """Append a line; what a kill left of another one before it is taken off.

    Raises:
        RunError: The file cannot be written.
    """
    path = folder / HISTORY
    try:
        with path.open("ab+") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(json.dumps(line).encode() + b"\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({reason(error)})") from None
