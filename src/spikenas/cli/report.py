"""The command that writes a report of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikenas._util.errors import ConfigError
from spikenas._util.run_files import REPORT
from spikenas.cli import options as opt
from spikenas.cli.app import messages
from spikenas.cli.options import Given, command


@command(opt.QUIET)
def report(
    given: Given,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, side by side on one page.")],
    out: Annotated[
        Path | None, typer.Option(help=f"The page; {REPORT} in the run, or here when absent.", show_default=False)
    ] = None,
) -> None:
    """Write report.html: what was found and how, on one page without a network, also of a run that is going on."""
    if missing := [str(folder) for folder in runs if not folder.is_dir()]:
        raise ConfigError(f"{missing[0]}: no such folder; 'spikenas run' makes a run folder")
    path = out or (runs[0] / REPORT if len(runs) == 1 else Path(REPORT))
    from spikenas.reporting import write_report

    write_report(runs, path)
    if not given.quiet:
        messages.print(f"the report is {path}", soft_wrap=True)
