"""Read regular files alone, write them whole or not at all, or let them grow by whole rows.

A pipe or a device in the place of a file would make a reader wait, or read for ever.
"""

from __future__ import annotations

import csv
import os
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from spikenas._util.errors import ConfigError, DataError, RunError, SpikeNASError

LARGEST_FILE = 512 * 1024**2  # bytes of a file that is read at once
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
ESCAPED = "backslashreplace"  # of names that are not UTF-8, in files that are


def reason(error: OSError) -> str:
    """Return what an error says, without its number and the file's name."""
    if isinstance(error, FileExistsError):  # of making a folder, which may be there
        return "a file, not a folder"
    return error.strerror or str(error).partition("\n")[0]


@contextmanager
def open_regular(
    path: str | os.PathLike[str], kind: type[SpikeNASError] = DataError, largest: int | None = LARGEST_FILE
) -> Iterator[BufferedReader]:
    """Open a regular file, or what a link to one leads to.

    Args:
        path: Name of the file.
        kind: Class of the error that is raised.
        largest: Most bytes; None is no limit.

    Raises:
        SpikeNASError: The file cannot be read, is no regular file, or is larger; the error is of class `kind`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    except OSError as error:
        raise kind(f"{os.fspath(path)}: cannot be read ({reason(error)})") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise kind(f"{os.fspath(path)}: not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if largest is not None and status.st_size > largest:
            raise kind(f"{os.fspath(path)}: {status.st_size:,} bytes, of which at most {largest:,} are read")
        yield file


def read_regular(path: str | os.PathLike[str], kind: type[SpikeNASError] = DataError) -> bytes:
    """Return the bytes of a regular file; errors as in `open_regular`."""
    with open_regular(path, kind) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise kind(f"{os.fspath(path)}: cannot be read ({reason(error)})") from error


def require_regular(path: str | os.PathLike[str], kind: type[SpikeNASError] = RunError) -> None:
    """Check a file that is read by a library; errors as in `open_regular`."""
    with open_regular(path, kind):
        pass


def digest_file(path: str) -> tuple[int, str]:
    """Return the bytes that a regular file has, and the SHA-256 of the first 512 MiB of them in hexadecimal.

    Raises:
        DataError: The file cannot be read, or is no regular file.
    """
    with open_regular(path, largest=None) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if size <= LARGEST_FILE:
                return size, file_digest(file, "sha256").hexdigest()
            return size, sha256(file.read(LARGEST_FILE)).hexdigest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({reason(error)})") from error


def read_text(path: Path, kind: type[SpikeNASError] = RunError) -> str:
    """Read the text of a file.

    Args:
        path: File in UTF-8.
        kind: Class of the error that is raised.

    Raises:
        SpikeNASError: The file is not there, cannot be read, or is no text; the error is of class `kind`.
    """
    try:
        return read_regular(path, kind).decode()
    except UnicodeDecodeError:
        raise kind(f"{path}: not a text file in UTF-8") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: The file is not there, or is not TOML.
    """
    return parse_toml(read_text(path, ConfigError), str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Read TOML.

    Args:
        text: The TOML.
        source: Where it comes from, for messages.
    Raises:
        ConfigError: It is none, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{source}: not valid TOML: nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise ConfigError(f"{source}: not valid TOML: a number has too many digits") from None


@contextmanager
def open_csv(path: Path) -> Iterator[csv.DictReader[str]]:
    """Read the rows of a CSV file that somebody else wrote.

    Yields:
        A reader of the rows, as dictionaries by column.

    Raises:
        DataError: The file cannot be read, or is no CSV.
    """
    require_regular(path, DataError)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            yield csv.DictReader(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})") from None
    except csv.Error:
        raise DataError(f"{path}: cannot be read as CSV; a quotation mark may lack its pair") from None


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other processes out of it while the context is open.

    Raises:
        RunError: Another process is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(f"{folder}: in use by another spikenas process") from None
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a file of text in UTF-8, whole or not at all; of names that are not UTF-8 the bytes are written out.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8", errors=ESCAPED))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a name beside `path`, then put the file in its place: whole or not at all.

    Args:
        path: File to write.
        write: Function that writes to the path it is given; it may raise OSError.

    Raises:
        RunError: The file cannot be written, for want of space for example.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        write(partial)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written ({reason(error)})") from None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file, whole or not at all.

    Raises:
        RunError: The file cannot be written.
    """

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)

    write_atomically(path, write)


class RowFile:
    """A row file is a CSV file that grows by a row at a time.

    What a kill left of a row is taken off when the file is opened again.

    Args:
        path: File; it is made, with its header, when it is not there.
        columns: Names in the header.

    Attributes:
        rows: Fields of the rows that were there.

    Raises:
        RunError: The file cannot be read or written, or has another header.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        header = ",".join(columns) + "\n"
        text = read_text(path) if path.exists() else ""
        if not text.startswith(header) and not header.startswith(text):
            raise RunError(f"{path}: its first line is not {header[:60].strip()!r}; give another file")
        whole = text[: text.rfind("\n") + 1] or header
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a field may be a long list
        try:
            self.rows = list(csv.reader(whole[len(header) :].split("\n")[:-1]))
        except csv.Error as error:
            raise RunError(f"{path}: cannot be read as CSV ({error}); remove the file") from None
        if whole != text:
            write_text(path, whole)

    def add(self, values: Iterable[object]) -> None:
        """Append a row.

        Raises:
            RunError: The file cannot be written.
        """
        try:
            with self.path.open("a", newline="", encoding="utf-8", errors=ESCAPED) as file:
                csv.writer(file, lineterminator="\n").writerow(values)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({reason(error)})") from None
