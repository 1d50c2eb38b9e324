"""The command that writes a report of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikenas import options as opt
from spikenas.cli.app import app, messages
from spikenas.errors import ConfigError

_REPORT = "report.html"


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, side by side on one page.")],
    out: Annotated[
        Path | None, typer.Option(help=f"The page; {_REPORT} in the run, or here when absent.", show_default=False)
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Write report.html: what was found and how, on one page without a network, also of a run that is going on."""
    if missing := [str(folder) for folder in runs if not folder.is_dir()]:
        raise ConfigError(f"{missing[0]}: no such folder; 'spikenas run' makes a run folder")
    path = out or (runs[0] / _REPORT if len(runs) == 1 else Path(_REPORT))
    from spikenas.report import write_report

    write_report(runs, path)
    if not quiet:
        messages.print(f"the report is {path}", markup=False, highlight=False, soft_wrap=True)
