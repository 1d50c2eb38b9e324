"""Kinds of values that settings have, beyond those of `_util.units`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator

Bits = Literal[2, 4, 8]
PROJECTS = ("arduino", "cmake", "pico", "platformio", "python", "wasm", "zephyr")  # that a network is exported to
Fit = Literal["stretch", "crop", "pad"]
Neuron = Literal["lif", "ilif", "relu"]
Precision = Literal["auto", "no", "bf16", "fp16"]
LARGEST_SIDE = 1024  # pixels of an image as a network sees it


def _layer_bits(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[a-z0-9_.]+=[248]", value):
        return value
    raise ValueError("expected a stage or layer and its bits, such as 'cell1=4'")


def _image_size(value: object) -> int | str:
    """Return a side as a number, and `24x24` too; other sizes as `WIDTHxHEIGHT`."""
    match = (
        re.fullmatch(r"\s*(\d{1,9})(?:\s*[xX×]\s*(\d{1,9}))?\s*", str(value)) if not isinstance(value, bool) else None
    )
    sides = [int(side) for side in match.groups() if side] if match and isinstance(value, int | str) else []
    if not sides or not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise ValueError(f"expected a side in pixels such as 24, or WIDTHxHEIGHT such as 48x24, at most {LARGEST_SIDE}")
    return sides[0] if len(set(sides)) == 1 else f"{sides[0]}x{sides[1]}"


def two_numbers(value: object) -> object:
    """Return two numbers, the second larger."""
    match value:
        case [int() | float() as low, int() | float() as high] if low < high and not {bool} & {type(low), type(high)}:
            return low, high
    raise ValueError("expected two numbers, the second larger, such as [0, 4095]")


ImageSize = Annotated[int | str, BeforeValidator(_image_size)]
LayerBits = Annotated[str, BeforeValidator(_layer_bits)]


def positive_or(*words: str, most: int) -> BeforeValidator:
    """A positive number, or one of a few words."""

    def check(value: object) -> object:
        if value in words or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most):
            return value
        raise ValueError(f"expected a number, at least 1 and at most {most}, or {' or '.join(map(repr, words))}")

    return BeforeValidator(check)
