"""Part b: mutated command lines, most in this process, some in one of their own."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from typer.main import get_command

from attacks.attempt import Ended, command_line, fresh, judge_command
from attacks.corpus import NETWORK, QUICK, Corpus, spikenas
from attacks.mutate import NUMBERS, WORDS, mutate_text
from attacks.record import LONGEST_S, Step
from spikenas.cli import app

OPTIONS = (
    *sorted({flag for one in get_command(app).commands.values() for option in one.params for flag in option.opts}),
    *("--help", "--version", "--nonsense", "-x", "--"),
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
        out = self.room / "out"
        if kind == "command line":
            ended = command_line(arguments, out)
        else:
            arguments = [
                argument.replace("\0", "0").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
                for argument in arguments
            ]
            arguments = [argument[:100_000] for argument in arguments]
            try:
                done = spikenas(*arguments, timeout=2 * LONGEST_S, stdin=subprocess.DEVNULL, cwd=self.room)
                ended = Ended(done.returncode, done.stdout, done.stderr)
            except subprocess.TimeoutExpired:
                outcome = "worked" if out.exists() else "hang"  # a training may take long
                return Step(kind, number, outcome, message=" ".join(arguments)[:200])
        shown = " ".join(arguments)
        return judge_command(kind, number, ended, shown)

    def _line(self, rng: random.Random) -> list[str]:
        fresh(self.room)
        os.chdir(self.room)
        line = rng.choice(self._good_lines(rng))
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

    def _good_lines(self, rng: random.Random) -> list[list[str]]:
        run, data, out = str(self.corpus.run), self.corpus.data, str(self.room / "out")
        cell = "0-1:skip 0-2:conv3x3 1-3:skip 2-3:conv3x3"
        board, table = str(data / "board.toml"), str(data / "table.csv")
        work = [*NETWORK, *QUICK, "--epochs", "1"]
        search = [*NETWORK, *QUICK]
        return [
            ["estimate", cell, "--input", "3x32x32", "--classes", "10", "--channels", "16", "--timesteps", "4"],
            ["estimate", cell, "--target", "stm32f405", "--json"],
            ["show", cell, "--cells", "2", "--channels", "8"],
            ["score", cell, *NETWORK, *QUICK],
            ["targets"],
            ["targets", "--json"],
            ["report", run],
            ["predict", str(data / "pictures" / "a" / "0.png"), "--out", run, "--json"],
            ["predict", str(data / "pictures"), "--out", run],
            ["evaluate", "--out", run, "--quiet"],
            ["quantise", "--out", run, "--bits", "8", "--quiet"],
            ["deploy", "--out", run, "--target", "stm32f103", "--quiet"],
            ["train", "--out", run, "--epochs", "2", "--quiet"],
            ["run", *work, "--no-enhance", "--out", out, "--target", board],
            ["run", *work, "--out", out, "--flash", "24KiB", "--ram", "8KiB"],
            ["run", "--data", str(data / "pictures"), *QUICK, "--no-enhance", "--epochs", "1", "--out", out],
            ["run", "--data", f"events:{data / 'events'}", *QUICK, "--no-enhance", "--epochs", "1", "--out", out],
            ["search", *search, "--strategy", "random", "--evaluations", "3", "--out", out],
            ["search", "--data", f"idx:{data / 'idx'}", *QUICK, "--score", "convs", "--front", "ram", "--out", out],
            ["enhance", *search, "--seeds", "5", "--draws", "2", "--out", out],
            ["enhance", *search, "--analysis", str(self.corpus.folder / "analyze"), "--out", out],
            [
                "analyze",
                *search,
                "--ops",
                "skip,conv3x3",
                "--by",
                "convs",
                "--seeds",
                "5",
                "--draws",
                "2",
                "--out",
                out,
            ],
            [
                "compare",
                *search,
                "--table",
                table,
                "--by",
                "convs,test",
                "--strategies",
                "random",
                "--evaluations",
                "2",
                "--out",
                out,
            ],
            ["run", str(self.corpus.run / "config.toml"), "--out", out, "--quiet"],
        ]
