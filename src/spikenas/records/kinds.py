"""Kinds of values that several records have."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas._util.run_files import MODEL, TUNING
from spikenas.space.design import Design
from spikenas.space.genotype import Genotype

CLOSED = ConfigDict(extra="forbid")
OPEN = ConfigDict(extra="allow")  # a result for people, of which only some is read again

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Field(pattern=rf"^({TUNING}/[0-9a-f]{{1,64}}/)?{re.escape(MODEL)}$")]  # in the run folder
Bits = Annotated[int, Field(ge=1, le=16)]


def _genotype(text: str) -> str:
    try:
        Genotype.parse(text)
    except GenotypeError as error:
        raise ValueError(str(error)) from None
    return text


def _design(text: str) -> str:
    try:
        Design.parse(text)
    except (ConfigError, GenotypeError) as error:
        raise ValueError(str(error)) from None
    return text


DesignText = Annotated[str, AfterValidator(_design)]
GenotypeText = Annotated[str, AfterValidator(_genotype)]
