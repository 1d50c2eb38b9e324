"""Paths as people give them."""

from __future__ import annotations

import os
from pathlib import Path

from spikenas._util.errors import ConfigError


def user_path(given: str | os.PathLike[str]) -> Path:
    """Return the path that somebody gave, `~` being the home folder.

    Raises:
        ConfigError: No file can be called so.
    """
    text = os.fspath(given)
    if not text or "\0" in text:
        raise ConfigError(f"{text!r}: no path; expected a text that is not empty, without NUL characters")
    return Path(os.path.expanduser(text))


def weights_path(given: str | os.PathLike[str]) -> Path:
    """Return the path that somebody gave for files of weights, which are opened by names in UTF-8 alone.

    Raises:
        ConfigError: The name is not UTF-8.
    """
    path = user_path(given)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{path}: not UTF-8, as the name of a run folder has to be") from None
    return path
