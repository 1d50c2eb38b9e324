"""The console that tables and messages are shown on: names in them are no markup, and stay on their line."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from spikenas._util.showing import plain


class PlainConsole(Console):
    """A plain console takes texts as they are: brackets, colons and control characters of names mean nothing to it.

    Args:
        stderr: Whether it writes to standard error.
        quiet: Whether it shows nothing.
    """

    def __init__(self, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make what is shown of a text."""
        return super().render_str(plain(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a text that goes to no terminal stays one line."""
        if not self.is_terminal and all(isinstance(one, str) for one in objects):
            options.setdefault("soft_wrap", True)
        super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to the caller, in whose `except` this is called."""
        raise
