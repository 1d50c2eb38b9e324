"""Files that are written whole or not at all."""

import os
from collections.abc import Callable
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
