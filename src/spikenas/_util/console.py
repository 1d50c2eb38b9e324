"""The console that tables and messages are shown on: names in them are no markup, and stay on their line."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console
from rich.text import Text

from spikenas._util.showing import plain

_WIDE = 1_000  # columns where no terminal is


class PlainConsole(Console):
    """A plain console takes texts as they are: brackets, colons and control characters of names mean nothing to it.

    Args:
        stderr: Whether it writes to standard error.
        quiet: Whether it shows nothing.
    """

    def __init__(self, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, highlight=False, emoji=False)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = _WIDE

    def render_str(self, text: str, **options: Any) -> Text:
        """Make what is shown of a text."""
        return super().render_str(plain(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; where no terminal is, a line stays one line and ends with its last letter."""
        if self.is_terminal:
            super().print(*objects, **options)
            return
        if all(isinstance(one, str) for one in objects):
            options.setdefault("soft_wrap", True)
        with self.capture() as captured:
            super().print(*objects, **options)
        if not self.quiet:
            self.file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
            self.file.flush()

    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to the caller, in whose `except` this is called."""
        raise
