"""One attempt: what became of a call, or of a command line in this process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from attacks.record import LONGEST_S, Step
from attacks.worker import Timer, TimeUp, place_of, time_limit
from spikenas import SpikeNASError
from spikenas.cli import main

STATUSES = (0, 2, 130)


class WrongError(Exception):
    """A call worked, and its result is not what it has to be."""


class Ended(NamedTuple):
    """How a command line ended.

    Attributes:
        status: Exit status; 1 where it was an exception.
        out: Standard output.
        err: Standard error.
        place: Innermost line of the package, where it was an exception.
    """

    status: int
    out: str
    err: str
    place: str = ""


def attempt(kind: str, number: int, work: Callable[[], object]) -> Step:
    """Call a function that may return or raise a SpikeNASError of one line, and nothing else."""
    try:
        with time_limit():
            work()
    except SpikeNASError as error:
        if fault := fault_of_line(str(error)):
            return Step(kind, number, "traceback", f"{place_of(error)}, {fault}", repr(str(error))[:300])
        return Step(kind, number, "clean error", message=str(error)[:200])
    except WrongError as error:
        return Step(kind, number, "wrong result", "", str(error)[:300])
    except TimeUp as error:
        return Step(kind, number, "hang", place_of(error))
    except BaseException as error:
        if os.environ.get("ATTACK_SHOW"):
            traceback.print_exc()
        return Step(kind, number, "traceback", f"{place_of(error)}, {type(error).__name__}", said(error))
    return Step(kind, number)


def said(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return f"{type(error).__name__}: {repr(str(error))[1:200]}"


def fault_of_line(text: str) -> str:
    """Say why a message is not one line that can be printed; nothing where it is."""
    if not text.strip():
        return "an empty message"
    if any((character < " " and character != "\t") or character in "\x7f\x85\u2028\u2029" for character in text):
        return "a message of more than one line, or with control characters"
    return ""


def command_line(arguments: list[str], at_work: Callable[[], bool] | None = None) -> Ended:
    """Run the command line in this process.

    Args:
        arguments: What stands behind `spikenas`.
        at_work: Says whether the command has begun what may take long: then it is interrupted with Ctrl-C, twice,
            instead of counted as a hang.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True) for _ in range(2))
    before = sys.argv
    sys.argv = ["spikenas", *arguments]
    status, place = 1, ""
    try:
        with _interrupting(at_work), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        place = "no exit"
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except TimeUp:
        raise
    except BaseException as error:
        if os.environ.get("ATTACK_SHOW"):
            traceback.print_exc()
        place = f"{place_of(error)}, {type(error).__name__}"
        err.write(f"Traceback: {said(error)}\n".encode(errors="replace").decode())
    finally:
        sys.argv = before
    texts = [stream.buffer.getvalue().decode(errors="replace") for stream in (out, err)]  # type: ignore[attr-defined]
    return Ended(status, *texts, place)


def _interrupting(at_work: Callable[[], bool] | None) -> Timer:
    """Send SIGINT after a while where a command is at work, and again; else, and at last, raise TimeUp."""

    def remind(calls: int) -> None:
        if at_work is None or calls > 2 or not at_work():
            raise TimeUp
        os.kill(os.getpid(), signal.SIGINT)

    return Timer(LONGEST_S if at_work is None else LONGEST_S / 2, LONGEST_S / 4, remind)


def judge_command(kind: str, number: int, ended: Ended, shown: str) -> Step:
    """Say what became of a command line."""
    messages = [line for line in ended.err.splitlines() if line.startswith("spikenas: ")]
    if "Traceback" in ended.err or ended.status not in STATUSES:
        last = ended.err.strip().splitlines()[-1:] or [""]
        place = ended.place or last[0].partition(":")[0][:60]
        return Step(kind, number, "traceback", f"{place}, status {ended.status}", f"{shown[:200]}: {last[0][:200]}")
    if ended.status and len(messages) != 1:
        return Step(
            kind, number, "traceback", f"{len(messages)} lines of error", f"{shown[:200]}: {ended.err[-200:]!r}"
        )
    if ended.status and (fault := fault_of_line(messages[0])):
        return Step(kind, number, "traceback", fault, f"{shown[:200]}: {messages[0]!r}")
    if ended.status == 2 and not ended.err.rstrip("\n").endswith(messages[0]):
        return Step(kind, number, "traceback", "an error of two lines", f"{shown[:200]}: {ended.err[-200:]!r}")
    outcome = "clean error" if ended.status == 2 else "worked"
    return Step(kind, number, outcome, message=f"{shown[:100]}: {(messages or [''])[0][:200]}")


def fresh(folder: Path, source: Path | None = None) -> Path:
    """Return an empty folder of a name, or a copy of another one."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    if source:
        shutil.copytree(source, folder, symlinks=True)
    else:
        folder.mkdir(parents=True)
    return folder
