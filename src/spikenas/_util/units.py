"""Read and write sizes and counts as people do: `96KiB`, `1.2M`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

_BYTES = {"": 1, "B": 1, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}
_COUNTS = {"": 1, "k": 1000, "K": 1000, "M": 1000**2}


def parse_size(value: object) -> int:
    """Return the bytes of `96KiB`, `0.5 MB` or a number of bytes.

    Raises:
        ValueError: The value is not a number with one of the units B, KB, KiB, MB, MiB.
    """
    return _parse(value, _BYTES, "a size such as 96KiB (units B, KB = 1,000, KiB = 1,024, MB, MiB)")


def parse_count(value: object) -> int:
    """Return the number of `1.2M`, `500k` or an integer.

    Raises:
        ValueError: The value is not a number with nothing, k or M behind it.
    """
    return _parse(value, _COUNTS, "a count such as 1.2M (k = 1,000, M = 1,000,000)")


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
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(value))
    if not match or match[2] not in units:
        raise ValueError(f"expected {wanted}")
    return int(Decimal(match[1]) * units[match[2]])


Count = Annotated[int, BeforeValidator(parse_count), Field(gt=0)]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
