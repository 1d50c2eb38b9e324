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
