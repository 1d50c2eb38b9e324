"""Words that people mistype, and the messages about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another one, or None where none is."""
    return next(iter(difflib.get_close_matches(str(word), list(known), n=1)), None)


def hint(word: object, known: Iterable[str], more: str = "") -> str:
    """Say which known word may have been meant, or list them all.

    Args:
        word: What was given.
        known: What there is.
        more: What else would be right, added to the list.
    """
    known = list(known)
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(known)}{more}"
