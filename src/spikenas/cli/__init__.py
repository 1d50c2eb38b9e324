"""The command line."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException

# isort: off
from spikenas.cli import run, export, predict, report, analyze, genotypes, compare  # noqa: F401 (each adds its commands, in the order of --help)

# isort: on
from spikenas._util.errors import ConfigError, SpikeNASError
from spikenas._util.explain import explain
from spikenas._util.files import reason
from spikenas._util.process import PipeClosedError
from spikenas._util.showing import one_line
from spikenas.cli.app import app, warnings_as_messages


def main() -> None:
    """Run the command line; exit status 0 done, 1 a bug, 2 wrong input or an impossible request, 130 interrupted."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"] or ["--help"]
    try:
        _refuse_empty(arguments)
        with warnings_as_messages():
            status = app(arguments, standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status)
    except PipeClosedError:  # whoever reads has had enough, and what is printed comes after the work
        sys.exit(0)
    except (SpikeNASError, TyperException, OSError) as error:
        if debug:
            raise
        typer.echo(f"spikenas: {one_line(_said(error))}", err=True)
        sys.exit(2)


def _refuse_empty(arguments: list[str]) -> None:
    """An empty value is no choice of the default: it is a variable of the shell that was never set."""
    for before, argument in pairwise(["spikenas", *arguments]):
        if re.fullmatch(r"(--[a-z-]+=)?", argument):
            name = argument.rstrip("=") or before
            raise ConfigError(f"{name} '': an empty text; give a value, or leave it out")


def _said(error: SpikeNASError | TyperException | OSError) -> str:
    if isinstance(error, TyperException):
        if isinstance(error.__cause__, ValidationError):
            error.message = explain(error.__cause__)
        context = getattr(error, "ctx", None)
        return f"{error.format_message()} ('{context.command_path if context else 'spikenas'} --help' says more)"
    if isinstance(error, OSError):
        return f"{error.filename or 'files'}: {reason(error)}"
    return str(error)
