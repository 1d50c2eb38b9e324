"""The application that the commands are added to, and what they share."""

from __future__ import annotations

import csv
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from spikenas._util.progress import Reporter
from spikenas._util.provenance import machine, versions

app = typer.Typer(
    name="spikenas",
    help="Find a spiking neural network that fits the memory of a device, without training the candidates.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
messages = Console(stderr=True)


def _version(wanted: bool) -> None:
    if wanted:
        found, computer = versions(), machine()
        typer.echo("\n".join(f"{name} {number}" for name, number in found.items()))
        typer.echo(f"{computer['system']}, {computer['cpu']}, {computer['cores']} cores")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the versions that matter.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None: ...


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Remember the first Ctrl-C, for the work to stop after its step; a second one stops it at once.

    Python drops a KeyboardInterrupt that arises while an object is finalised, which is often.
    """
    seen = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: seen
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress(quiet: bool, folder: Path | None = None) -> Iterator[Reporter]:
    """Show the progress of work and the library's messages; after Ctrl-C, which stops it after its step, exit with 130.

    Args:
        quiet: Whether nothing is shown.
        folder: Where the same command goes on, for the message after Ctrl-C.
    """
    log_messages(quiet)
    with interruptible() as interrupted:
        try:
            yield Reporter(None if quiet else messages, interrupted)
        except KeyboardInterrupt:
            said = f"; the same command goes on from {folder}" if folder else ""
            typer.echo(f"spikenas: interrupted{said}", err=True)
            raise typer.Exit(130) from None


def log_messages(quiet: bool) -> None:
    """Show the library's messages on standard error."""
    logger = logging.getLogger("spikenas")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.handlers = [RichHandler(console=messages, show_time=False, show_level=False, show_path=False)]


def write_csv(out: Path | None, header: tuple[str, ...], rows: Any) -> None:
    """Write rows as they come, to a file or to standard output."""
    if out is None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            file.flush()
