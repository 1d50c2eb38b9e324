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


def format_instructions(count: float) -> str:
    """Return a number of instructions for people: `6.63 million`."""
    return f"{_short(count / 1e6)} million" if count >= 1e6 else f"{count:,.0f}"


def format_time(seconds: float) -> str:
    """Return a short time for people: `48 ms`, `1.2 s`."""
    return _scaled(seconds, "s")


def format_energy(joules: float) -> str:
    """Return an energy for people: `2.1 mJ`."""
    return _scaled(joules, "J")


def _scaled(value: float, unit: str) -> str:
    known, shown = (("", 1.0), ("m", 1e-3), ("u", 1e-6)), float(f"{value:.3g}")
    prefix, size = next(((p, s) for p, s in known if shown >= s), ("n", 1e-9))
    return f"{_short(value / size)} {prefix}{unit}"


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 999.5 else f"{number:,.0f}"


def parse_scaled(value: object, unit: str, example: str) -> float:
    """Return what `50ms`, `2 mJ` or `168MHz` is in its unit, or a number.

    Args:
        value: A text with the unit, or a number in the unit.
        unit: s, J, W or Hz; of Hz there are k, M and G, of the others m, u and n.
        example: One for the message.

    Raises:
        ValueError: The value is not a number with such a unit.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > _MOST:  # also a whole number that no float holds
            return math.inf if value > 0 else -math.inf
        return float(value)
    prefixes = {"": 1.0, **({"k": 1e3, "m": 1e6, "g": 1e9} if unit == "Hz" else {"m": 1e-3, "u": 1e-6, "n": 1e-9})}
    text = str(value).strip().replace("\u00b5", "u").replace("\u03bc", "u")
    letters = "".join(prefixes)
    match = re.fullmatch(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,12}})?)\s*([{letters}]?){unit.lower()}", text.lower())
    if not match:
        raise ValueError(f"expected a number with a unit, such as {example}")
    return float(match[1]) * prefixes[match[2]]


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
Seconds = Annotated[
    float, BeforeValidator(lambda v: parse_scaled(v, "s", "50ms")), Field(gt=0, le=_MOST, allow_inf_nan=False)
]
Joules = Annotated[
    float, BeforeValidator(lambda v: parse_scaled(v, "J", "2mJ")), Field(gt=0, le=_MOST, allow_inf_nan=False)
]
Watts = Annotated[
    float, BeforeValidator(lambda v: parse_scaled(v, "W", "80mW")), Field(gt=0, le=_MOST, allow_inf_nan=False)
]
Hertz = Annotated[
    float, BeforeValidator(lambda v: parse_scaled(v, "Hz", "168MHz")), Field(ge=10_000, le=_MOST, allow_inf_nan=False)
]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]  # in seconds
