"""The process of the command line: its standard streams and its signals, before anything else is imported."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

_children: set[subprocess.Popen[str]] = set()
_SHOW_CURSOR = b"\x1b[?25h"
_SAID = {signal.SIGINT: b"interrupted", signal.SIGTERM: b"terminated"}


def set_up() -> None:
    """Let Ctrl-C and SIGTERM end the process in one line, and make its streams safe to write to."""
    _open_streams()
    for number in _SAID:
        if signal.getsignal(number) is not signal.SIG_IGN:  # of a job in the background
            signal.signal(number, leave)


def leave(number: int, frame: FrameType | None = None) -> None:
    """End the process at once, whatever it is doing; 130 after Ctrl-C, 143 after SIGTERM.

    Files are written whole or not at all, workers end with their parent and tools are killed, so that nothing is left.
    """
    for child in tuple(_children):
        child.kill()
    cursor = _SHOW_CURSOR if os.isatty(2) else b""
    try:
        os.write(2, cursor + b"spikenas: " + _SAID[signal.Signals(number)] + b"\n")
    finally:
        os._exit(128 + number)


def run_tool(
    command: Sequence[str], folder: Path | None = None, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run another program, such as a compiler, to its end; it does not outlive this process when that is ended.

    Args:
        command: Its name and arguments.
        folder: Where it runs.
        timeout_s: Seconds after which it is killed.
    Raises:
        FileNotFoundError: There is no such program.
        subprocess.TimeoutExpired: It took longer.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        _children.add(child)
        try:
            said, wrong = child.communicate(timeout=timeout_s)
        except BaseException:
            child.kill()
            raise
        finally:
            _children.discard(child)
    return subprocess.CompletedProcess(command, child.returncode, said, wrong)


def drop_output(descriptor: int = 1) -> None:
    """Let what is written to a stream go nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


class PipeClosedError(Exception):
    """Nobody reads standard output any more; no OSError, which libraries would answer in their own ways."""


class _Output(io.FileIO):
    """Standard output: what cannot be written is an error that says so, of a pipe that is closed a PipeClosedError."""

    def write(self, data: object) -> int:
        try:
            return super().write(data) or 0  # type: ignore[arg-type]
        except BrokenPipeError:
            drop_output()
            raise PipeClosedError from None
        except OSError as error:
            drop_output()
            raise OSError(error.errno, error.strerror, "standard output") from None


class _Messages(io.FileIO):
    """Standard error: messages that nobody reads any more are lost, and the work goes on."""

    def write(self, data: object) -> int:
        try:
            return super().write(data) or 0  # type: ignore[arg-type]
        except OSError:
            drop_output(2)
            return len(data)  # type: ignore[arg-type]


def _open_streams() -> None:
    for descriptor in range(3):
        _hold(descriptor)
    encodings = [stream.encoding if stream else "utf-8" for stream in (sys.stdout, sys.stderr)]
    for descriptor, kind, name, encoding in zip(
        (1, 2), (_Output, _Messages), ("stdout", "stderr"), encodings, strict=True
    ):
        raw = kind(descriptor, "wb", closefd=False)
        lines = descriptor == 2 or os.isatty(descriptor)
        text = io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=lines)
        setattr(sys, name, text)


def _hold(descriptor: int) -> None:
    """Open a stream that is closed, for no file to get its number: standard output so that writing to it fails."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_RDONLY if descriptor < 2 else os.O_WRONLY)  # the lowest number is free
        os.set_inheritable(opened, True)
