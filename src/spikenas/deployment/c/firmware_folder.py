"""Writes the firmware folder: generated C, kernels, an example with test vectors, a Makefile."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from spikenas._util.errors import DeployError
from spikenas._util.run_files import FOOTPRINT
from spikenas.deployment.c.source import frames_of, make_sources
from spikenas.deployment.toolchain import FIRMWARE, WARNINGS, Core
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.integers.reference import run_reference

_COPIED = (
    "kernels.c",
    "dense.c",
    "gather.c",
    "rows.h",
    "kernels.h",
    "inline.h",
    "main.c",
    "port.h",
    "port_host.c",
    "port_device.c",
    "startup.c",
)
SOURCES = ("main", "network", "kernels", "gather", "dense", "startup", "port_device")
_PER_LINE = 32


def write_folder(network: IntegerNetwork, inputs: Sequence[Integers], core: Core | None, folder: Path) -> None:
    """Write everything that a build needs.

    Args:
        network: The integers.
        inputs: Test vectors, each [1 or T, C, H, W] of 0 to 255.
        core: The Makefile's compiler for the device; None leaves that out.
        folder: The folder, made if it is not there; files of the same names are replaced.
    Raises:
        DeployError: The kernels' descriptors cannot hold a layer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scores = [run_reference(network, frames) for frames in inputs]
    texts = {
        **make_sources(network),
        **{name: (FIRMWARE / name).read_text(encoding="utf-8") for name in _COPIED},
        "test_vectors.h": _vectors(network, inputs, scores),
        "Makefile": _makefile(core),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _vectors(network: IntegerNetwork, inputs: Sequence[Integers], scores: Sequence[Integers]) -> str:
    frames = np.concatenate([frames_of(network, one).reshape(-1) for one in inputs])
    return f"""/* Inputs, and the scores that the integer reference gives for them. */
#include <stdint.h>

#define TEST_IMAGES {len(inputs)}
static const uint8_t test_frames[] = {{
    {_numbers(frames)}}};
static const int32_t test_scores[] = {{
    {_numbers(np.concatenate(scores))}}};
"""


def _numbers(values: Iterable[object]) -> str:
    texts = [str(value) for value in values]
    return ",\n    ".join(", ".join(texts[at : at + _PER_LINE]) for at in range(0, len(texts), _PER_LINE))


def _makefile(core: Core | None) -> str:
    warnings = " ".join(WARNINGS)
    device = ""
    if core:
        device = f"""
DEVICE_CC ?= {core.prefix}gcc
DEVICE_CFLAGS ?= {" ".join((*core.flags, *core.libraries))} {warnings} -ffunction-sections -fdata-sections

device: network.o kernels.o gather.o dense.o

%.o: %.c *.h
\t$(DEVICE_CC) $(DEVICE_CFLAGS) -c $< -o $@
"""
    return f"""# make: the test on this computer.{f" make device: objects for a {core.name}." if core else ""}
CFLAGS ?= {warnings}

test: host
\t./host

host: main.c network.c kernels.c gather.c dense.c port_host.c *.h
\t$(CC) $(CFLAGS) main.c network.c kernels.c gather.c dense.c port_host.c -o host
{device}
clean:
\trm -f host *.o *.elf

.PHONY: test device clean
"""


def require_replaceable(folder: Path) -> None:
    """Check that a folder is not there, is empty, or holds a firmware that was written before.

    Raises:
        DeployError: It is something else, which would be lost.
    """
    try:
        ours = not folder.exists() or (folder / "network.c").exists() or not any(folder.iterdir())
    except OSError:
        ours = False
    if not ours or not folder.name:
        raise DeployError(f"{folder}: is there, and is no firmware folder; give another name")


def replace_folder(source: Path, folder: Path) -> None:
    """Put the sources of a built firmware folder in the place of an older one, all or none."""
    partial, old = (folder.with_name(f".{folder.name}.{end}") for end in ("partial", "old"))
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix in (".c", ".h") or path.name in ("Makefile", FOOTPRINT):
            shutil.copy(path, partial)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
