"""Find the words that people mistyped, and make the messages about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 100  # characters of a word that was mistyped


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another one, or None where none is."""
    text = str(word)
    return next(iter(difflib.get_close_matches(text, list(known), n=1)), None) if len(text) <= _LONGEST else None


def hint(word: object, known: Iterable[str], more: str = "") -> str:
    """Say which known word may have been meant, or list them all.

    Args:
        word: Word that was given.
        known: Words that exist.
        more: Text that says what else would be right, added to the list.
    """
    known = list(known)
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(known)}{more}"
