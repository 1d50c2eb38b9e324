"""A command in a process of its own, whose time and memory are watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from attacks.attempt import Ended, judge_command
from attacks.record import LARGEST_BYTES, Step
from attacks.worker import waited

START_S = 15.0  # 10 s, and what a process takes to begin


class Done:
    """What became of a command in a process of its own."""

    def __init__(self, ended: Ended, shown: str, seconds: float, peak_bytes: int, limit_s: float) -> None:
        self.ended, self.shown, self.seconds, self.peak_bytes, self.limit_s = ended, shown, seconds, peak_bytes, limit_s

    @property
    def last(self) -> str:
        """Last line of its standard error."""
        lines = self.ended.err.strip().splitlines()
        return lines[-1][:200] if lines else ""

    def judged(self) -> Step:
        """Say what became of it; kind and number are the caller's."""
        if self.seconds > self.limit_s:
            return Step("", 0, "hang", "", f"more than {self.limit_s:.0f} s: {self.shown}")
        if self.peak_bytes > LARGEST_BYTES:
            return Step("", 0, "memory", "", f"{self.peak_bytes / 2**30:.1f} GiB: {self.shown}")
        return judge_command("", 0, self.ended, self.shown)


def watched(
    arguments: Sequence[str],
    limit_s: float = START_S,
    user: int | None = None,
    limits: dict[str, int] | None = None,
    shell: str = "",
    cwd: Path | None = None,
) -> Done:
    """Run a command in a process of its own, and take its time and its peak of memory."""
    command = [sys.executable, "-m", "spikenas", *arguments]
    for name, value in (limits or {}).items():
        command = ["prlimit", f"--{name}={value}", *command]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    if shell:
        command = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *command]
    environment = os.environ | ({"HOME": "/nonexistent"} if user is not None else {})
    began, idle = time.perf_counter(), 0.0
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        cwd=cwd,
        start_new_session=True,
    )
    peak = 0
    while True:
        try:
            out, err = process.communicate(timeout=0.1)
            break
        except subprocess.TimeoutExpired:
            peak, idle = max(peak, _peak(process.pid)), max(idle, waited(process.pid))
            if time.perf_counter() - began - idle > limit_s or peak > 2 * LARGEST_BYTES:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                break
    status = process.returncode
    if "|" in shell and status == 141:  # of a writer whose reader has left, by the shell's account
        status = 0
    return Done(Ended(status, out, err), " ".join(arguments)[:200], time.perf_counter() - began - idle, peak, limit_s)


def _peak(process: int) -> int:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0
