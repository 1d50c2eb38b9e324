"""The plan of a campaign: which steps each part has, and what does them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cached_property

from attacks.attempt import attempt
from attacks.corpus import Corpus
from attacks.faults import Faults
from attacks.inputs import Inputs
from attacks.kills import Kills
from attacks.lines import Lines
from attacks.record import Record, Step
from attacks.worker import in_worker, measured

LINES = {"command line": 850, "command line, own process": 150}
SHORT_SHARE = {"inputs": 0.01, "lines": 0.03}
SHORT_KILLS = 2  # of each command


class Campaign:
    """A campaign.

    Args:
        record: Where outcomes go, and which are known.
        short: Whether it is the one of two minutes.
        share: Share of the full numbers.
        kind: Only kinds with this text in their names; None for all.
    """

    def __init__(self, record: Record, short: bool, share: float, kind: str | None) -> None:
        self.record, self.short, self.share, self.kind = record, short, share, kind
        self.corpus = Corpus(record.folder / "corpus")
        self.room = record.folder / "room"

    def run(self, part: str) -> None:
        """Do the steps of a part whose outcome is not known."""
        steps = [
            (kind, number)
            for kind, count in self.counts[part].items()
            if self.kind is None or self.kind in kind
            for number in sorted(set(range(count)) - self.record.done(kind))
        ]
        print(f"{part}: {len(steps):,} to do", flush=True)
        if part in ("inputs", "lines"):
            in_worker(self.record, steps, self.attacks[part], self._quietly)
        else:
            for kind, number in steps:
                self.record.add(self.attacks[part](kind, number))

    def again(self, kind: str, number: int) -> None:
        """Do one step in this process and show all that it prints; its input stays in the folder `room`."""
        part = next(part for part, counts in self.counts.items() if kind in counts)
        os.environ["ATTACK_SHOW"] = "1"
        if part == "inputs":
            self.inputs.set_up()
        print(measured(lambda: self.attacks[part](kind, number)).judged())

    @cached_property
    def inputs(self) -> Inputs:
        """Part a."""
        return Inputs(self.corpus, self.room / "inputs", self.record.random)

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many steps each kind has, by part."""
        full = {
            "inputs": {kind: count for kind, (count, _) in self.inputs.kinds.items()},
            "lines": LINES,
            "kills": self.kills.counts,
            "faults": self.faults.counts,
        }
        if self.short:
            return {
                **{p: {kind: math.ceil(n * SHORT_SHARE[p]) for kind, n in full[p].items()} for p in SHORT_SHARE},
                "kills": dict.fromkeys(full["kills"], 1),
                "faults": self.faults.short,
            }
        return {part: {kind: math.ceil(n * self.share) for kind, n in kinds.items()} for part, kinds in full.items()}

    @cached_property
    def attacks(self) -> dict[str, Callable[[str, int], Step]]:
        """Return what does a step, by part."""
        lines = Lines(self.corpus, self.room / "lines")
        return {
            "inputs": self._input,
            "lines": lambda kind, number: lines.attack(kind, number, self.record.random(kind, number)),
            "kills": lambda kind, number: self.kills.attack(kind, number, self.record.random(kind, number)),
            "faults": self.faults.attack,
        }

    @cached_property
    def kills(self) -> Kills:
        """Part c."""
        return Kills(self.corpus, self.room / "kills")

    @cached_property
    def faults(self) -> Faults:
        """Part d."""
        return Faults(self.corpus, self.room / "faults")

    def _input(self, kind: str, number: int) -> Step:
        found: list[object] = []
        step = attempt(kind, number, lambda: found.append(self.inputs.attack(kind, number)))
        if found and isinstance(found[0], Step):  # a command, which was judged already
            return Step(kind, number, found[0].outcome, found[0].where, found[0].message)
        return step

    def _quietly(self) -> None:
        """Set a process up whose messages nobody reads; what a codec prints goes to a file."""
        log = os.open(self.record.folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        self.inputs.set_up()
