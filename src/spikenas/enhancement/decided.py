"""What an enhancement decides, and the file that says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spikenas.config import Config
from spikenas.records import SPACE_FILE


@dataclass(frozen=True)
class Decision:
    """A decision sets one setting of the space.

    Attributes:
        key: Key of the configuration, such as `space.ops`.
        value: Value that it is set to.
        reason: The reason, in a sentence.
        evidence: What was measured for the decision.
        given: Whether the value was asked for, so that nothing was to be decided.
    """

    key: str
    value: object
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
    given: bool = False


@dataclass(frozen=True)
class Enhancement:
    """An enhancement holds the decisions, and the configuration that they make."""

    decisions: tuple[Decision, ...]
    config: Config


def write_space(folder: Path, found: Enhancement) -> None:
    """Write space.json into a run folder, whole or not at all."""
    decisions = [asdict(decision) for decision in found.decisions]
    SPACE_FILE.write(
        folder, {"decisions": decisions, "config": found.config.model_dump(mode="json", exclude_none=True)}
    )
