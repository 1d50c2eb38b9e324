"""Define the table of operations: what an edge of a cell can carry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from spikenas._util.errors import GenotypeError
from spikenas._util.words import hint
from spikenas.config import DEFAULT_THRESHOLD, LEAST_THRESHOLD, MOST_THRESHOLD

Kind = Literal["none", "skip", "conv", "dwconv", "avgpool"]


@dataclass(frozen=True)
class OpInfo:
    """A row of the table describes one operation.

    Attributes:
        kind: What the builder makes of it: `conv` is LIF, convolution, BatchNorm; `dwconv` is LIF, depthwise and
            pointwise convolution, BatchNorm; `avgpool` has stride 1 and counts its padding.
        kernel: Side of the kernel in pixels; 0 where there is none.
        code: Digit of the op in SNASNet's matrix form; None where SNASNet's space lacks the op.
    """

    kind: Kind
    kernel: int = 0
    code: int | None = None


OPS: dict[str, OpInfo] = {
    "none": OpInfo("none", code=0),
    "skip": OpInfo("skip", code=1),
    "conv1x1": OpInfo("conv", 1, code=2),
    "conv3x3": OpInfo("conv", 3, code=3),
    "avgpool3x3": OpInfo("avgpool", 3, code=4),
    "conv5x5": OpInfo("conv", 5),
    "conv7x7": OpInfo("conv", 7),
    "dwconv3x3": OpInfo("dwconv", 3),
}


@dataclass(frozen=True)
class Op:
    """An op is an operation of the table, with a firing threshold of its own where it has one.

    Attributes:
        name: Key of the operation in `OPS`.
        threshold: Firing threshold of the op's LIF; None stands for the network's.
    """

    name: str
    threshold: float | None = None

    @property
    def info(self) -> OpInfo:
        """Row of the op in the table."""
        return OPS[self.name]

    @property
    def kind(self) -> Kind:
        """Kind of layers that the op is built as."""
        return self.info.kind

    @property
    def spiking(self) -> bool:
        """Whether the op has neurons and weights."""
        return self.kind in ("conv", "dwconv")

    @classmethod
    def parse(cls, text: str) -> Op:
        """Read `conv3x3` or, with a threshold of its own, `conv3x3@0.5`.

        Raises:
            GenotypeError: The op is unknown, or a threshold is given where none can be.
        """
        name, at, value = text.partition("@")
        if name not in OPS:
            raise GenotypeError(f"unknown op {name!r}, {hint(name, OPS)}")
        if not at:
            return cls(name)
        if not cls(name).spiking:
            raise GenotypeError(f"{text!r}: {name} has no neurons, so no threshold")
        number = re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,40})?", value)
        if not number or not LEAST_THRESHOLD <= float(value) <= MOST_THRESHOLD:
            raise GenotypeError(
                f"{text!r}: the threshold after @ must be a positive number such as 0.5, "
                f"{LEAST_THRESHOLD:f} to {MOST_THRESHOLD:,.0f}"
            )
        return cls(name, float(value))

    def at_threshold(self, default: float) -> Op:
        """Return the op for a network whose threshold is not the default: with a threshold of its own.

        Args:
            default: Threshold of the network, for an op that has none of its own.
        """
        return Op(self.name, default) if self.spiking and self.threshold is None else self

    @property
    def plain(self) -> Op:
        """The op itself, without a threshold where that equals the default."""
        return Op(self.name) if self.threshold == DEFAULT_THRESHOLD else self

    def __str__(self) -> str:
        return self.name if self.threshold is None else f"{self.name}@{Decimal(repr(self.threshold)):f}"


NONE = Op("none")
SKIP = Op("skip")
SNASNET_OPS: tuple[Op, ...] = tuple(Op(name) for name, info in OPS.items() if info.code is not None)
BENCH_OPS: tuple[Op, ...] = (NONE, SKIP, *(Op("conv3x3", threshold) for threshold in (0.5, 1.0, 1.5)))
