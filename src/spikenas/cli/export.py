"""The command that exports a run's network to a build system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikenas._util.run_files import EXPORT
from spikenas.cli import options as opt
from spikenas.cli.app import messages, progress
from spikenas.cli.options import Given, command
from spikenas.config import PROJECTS
from spikenas.pipeline.settings import Settings
from spikenas.pipeline.stages import STAGES, require_input, require_run


@command(opt.DATASET, opt.SKIP_BROKEN, opt.QUIET)
def export(
    given: Given,
    out: Annotated[Path, typer.Option("--out", help="Run folder.")],
    to: Annotated[str, typer.Option("--to", help=f"What for: {', '.join(PROJECTS)}.", metavar="KIND")],
    into: Annotated[
        Path | None, typer.Option(help=f"The folder; {EXPORT}/KIND in the run when absent.", show_default=False)
    ] = None,
    prefix: Annotated[str, typer.Option(help="What names in C begin with.")] = "snn",
    target: Annotated[
        str | None, typer.Option(help="Device; that of the budget when absent: spikenas targets.", show_default=False)
    ] = None,
) -> None:
    """Write a finished run's network as a library for a build system, a module of Python, or a page for a browser."""
    require_run(out)
    require_input(STAGES["deploy"], out)
    settings = Settings.of(out, None, given.words, given.sources)

    from spikenas.interface.exporting import export_and_report

    with progress(given.quiet, settings.folder) as report:
        folder = export_and_report(settings, to, into, prefix, target, report)
    if not given.quiet:
        messages.print(f"exported to {folder}; its README.md says how to go on", soft_wrap=True)
