"""Show what came from outside: on one line, without control characters, never too long."""

from __future__ import annotations

import re
from reprlib import Repr

_MOST_SHOWN = 2_000  # characters of a message
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BYTES = range(0xDC80, 0xDD00)  # how Python keeps the bytes of a name that is not UTF-8


def plain(text: str) -> str:
    r"""Return a text with its control characters written out: `\n`, `\x1b`; of a name that is not UTF-8 the bytes."""
    return _HIDDEN.sub(lambda match: _escaped(match[0]), text)


def one_line(text: str) -> str:
    """Return a text as a message of one line; what is too long is left out in the middle."""
    line = plain(text)
    if len(line) <= _MOST_SHOWN:
        return line
    half = _MOST_SHOWN // 2
    return f"{line[:half]} ... {line[-half:]}"


def shown(value: object) -> str:
    """Return a value as it is shown in a message, short whatever it is."""
    if isinstance(value, str):
        return _SHORT.repr(value)
    if isinstance(value, int):
        return _SHORT.repr_int(value, 1)
    return str(value) if isinstance(value, float) else _SHORT.repr(value)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if code in _BYTES else repr(character)[1:-1]


class _Short(Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, 200, 200, 40

    def repr_int(self, x: int, level: int) -> str:
        """Show an integer; Python refuses to write one of thousands of digits."""
        digits = int(x.bit_length() * 0.30103) + 1
        return str(x) if digits <= self.maxlong else f"a number of {digits:,} digits"

    def repr_date(self, x: object, level: int) -> str:
        """Show a date of TOML as it is written there."""
        return str(x)

    repr_datetime = repr_time = repr_date


_SHORT = _Short()
