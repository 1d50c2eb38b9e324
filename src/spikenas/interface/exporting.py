"""The C of a network as a project for a build system, of Python, or as a page for a browser."""

from __future__ import annotations

from pathlib import Path

from spikenas._util.paths import user_path
from spikenas._util.progress import Reporter
from spikenas._util.run_files import REPORT
from spikenas._util.threads import threads
from spikenas.data import Split
from spikenas.deployment import check_export, for_target, random_vectors, test_vectors
from spikenas.deployment import export as write_project
from spikenas.integers import IntegerNetwork
from spikenas.interface.functions import expect
from spikenas.pipeline.exporting import export_run
from spikenas.pipeline.settings import Settings
from spikenas.reporting import write_report
from spikenas.targets import find_target


def export(
    integers: IntegerNetwork,
    folder: str | Path,
    *,
    to: str,
    prefix: str = "snn",
    target: str | None = None,
    split: Split | None = None,
) -> Path:
    """Write the C of an integer network as a library for a build system, a module of Python, or a page for a browser.

    Args:
        integers: The network.
        folder: Where the files go; of one that was exported to before, files of then are replaced, and others stay.
        to: `arduino`, `cmake`, `pico`, `platformio`, `python`, `wasm` or `zephyr`.
        prefix: What its names in C begin with, so that several networks live in one program.
        target: The device that the code is for; None is the core that the network was planned for.
        split: Its first item is the example; None are validation items of the task, or a random one.
    Returns:
        The folder.
    Raises:
        ConfigError: The device is unknown.
        DeployError: There is no such kind, the prefix is no name in C, the folder is something else or what was
            exported has changed, or a compiler that the kind needs is missing or fails.
    """
    expect(integers, IntegerNetwork)
    check_export(to, prefix)
    task = integers.task
    split = split or (task.validation if task else None)
    network = for_target(integers, find_target(target)) if target else integers
    with threads(task.config.threads if task else None):
        (example,) = test_vectors(network, split, 1)[0] if split else random_vectors(network, 1)
        write_project(network, example, to, user_path(folder), prefix)
    return user_path(folder)


def export_and_report(
    settings: Settings, to: str, into: Path | None, prefix: str, target: str | None, report: Reporter
) -> Path:
    """Export the network of a run, and write its report, which links to the page for a browser."""
    check_export(to, prefix)
    folder = export_run(settings, to, into, prefix, target, report)
    write_report([settings.folder], settings.folder / REPORT)
    return folder
