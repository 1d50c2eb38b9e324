"""Writes the firmware folder: generated C, kernels, an example, test vectors, a Makefile, a README."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikenas._util.errors import DeployError
from spikenas._util.run_files import FOOTPRINT
from spikenas.deployment.c.header import KERNELS, PICTURE, PREFIX
from spikenas.deployment.c.source import frames_of, make_sources
from spikenas.deployment.c.texts import fill
from spikenas.deployment.toolchain import FIRMWARE, WARNINGS, Core
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.integers.reference import run_reference

_TEST = ("main.c", "port.h", "port_host.c", "port_device.c", "startup.c")
SOURCES = ("main", "network", "kernels", "gather", "dense", "startup", "port_device")
_WRITTEN = ("Makefile", "README.md", FOOTPRINT)
_PER_LINE = 32


def library_files(network: IntegerNetwork, prefix: str = PREFIX) -> dict[str, str]:
    """Return the C that a program needs of a network, by name.

    Args:
        network: The integers.
        prefix: What its names begin with.
    Raises:
        DeployError: The kernels' descriptors cannot hold a layer.
    """
    return {**make_sources(network, prefix), **{name: _copied(name) for name in (*KERNELS, *PICTURE)}}


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
    texts = {
        **library_files(network),
        **{name: _copied(name) for name in _TEST},
        "test_vectors.h": _vectors(network, inputs),
        "example.c": fill("example.c", network, PREFIX),
        "Makefile": _makefile(core),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def write_readme(network: IntegerNetwork, folder: Path, footprint: Mapping[str, Any]) -> None:
    """Write README.md of a firmware folder, which says what footprint.json holds too."""
    text = fill("README.md", network, PREFIX, measured=footprint, kind="firmware")
    (folder / "README.md").write_text(text, encoding="utf-8")


def _copied(name: str) -> str:
    return (FIRMWARE / name).read_text(encoding="utf-8")


def _vectors(network: IntegerNetwork, inputs: Sequence[Integers]) -> str:
    scores = [run_reference(network, frames) for frames in inputs]
    frames = np.concatenate([frames_of(network, one).reshape(-1) for one in inputs])
    return f"""/* Inputs, and the scores that the integer reference gives for them. */
#include <stdint.h>

#define TEST_IMAGES {len(inputs)}
static const uint8_t test_frames[] = {{
    {numbers(frames)}}};
static const int32_t test_scores[] = {{
    {numbers(np.concatenate(scores))}}};
"""


def numbers(values: Iterable[object]) -> str:
    """Return numbers as the inside of an array of C."""
    texts = [str(value) for value in values]
    return ",\n    ".join(", ".join(texts[at : at + _PER_LINE]) for at in range(0, len(texts), _PER_LINE))


def _makefile(core: Core | None) -> str:
    warnings = " ".join(WARNINGS)
    names = ("network", "kernels", "gather", "dense", "picture")
    sources, objects = (" ".join(f"{name}.{end}" for name in names) for end in "co")
    device = ""
    if core:
        device = f"""
DEVICE_CC ?= {core.prefix}gcc
DEVICE_CFLAGS ?= {" ".join((*core.flags, *core.libraries))} {warnings} -ffunction-sections -fdata-sections

device: {objects}

%.o: %.c *.h
\t$(DEVICE_CC) $(DEVICE_CFLAGS) -c $< -o $@
"""
    said = f" make device: objects for a {core.name}." if core else ""
    return f"""# make: the test on this computer. make example: a program that says the class of a file.{said}
CFLAGS ?= {warnings}

test: host
\t./host

host: main.c {sources} port_host.c *.h
\t$(CC) $(CFLAGS) main.c {sources} port_host.c -o host

example: example.c {sources} *.h
\t$(CC) $(CFLAGS) example.c {sources} -o example
{device}
clean:
\trm -f host example *.o *.elf

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
        if path.suffix in (".c", ".h") or path.name in _WRITTEN:
            shutil.copy(path, partial)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
