"""Part b: mutated command lines, most in this process, some in one of their own."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

from typer.main import get_command

from attacks.attempt import command_line, fresh, judge_command
from attacks.corpus import NETWORK, QUICK, Corpus
from attacks.mutate import NUMBERS, WORDS, mutate_text
from attacks.processes import watched
from attacks.record import Step
from attacks.worker import TimeUp, place_of
from spikenas.cli import app

OPTIONS = (
    *sorted({flag for one in get_command(app).commands.values() for option in one.params for flag in option.opts}),
    *("--help", "--version", "--nonsense", "-x", "--"),
)
CELL = "0-1:skip 0-2:conv3x3 1-3:skip 2-3:conv3x3"
SEARCH = (*NETWORK, *QUICK)
WORK = (*SEARCH, "--epochs", "1")
COMPARED = ("--table", "data/table.csv", "--by", "convs,test", "--strategies", "random")
LINES: tuple[list[str], ...] = (
    ["estimate", CELL, "--input", "3x32x32", "--classes", "10", "--channels", "16", "--timesteps", "4"],
    ["estimate", CELL, "--target", "stm32f405", "--json"],
    ["show", CELL, "--cells", "2", "--channels", "8"],
    ["score", CELL, *NETWORK, *QUICK],
    ["targets"],
    ["targets", "--json"],
    ["report", "run"],
    ["predict", "data/pictures/a/0.png", "--out", "run", "--json"],
    ["predict", "data/pictures", "--out", "run"],
    ["evaluate", "--out", "run", "--quiet"],
    ["quantise", "--out", "run", "--bits", "8", "--quiet"],
    ["deploy", "--out", "run", "--target", "stm32f103", "--quiet"],
    ["export", "--out", "run", "--to", "cmake", "--prefix", "digits", "--into", "exported", "--quiet"],
    ["export", "--out", "run", "--to", "python", "--quiet"],
    ["train", "--out", "run", "--epochs", "2", "--quiet"],
    ["run", *WORK, "--no-enhance", "--out", "out", "--target", "data/board.toml"],
    ["run", *WORK, "--out", "out", "--flash", "24KiB", "--ram", "8KiB"],
    ["run", "--data", "data/pictures", *QUICK, "--no-enhance", "--epochs", "1", "--out", "out"],
    ["run", "--data", "events:data/events", *QUICK, "--no-enhance", "--epochs", "1", "--out", "out"],
    ["search", *SEARCH, "--strategy", "random", "--evaluations", "3", "--out", "out"],
    ["search", "--data", "idx:data/idx", *QUICK, "--score", "convs", "--front", "ram", "--out", "out"],
    ["enhance", *SEARCH, "--seeds", "5", "--draws", "2", "--out", "out"],
    ["enhance", *SEARCH, "--analysis", "analyze", "--out", "out"],
    ["analyze", *SEARCH, *["--ops", "skip,conv3x3", "--by", "convs", "--seeds", "5", "--draws", "2", "--out", "out"]],
    ["compare", *SEARCH, *COMPARED, "--evaluations", "2", "--out", "out"],
    ["run", "run/config.toml", "--out", "out", "--quiet"],
)


class Lines:
    """The attacks of part b.

    Args:
        corpus: What they begin from.
        room: Folder in which they work.
    """

    def __init__(self, corpus: Corpus, room: Path) -> None:
        self.corpus, self.room = corpus, room

    def attack(self, kind: str, number: int, rng: random.Random) -> Step:
        """Do one: `command line` in this process, `process` in one of its own."""
        os.environ["COLUMNS"] = str(rng.choice((80, 120, 20)))
        arguments = self._line(rng)
        if kind == "command line":
            try:
                ended = command_line(arguments, self._at_work)
            except TimeUp as error:
                return Step(kind, number, "hang", place_of(error), " ".join(arguments)[:300])
        else:
            arguments = [
                argument.replace("\0", "0").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
                for argument in arguments
            ]
            arguments = [argument[:100_000] for argument in arguments]
            done = watched(arguments, cwd=self.room)
            if self._at_work() and done.seconds > done.limit_s:  # a search or a training may take long
                return Step(kind, number, message=" ".join(arguments)[:200])
            return replace(done.judged(), kind=kind, number=number)
        shown = " ".join(arguments)
        return judge_command(kind, number, ended, shown)

    def _at_work(self) -> bool:
        """Say whether a command has opened a folder to work in."""
        return any(self.room.rglob(".lock"))

    def _line(self, rng: random.Random) -> list[str]:
        fresh(self.room)
        shutil.copytree(self.corpus.run, self.room / "run", ignore=shutil.ignore_patterns(".lock"))
        for name in ("data", "analyze"):
            (self.room / name).symlink_to(self.corpus.folder / name)
        os.chdir(self.room)
        os.environ["HOME"] = str(self.room)
        line = list(rng.choice(LINES))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(1, len(line) + 1) if len(line) > 1 else 1
            match rng.randrange(7):
                case 0 | 1:
                    line[at - 1] = mutate_text(line[at - 1], rng) if at > 1 else line[0]
                case 2:
                    line[at - 1 : at] = [rng.choice((*NUMBERS, *WORDS))] if at > 1 else [line[0]]
                case 3:
                    line[at:at] = [rng.choice(OPTIONS)]
                case 4 | 5:
                    line += [rng.choice(OPTIONS), rng.choice((*NUMBERS, *WORDS))]
                case 6:
                    del line[at : at + 1]
        return line
