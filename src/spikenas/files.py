"""Files that are written whole or not at all, and files that grow by whole rows."""

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from spikenas.errors import RunError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a name beside `path`, then put the file in its place: whole or not at all.

    Args:
        path: The file.
        write: Writes to the path it is given; may raise OSError or a RunError of its own.
    Raises:
        RunError: it cannot be written, for want of space for example.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        write(partial)
        os.replace(partial, path)
    except (OSError, RunError) as error:
        partial.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written ({error})") from None


class RowFile:
    """A CSV file that grows by a row at a time; what a kill left of a row is taken off when it is opened again.

    Args:
        path: Made, with its header, when it is not there.
        columns: Names in the header.
    Attributes:
        rows: The fields of the rows that were there.
    Raises:
        RunError: it cannot be read or written, or has another header.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        header = ",".join(columns) + "\n"
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path}: cannot be read ({error})") from None
        if not text.startswith(header) and not header.startswith(text):
            raise RunError(f"{path}: its first line is not {header[:60].strip()!r}; give another file")
        whole = text[: text.rfind("\n") + 1] or header
        self.rows = list(csv.reader(whole[len(header) :].split("\n")[:-1]))
        if whole != text:
            write_atomically(path, lambda partial: partial.write_text(whole, encoding="utf-8"))

    def add(self, values: Iterable[object]) -> None:
        """Append a row.

        Raises:
            RunError: it cannot be written.
        """
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(values)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error})") from None
