"""Exports a network's C as a project for a build system, as a module of Python, or as a page for a browser."""

from __future__ import annotations

import base64
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikenas._util.errors import DeployError
from spikenas._util.process import run_tool
from spikenas._util.words import hint
from spikenas.config import PROJECTS
from spikenas.deployment.c.firmware_folder import library_files, numbers
from spikenas.deployment.c.header import PREFIX, check_prefix, stem_of, takes_pictures
from spikenas.deployment.c.source import frames_of
from spikenas.deployment.c.texts import fill
from spikenas.deployment.exported import require_exported, update
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.machine import Integers
from spikenas.integers.reference import run_reference

# The files of a kind of project: where each goes, and its template. `_EXAMPLES` says where example_input.h goes.
_FILES = {
    "arduino": {
        "library.properties": "arduino/library.properties",
        "examples/Classify/Classify.ino": "arduino/Classify.ino",
    },
    "cmake": {"CMakeLists.txt": "cmake/CMakeLists.txt", "example.c": "example.c"},
    "pico": {"CMakeLists.txt": "pico/CMakeLists.txt", "main.c": "pico/main.c"},
    "platformio": {"library.json": "platformio/library.json", "examples/classify/main.cpp": "platformio/main.cpp"},
    "python": {},
    "wasm": {},
    "zephyr": {
        "zephyr/module.yml": "zephyr/module.yml",
        "zephyr/Kconfig": "zephyr/Kconfig",
        "zephyr/CMakeLists.txt": "zephyr/CMakeLists.txt",
        "samples/classify/CMakeLists.txt": "zephyr/sample.txt",
        "samples/classify/prj.conf": "zephyr/prj.conf",
        "samples/classify/src/main.c": "zephyr/main.c",
    },
}
_EXAMPLES = {
    "arduino": "examples/Classify",
    "pico": "",
    "platformio": "examples/classify",
    "zephyr": "samples/classify/src",
}
_ENDINGS = {"darwin": "dylib", "win32": "dll"}


def check_export(kind: str, prefix: str) -> None:
    """Check that there is such a kind of project, and that names in C can begin with a prefix.

    Raises:
        DeployError: One is not so.
    """
    if kind not in PROJECTS:
        raise DeployError(f"--to {kind}: no such kind of project, {hint(kind, PROJECTS)}")
    check_prefix(prefix)


def export(
    network: IntegerNetwork,
    example: Integers,
    kind: str,
    folder: Path,
    prefix: str = PREFIX,
    measured: Mapping[str, Any] | None = None,
    digest: str = "",
) -> None:
    """Write a folder with the C of a network and what a build system needs of it.

    Args:
        network: The integers.
        example: An input [1 or T, C, H, W] of 0 to 255, whose class the example program prints.
        kind: One of `PROJECTS`.
        folder: The folder; of one that was exported to before, files of then are replaced, and others stay.
        prefix: What the names in C begin with.
        measured: What footprint.json says, where the firmware was built for a device.
        digest: Digest of the file of the integers, kept in the folder.
    Raises:
        DeployError: There is no such kind, the prefix is no name in C, the folder is something else or what was
            exported has changed, or a compiler that the kind needs is missing or fails.
    """
    check_export(kind, prefix)
    require_exported(folder)
    values = {
        "folder": folder.resolve().name,
        "title": f"SpikeNAS_{prefix}",
        "module": stem_of(prefix),
        "library": f"lib{prefix}.{_ENDINGS.get(sys.platform, 'so')}",
        "measured": measured,
        "kind": kind,
    }
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        for file, text in library_files(network, prefix).items():
            _write(made / "src" / file, text)
        for place, template in _FILES[kind].items():
            _write(made / place, fill(template, network, prefix, **values))
        if kind in _EXAMPLES:
            _write(made / _EXAMPLES[kind] / "example_input.h", _example_header(network, example, prefix))
        if kind in _BUILDING:
            _BUILDING[kind](network, prefix, made, values)
        _write(made / "README.md", fill("README.md", network, prefix, **values))
        update(folder, made, digest)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _example_header(network: IntegerNetwork, example: Integers, prefix: str) -> str:
    scores = run_reference(network, example)
    return f"""/* An input of the data that the network was made with, and the class that the network says of it. */
#include <stdint.h>

#define {prefix.upper()}_EXAMPLE_CLASS {int(np.argmax(scores))}
static const uint8_t {prefix}_example_input[] = {{
    {numbers(frames_of(network, example).reshape(-1))}}};
"""


def _build_python(network: IntegerNetwork, prefix: str, made: Path, values: dict[str, Any]) -> None:
    """Compile the C for this computer, and write the module that opens it."""
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        raise DeployError("--to python: no C compiler found (cc, gcc, clang); on Debian: apt-get install gcc libc6-dev")
    sources = sorted(f"src/{path.name}" for path in (made / "src").glob("*.c"))
    _compile([compiler, "-O2", "-shared", "-fPIC", *sources, "-o", str(values["library"])], made)
    _write(made / f"{values['module']}.py", fill("python/module.py", network, prefix, **values))


def _build_wasm(network: IntegerNetwork, prefix: str, made: Path, values: dict[str, Any]) -> None:
    """Compile the C to WebAssembly, and write a page that has it in it."""
    if not takes_pictures(network):
        raise DeployError("--to wasm: the page classifies pictures, and this network takes none")
    if network.plan.input.value_range:
        raise DeployError("--to wasm: browsers read 8 bits of a value, and this network was trained with more")
    if importlib.util.find_spec("ziglang"):
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
    elif shutil.which("clang") and shutil.which("wasm-ld"):
        compiler = ["clang", "--target=wasm32"]
    else:
        raise DeployError(
            "--to wasm: no compiler for WebAssembly; 'pip install spikenas[wasm]' brings one, or on Debian "
            "'apt-get install clang lld'"
        )
    stem = values["module"]
    _write(made / "src" / "page.c", fill("wasm/page.c", network, prefix, **values))
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name) / "string.h", _STRING_HEADER)
        sources = sorted(f"src/{path.name}" for path in (made / "src").glob("*.c"))
        flags = ("-O2", "-std=c11", "-ffreestanding", "-nostdlib", "-isystem", name)
        link = ("-Wl,--no-entry", "-Wl,--export-memory", "-Wl,--strip-all")
        _compile([*compiler, *flags, *link, *sources, "-o", f"{stem}.wasm"], made)
    found = (made / f"{stem}.wasm").read_bytes()
    texts = {**values, "wasm": base64.b64encode(found).decode("ascii"), "wasm_bytes": len(found)}
    _write(made / "index.html", fill("wasm/index.html", network, prefix, **texts))


_STRING_HEADER = """#include <stddef.h>
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
"""

_BUILDING: dict[str, Callable[[IntegerNetwork, str, Path, dict[str, Any]], None]] = {
    "python": _build_python,
    "wasm": _build_wasm,
}


def _compile(command: list[str], folder: Path) -> None:
    done = run_tool(command, folder)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise DeployError(f"the C does not compile: {(said or ['no message'])[0].strip()}")
