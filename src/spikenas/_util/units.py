"""Read and write sizes, counts and times as people do: `96KiB`, `1.2M`, `20m`."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

_BYTES = {"": 1, "B": 1, "K": 1024, "KIB": 1024, "KB": 1000, "M": 1024**2, "MIB": 1024**2, "MB": 1000**2}
_COUNTS = {"": 1, "K": 1000, "M": 1000**2}
_MOST = 10**12  # of bytes and parameters; no device has more
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_SECONDS = 366 * _SECONDS["d"]
_DURATION = r"\s*" + "".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)\s*{unit}\s*)?" for unit in "dhms")


def parse_size(value: object) -> int:
    """Return the bytes of `96KiB`, `0.5 mb` or a number of bytes; units in any case.

    K and M alone are 1,024 and 1,048,576 bytes, as in a linker script and in data sheets of microcontrollers.

    Raises:
        ValueError: The value is not a number with one of the units B, K, KiB, KB, M, MiB, MB.
    """
    return _parse(
        value, _BYTES, "a size such as 96KiB (units B, K = KiB = 1,024, KB = 1,000, M = MiB, MB; in any case)"
    )


def parse_count(value: object) -> int:
    """Return the number of `1.2M`, `500k` or an integer; units in any case.

    Raises:
        ValueError: The value is not a number with nothing, K or M behind it.
    """
    return _parse(value, _COUNTS, "a count such as 1.2M (k = 1,000, M = 1,000,000; in any case)")


def parse_duration(value: object) -> float:
    """Return the seconds of `20m`, `1h30m`, `0.5 h` or a number of seconds; units in any case.

    Raises:
        ValueError: The value is not a number of seconds, or numbers with the units d, h, m, s, the larger first; or it
            is more than a year.
    """
    seconds = _seconds_of(value)
    if seconds > _MOST_SECONDS:
        raise ValueError("expected at most 366d")
    return seconds


def _seconds_of(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > _MOST_SECONDS:  # also a whole number that no float holds
            return math.inf if value > 0 else -math.inf
        return float(value)
    text = str(value).lower()
    if re.fullmatch(r"\s*[0-9]{1,9}(?:\.[0-9]{1,9})?\s*", text):
        return float(text)
    match = re.fullmatch(_DURATION, text)
    parts = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not parts:
        raise ValueError("expected a time such as 20m, 1h30m or 90s (units d, h, m, s), or seconds")
    return float(sum(Decimal(number) * _SECONDS[unit] for unit, number in parts.items()))


def format_duration(seconds: float) -> str:
    """Return a time for people: `1 h 30 min`, `20 min`, `1 min 30 s`, `45 s`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def format_size(size_bytes: float) -> str:
    """Return a number of bytes for people: `96.0 KiB`."""
    if abs(size_bytes) < 1024:
        return f"{size_bytes:,.0f} B"
    if abs(size_bytes) < 1024**2:
        return f"{size_bytes / 1024:,.1f} KiB"
    return f"{size_bytes / 1024**2:,.2f} MiB"


def _parse(value: object, units: dict[str, int], wanted: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"expected {wanted}")
    match = re.fullmatch(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)\s*", str(value))
    if not match or match[2].upper() not in units:
        raise ValueError(f"expected {wanted}")
    return int(Decimal(match[1]) * units[match[2].upper()])


Count = Annotated[int, BeforeValidator(parse_count), Field(gt=0, le=_MOST)]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0, le=_MOST)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]  # in seconds
