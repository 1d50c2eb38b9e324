"""The command line."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

# isort: off
from spikenas.cli import run, genotypes, compare  # noqa: F401 (each adds its commands, in the order of --help)

# isort: on
from spikenas.cli.app import app
from spikenas.errors import SpikeNASError


def main() -> None:
    """Run the command line; exit status 0 done, 1 a bug, 2 wrong input or an impossible request, 130 interrupted."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"] or ["--help"]
    try:
        sys.exit(app(arguments, standalone_mode=False))
    except (SpikeNASError, TyperException, OSError) as error:
        if debug:
            raise
        typer.echo(f"spikenas: {_one_line(error)}", err=True)
        sys.exit(2)


def _one_line(error: SpikeNASError | TyperException | OSError) -> str:
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        return f"{error.format_message()} ('{context.command_path if context else 'spikenas'} --help' says more)"
    if isinstance(error, OSError):
        return f"{error.filename or 'files'}: {error.strerror or error}"
    return str(error)
