"""Find devices, and what their memory leaves to a network. Packages register them in the group `spikenas.targets`."""

from __future__ import annotations

from spikenas._util.errors import ConfigError, SettingError
from spikenas._util.paths import user_path
from spikenas._util.registry import Registry
from spikenas.targets.target import Core, CoreMemory, Target, read_target

__all__ = ["TARGETS", "Core", "CoreMemory", "Target", "find_target", "known_name", "limits_of"]

TARGETS: Registry[Target] = Registry("spikenas.targets", "target", ConfigError, more=", or a file: BOARD.toml")


def known_name(name: str) -> str:
    """Return the name of a device as it is known; capitals do not count."""
    return name.lower() if name.lower() in TARGETS else name


def find_target(name: str) -> Target:
    """Return a device, by its name or by a file such as `board.toml`.

    Raises:
        ConfigError: The name is unknown, and the message names the nearest or all; or its file describes no device.
    """
    if name.endswith(".toml"):
        return read_target(user_path(name))
    return TARGETS.find(known_name(name))


def limits_of(name: str) -> tuple[dict[str, int | None], dict[str, float | None], Core]:
    """Return what a device is to a network.

    Returns:
        The bytes of `flash` and `ram` that it leaves, its `clock`, `cycles` and `power`, and its core.

    Raises:
        ConfigError: The device is unknown, or is no microcontroller.
    """
    try:
        target = find_target(name)
    except ConfigError as error:
        raise SettingError("budget.target", str(error)) from None
    if target.kind != "microcontroller":
        raise SettingError(
            "budget.target", f"{target.title} has no firmware; 'spikenas targets GENOTYPE' says what it holds"
        )
    speed = {"clock": target.clock, "cycles": target.cycles, "power": target.power}
    return {"flash": target.flash_left, "ram": target.ram_left}, speed, target.core
