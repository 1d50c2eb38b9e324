"""Record what a result depends on besides its settings: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

_PACKAGES = ("spikenas", "torch", "torchvision", "numba", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results may depend on, by name."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found | {"python": platform.python_version()}


@with_config(ConfigDict(extra="forbid"))
class Machine(TypedDict):
    """A computer: its system, its processor, and the number of its cores."""

    system: str
    cpu: str
    cores: Annotated[int, Field(ge=1)]


def machine() -> Machine:
    """Return the system, the processor and the number of cores."""
    return {"system": f"{platform.system()} {platform.machine()}", "cpu": _cpu(), "cores": os.cpu_count() or 1}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
