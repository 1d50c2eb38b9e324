"""Exports the network of a finished run as a project for a build system."""

from __future__ import annotations

from pathlib import Path

from spikenas._util.progress import Reporter
from spikenas._util.run_files import EXPORT, QUANTISED
from spikenas._util.threads import threads
from spikenas.deployment import export, for_target, test_vectors
from spikenas.integers import IntegerNetwork
from spikenas.pipeline.data_of_run import open_task, record_data
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import Settings
from spikenas.pipeline.stages import STAGES, State, device_folder, require_input, require_integers
from spikenas.records import footprint_file
from spikenas.targets import find_target


def export_run(
    settings: Settings, kind: str, into: Path | None, prefix: str, target: str | None, report: Reporter
) -> Path:
    """Write a project with the C of a run's integers, and a validation item as its example.

    Args:
        settings: What the run is made with, and its folder.
        kind: See `deployment.export`.
        into: The folder; None is one in the run folder that is called by the kind.
        prefix: What the names in C begin with.
        target: The device that the code is for; None is that of the run, or its core.
        report: Shows the progress.
    Returns:
        The folder.
    Raises:
        DeployError: See `deployment.export`.
        RunError: There are no integers, or those of other settings.
    """
    folder, config = settings.folder, settings.config
    require_input(STAGES["deploy"], folder)
    state = State(folder, config)
    require_integers(state)
    device = find_target(target) if target else None
    place = into or folder / EXPORT / kind
    with threads(config.threads), report.task("export") as progress:
        progress(0, 1, kind)
        task = open_task(folder, config)
        with RunFolder(folder) as run:
            record_data(run, task, report)
            network = IntegerNetwork.load(run / QUANTISED)
        network = for_target(network, device) if device else network
        (example,), _ = test_vectors(network, task.validation, 1)
        name = device_folder(target) if target else state.measured_as
        measured = footprint_file(name).find(folder) if name in state.current_firmware else None
        export(network, example, kind, place, prefix, measured, state.integers or "")
        progress(1, 1, kind)
    return place
