"""The sections of a configuration that say what a search over designs decides, and how they race."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from spikenas.config.section import Section
from spikenas.config.sections import MOST_CELLS, MOST_CHANNELS, MOST_EPOCHS, MOST_LEVELS, MOST_TIMESTEPS
from spikenas.config.values import Bits, ImageSize, Neuron

T = TypeVar("T")
_MOST_ENTRANTS = 1_024


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values or len(set(values)) != len(values):
        raise ValueError("expected at least one value, each once")
    return values


_EachOnce = AfterValidator(_each_once)


class DesignsConfig(Section):
    """What each setting of a design may be; absent: as data and limits suggest, or as `network` and `data` say."""

    image_sizes: Annotated[tuple[ImageSize, ...], _EachOnce] | None = Field(None, description="such as [32, 24]")
    colours: Annotated[tuple[Literal[1, 3], ...], _EachOnce] | None = Field(None, description="1 grey, 3 colour")
    stem_strides: Annotated[tuple[Literal[1, 2], ...], _EachOnce] | None = None
    cells: Annotated[tuple[Annotated[int, Field(ge=1, le=MOST_CELLS)], ...], _EachOnce] | None = None
    channels: Annotated[tuple[Annotated[int, Field(ge=1, le=MOST_CHANNELS)], ...], _EachOnce] | None = Field(
        None, description="C1"
    )
    growths: Annotated[tuple[Annotated[float, Field(ge=0.5, le=4)], ...], _EachOnce] | None = Field(
        None, description="factors of the channels at a reduction"
    )
    neurons: Annotated[tuple[Neuron, ...], _EachOnce] | None = None
    timesteps: Annotated[tuple[Annotated[int, Field(ge=1, le=MOST_TIMESTEPS)], ...], _EachOnce] | None = Field(
        None, description="T of each kind of neuron that can have it; absent: as usual for the kind"
    )
    levels: Annotated[tuple[Annotated[int, Field(ge=0, le=MOST_LEVELS)], ...], _EachOnce] | None = Field(
        None, description="D of ilif; 0: as usual for the width"
    )
    weight_bits: Annotated[tuple[Bits, ...], _EachOnce] | None = None
    membrane_bits: Annotated[tuple[Literal[8, 16], ...], _EachOnce] | None = None


class RaceConfig(Section):
    """How designs race: the best by score are trained for a short time, half of them go on, and so on down to one."""

    entrants: int | None = Field(
        None, ge=2, le=_MOST_ENTRANTS, description="designs in the first rung; absent: as many as the time suffices for"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=MOST_EPOCHS,
        description="of each design in the first rung, for a race that does not depend on a clock",
    )
