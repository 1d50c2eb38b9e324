"""The section of a configuration that limits what a network may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from spikenas._util.errors import ConfigError
from spikenas._util.units import Count, Hertz, Joules, Seconds, Size, Watts
from spikenas.config.section import Section
from spikenas.targets import find_target, known_name

SPEED_LIMITS = ("instructions", "latency", "energy")
LIMITS = ("params", "flash", "ram", *SPEED_LIMITS)
SPEED = ("clock", "cycles", "power")  # what is known of a device's


class BudgetConfig(Section):
    """Limits that all must hold, and what is known of the device's speed; absent means free, or not known."""

    target: Annotated[str, AfterValidator(known_name)] | None = Field(
        None, description="a device, which sets flash, ram, its speed and network.core (spikenas targets)"
    )
    params: Count | None = None
    flash: Size | None = None
    ram: Size | None = None
    instructions: Count | None = Field(None, description="of one inference, such as 20M")
    latency: Seconds | None = Field(None, description="of one inference, such as 50ms; needs clock and cycles")
    energy: Joules | None = Field(None, description="of one inference, such as 2mJ; needs power, clock and cycles")
    clock: Hertz | None = Field(None, description="of the device, such as 168MHz; a target sets it")
    cycles: float | None = Field(
        None, gt=0, le=1_000, description="clock cycles that an instruction takes on average; a target sets it"
    )
    power: Watts | None = Field(None, description="of the device while it computes, such as 80mW; a target sets it")

    @property
    def has_limits(self) -> bool:
        """Whether anything is limited."""
        return any(getattr(self, name) is not None for name in LIMITS)

    @property
    def limits_speed(self) -> bool:
        """Whether instructions are limited, or what follows from them."""
        return any(getattr(self, name) is not None for name in SPEED_LIMITS)

    @property
    def counts_instructions(self) -> bool:
        """Whether the instructions of the device's processor can be known: those of the cores that are measured are."""
        try:
            return self.target is None or find_target(self.target).emulated
        except ConfigError:  # a file of the user's that is gone
            return True

    @property
    def instruction_seconds(self) -> float | None:
        """Time of an instruction on average; None where it is not known."""
        return self.cycles / self.clock if self.cycles and self.clock else None

    @property
    def instruction_joules(self) -> float | None:
        """Energy of an instruction on average; None where it is not known."""
        return self.instruction_seconds * self.power if self.instruction_seconds and self.power else None
