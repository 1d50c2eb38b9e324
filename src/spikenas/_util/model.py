"""The base of what is read from outside and checked: settings, devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

_LONGEST_TEXT = 4_096  # characters; no path of a file is longer


class CheckedModel(BaseModel):
    """A checked model takes no unknown keys, and no value that is a number or a text only to Python or to pydantic.

    A truth value is no number, numbers are finite, a text has at most 4,096 characters, none of them NUL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_meant(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool):
            kinds = _alternatives(cls.model_fields[info.field_name or ""].annotation)
            if any(kind in (int, float) or isinstance(kind, int) for kind in kinds):
                raise ValueError("expected a number")
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and "\0" in text:
                raise ValueError("expected a text without NUL characters")
            if isinstance(text, str) and len(text) > _LONGEST_TEXT:
                raise ValueError(f"expected a text of at most {_LONGEST_TEXT:,} characters")
        return value


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that a value may be of, and the values of a `Literal`."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _alternatives(part)
