"""Read files of a data set: regular ones alone, and none that is larger than what one item can be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from io import BufferedReader

from spikenas._util.errors import DataError
from spikenas._util.files import reason

LARGEST_FILE = 512 * 1024**2  # bytes of a file that holds one item

_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def open_regular(path: str, largest: int | None = LARGEST_FILE) -> Iterator[BufferedReader]:
    """Open a regular file; a pipe or a device would make the reader wait, or read for ever.

    Args:
        path: Name of the file; a link to a file is one.
        largest: Most bytes; None is no limit.

    Raises:
        DataError: The file cannot be opened, is no regular file, or is larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: not a regular file")
        if largest is not None and status.st_size > largest:
            raise DataError(f"{path}: {status.st_size:,} bytes; a file of one item has at most {largest:,}")
        yield file


def read_regular(path: str) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        DataError: The file cannot be read, is no regular file, or is larger than a file of one item can be.
    """
    with open_regular(path) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({reason(error)})") from error


def digest_file(path: str) -> tuple[int, str]:
    """Return the bytes that a regular file has, and its SHA-256 in hexadecimal.

    Raises:
        DataError: The file cannot be read, or is no regular file.
    """
    with open_regular(path, largest=None) as file:
        try:
            return os.fstat(file.fileno()).st_size, file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({reason(error)})") from error


def file_size(path: str) -> int:
    """Return the bytes that a file has.

    Raises:
        DataError: The file is not there.
    """
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})") from error
