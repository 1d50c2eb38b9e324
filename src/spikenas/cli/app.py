"""The application that the commands are added to, and what they share."""

from __future__ import annotations

import csv
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from spikenas._util.console import PlainConsole
from spikenas._util.errors import SpikeNASError
from spikenas._util.files import ESCAPED
from spikenas._util.progress import Reporter
from spikenas._util.provenance import machine, versions
from spikenas._util.showing import one_line

app = typer.Typer(
    name="spikenas",
    help="Find a spiking neural network that fits the memory of a device, without training the candidates.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
messages = PlainConsole(stderr=True)


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
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # a job in the background, which Ctrl-C is not meant for
        yield lambda: False
        return
    seen = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, remember)
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
        except (KeyboardInterrupt, SpikeNASError) as error:
            if isinstance(error, SpikeNASError) and not interrupted():  # else of a program that Ctrl-C ended too
                raise
            said = f"; the same command goes on from {folder}" if folder else ""
            typer.echo(f"spikenas: interrupted{said}", err=True)
            raise typer.Exit(130) from None


def log_messages(quiet: bool) -> None:
    """Show the library's messages on standard error."""
    logger = logging.getLogger("spikenas")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    handler = _Printing()
    handler.setFormatter(_OneLine())
    logger.handlers = [handler]


class _Printing(logging.Handler):
    """Prints messages beside the progress."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        messages.print(self.format(record))


class _OneLine(logging.Formatter):
    """Makes a message one line, whatever names are in it."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


@contextmanager
def warnings_as_messages() -> Iterator[None]:
    """Show the warnings of libraries among the messages, a line each."""

    def show(message: Warning | str, category: type[Warning], filename: str, *place: Any, **more: Any) -> None:
        logging.getLogger("spikenas").info("%s: %s", Path(filename).stem, str(message).strip().partition("\n")[0])

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def write_csv(out: Path | None, header: tuple[str, ...], rows: Any) -> None:
    """Write rows as they come, to a file or to standard output."""
    if out is None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return
    with out.open("w", encoding="utf-8", errors=ESCAPED, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            file.flush()
