"""Part d: faults of the machine: full disks, missing rights, files that are none, bombs, limits of the system."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from attacks import bombs
from attacks.attempt import fresh
from attacks.corpus import COMMANDS, QUICK, Corpus
from attacks.inputs import RUN_FILES
from attacks.kills import LONGEST_RUN_S, differences
from attacks.processes import Done, watched
from attacks.record import Step

NOBODY = 65534
DISK_KIB = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
OTHER_FILES = (
    "fifo",
    "folder",
    "link to nowhere",
    "link to itself",
    "link to /dev/zero",
    "link to /dev/full",
    "socket",
    "unreadable",
    "empty",
)
READERS = ("report", "evaluate", "run")
PREDICTED = ("config.toml", "model.safetensors", "quantised.safetensors")  # what a prediction reads too
FILES = (
    *RUN_FILES,
    "model.safetensors",
    "checkpoint.safetensors",
    "quantised.safetensors",
    "network.nir",
    "report.html",
    ".lock",
)


class Faults:
    """The attacks of part d. A kind is a list of cases; the number of a step is a position in it.

    Args:
        corpus: What they begin from.
        room: Folder in which they work.
    """

    def __init__(self, corpus: Corpus, room: Path) -> None:
        self.corpus, self.room = corpus, room

    @cached_property
    def cases(self) -> dict[str, tuple[list[tuple[Any, ...]], Callable[..., Step]]]:
        """Return the cases of each kind, and the function that does one."""
        root = os.geteuid() == 0
        disks = [(command, size) for size in DISK_KIB for command in COMMANDS] if root else []
        rights = [(what,) for what in ("out", "data", "picture", "config", "run", "run file", "home")] if root else []
        return {
            "full disk": (disks, self._disk),
            "limit of file size": ([(c, size) for size in DISK_KIB[::3] for c in COMMANDS], self._file_size),
            "no rights": (rights, self._rights),
            "no file among the data": (
                [(what, skip) for what in OTHER_FILES for skip in (False, True)],
                self._among_data,
            ),
            "no file in the run": ([(what, name) for what in OTHER_FILES[:-1] for name in FILES], self._in_run),
            "bomb": ([(name,) for name in bombs.BOMBS], self._bomb),
            "limit of open files": (
                [(count, c) for count in (16, 24, 32, 48, 64, 128) for c in COMMANDS],
                self._open_files,
            ),
            "closed stream": (
                [
                    (how, c)
                    for how in ("<&-", ">&-", "2>&-", ">/dev/full", "2>/dev/full", "| head -c 1", "| true")
                    for c in ("targets", "report", "run", "--help")
                ],
                self._stream,
            ),
        }

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of cases of each kind."""
        return {kind: len(cases) for kind, (cases, _) in self.cases.items()}

    @property
    def short(self) -> dict[str, int]:
        """Return how many of each kind the campaign of two minutes has."""
        return {kind: min(count, 2) for kind, count in self.counts.items()}

    def attack(self, kind: str, number: int) -> Step:
        """Do one; the order of a kind's cases is shuffled, so that the first are a sample."""
        cases, work = self.cases[kind]
        case = random.Random(kind).sample(cases, len(cases))[number]
        disk = self.room / "disk"
        if disk.is_mount():  # of a campaign that was killed
            subprocess.run(["umount", "-l", str(disk)], check=True)
        fresh(self.room)
        step = work(*case)
        return Step(
            kind,
            number,
            step.outcome,
            step.where,
            f"{', '.join(map(str, case))}: {step.message}",
            step.seconds,
            step.peak_bytes,
        )

    def _disk(self, command: str, size_kib: int) -> Step:
        """The disk is full, says so, is made larger, and the same command ends as on a large one."""
        disk = self.room / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(disk)], check=True)
        try:
            said = watched([*COMMANDS[command], "--out", str(disk / "out")], limit_s=LONGEST_RUN_S)
            if (step := said.judged()).outcome not in ("clean error", "worked"):
                return step
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            return self._goes_on(command, disk / "out", said)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)

    def _goes_on(self, command: str, folder: Path, before: Done) -> Step:
        again = (
            watched([*COMMANDS[command], "--out", str(folder)], limit_s=LONGEST_RUN_S)
            if before.ended.status
            else before
        )
        if again.ended.status:
            return Step("", 0, "traceback", "does not go on", f"after {before.last!r}: {again.last!r}")
        if unequal := differences(folder, self.corpus.folder / command):
            return Step("", 0, "wrong result", ", ".join(unequal[:5]), f"after {before.last!r}")
        return before.judged()

    def _file_size(self, command: str, size_kib: int) -> Step:
        folder = self.room / "out"
        said = watched(
            [*COMMANDS[command], "--out", str(folder)], limit_s=LONGEST_RUN_S, limits={"fsize": size_kib * 1024}
        )
        step = said.judged()
        return step if step.outcome not in ("clean error", "worked") else self._goes_on(command, folder, said)

    def _open_files(self, count: int, command: str) -> Step:
        return watched(
            [*COMMANDS[command], "--out", str(self.room / "out")], limits={"nofile": count}, limit_s=LONGEST_RUN_S
        ).judged()

    def _rights(self, what: str) -> Step:
        """A user without rights runs the command on a copy that is theirs, but for one file or folder."""
        data, run, out = self.room / "data", self.room / "run", self.room / "out"
        shutil.copytree(self.corpus.data / "pictures", data)
        shutil.copytree(self.corpus.run, run)
        out.mkdir()
        for path in (self.room, *self.room.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        closed = {
            "out": out,
            "data": data / "a",
            "picture": data / "a" / "0.png",
            "run": run,
            "run file": run / "best.json",
            "config": run / "config.toml",
        }
        if what in closed:
            os.chown(closed[what], 0, 0)
            os.chmod(closed[what], 0o555 if what in ("out", "run") else 0o000)
        arguments = (
            ["evaluate", "--out", str(run), "--quiet"]
            if what.startswith(("run", "config"))
            else ["run", "--data", str(data), *QUICK, "--no-enhance", "--epochs", "1", "--out", str(out / "r")]
        )
        try:
            return watched(arguments, user=NOBODY, limit_s=LONGEST_RUN_S).judged()
        finally:
            for path in closed.values():
                os.chmod(path, 0o755)

    def _among_data(self, what: str, skip: bool) -> Step:
        data = fresh(self.room / "data", self.corpus.data / "pictures")
        with _other_file(data / "a" / "0.png", what):
            skipping = ["--skip-broken"] if skip else []
            return watched(
                [
                    "search",
                    "--data",
                    str(data),
                    *QUICK,
                    *skipping,
                    "--strategy",
                    "random",
                    "--evaluations",
                    "1",
                    "--out",
                    str(self.room / "out"),
                ],
                limit_s=60,
            ).judged()

    def _in_run(self, what: str, name: str) -> Step:
        run = fresh(self.room / "run", self.corpus.run)
        readers = (*READERS, "predict") if name in PREDICTED else READERS
        reader = random.Random(f"{what} {name}").choice(readers)
        arguments = {
            "report": ["report", str(run)],
            "predict": ["predict", str(self.corpus.data / "pictures" / "a" / "0.png"), "--out", str(run)],
        }.get(reader, [reader, "--out", str(run), "--quiet"])
        with _other_file(run / name, what):
            return watched(arguments).judged()

    def _bomb(self, name: str) -> Step:
        arguments = bombs.BOMBS[name](self.room, self.corpus)
        return watched(arguments, limit_s=60).judged()

    def _stream(self, how: str, command: str) -> Step:
        arguments = {
            "report": ["report", str(fresh(self.room / "run", self.corpus.run))],
            "run": ["run", "--out", str(fresh(self.room / "run", self.corpus.run))],
        }.get(command, [command])
        return watched(arguments, shell=how, limit_s=60).judged()


@contextlib.contextmanager
def _other_file(path: Path, what: str) -> Iterator[None]:
    """Put something that is no regular file in the place of a file."""
    kept = None
    if what == "unreadable":
        os.chmod(path, 0)
    else:
        path.unlink()
    match what:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link to nowhere":
            path.symlink_to(path.parent / "nowhere")
        case "link to itself":
            path.symlink_to(path)
        case "link to /dev/zero" | "link to /dev/full":
            path.symlink_to(what.rpartition(" ")[2])
        case "socket":
            kept = socket.socket(socket.AF_UNIX)
            before = os.getcwd()
            os.chdir(path.parent)  # such a name may have 107 bytes
            kept.bind(path.name)
            os.chdir(before)
        case "empty":
            path.touch()
    try:
        yield
    finally:
        if kept:
            kept.close()
