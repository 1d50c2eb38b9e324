"""A race of designs by short trainings: what race.json does not tell yet is trained, and told there."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spikenas._util.cores import usable_cores
from spikenas._util.errors import NothingFoundError, RunError
from spikenas._util.progress import Reporter
from spikenas._util.run_files import MODEL, RACE, RACED
from spikenas._util.units import format_duration
from spikenas.config import Config, ExecutorConfig
from spikenas.integers import make_integers
from spikenas.nas.executors import Executor, InProcess, open_executor
from spikenas.nas.halving import Rung, length_of, race
from spikenas.pipeline.outlook import Outlook, expected
from spikenas.records import RACE_FILE, RaceRecord, TrainedRecord
from spikenas.space import Design
from spikenas.task import Task
from spikenas.training.checkpoint import load_model
from spikenas.training.entrants import Entrant, EntrantTrainer, entrant_trainer

FEW_SECONDS = 90.0  # of a race that is over before other processes have done much

_log = logging.getLogger(__name__)


def entrant_folder(entrant: int) -> str:
    """Return the folder of a training in a run, by the number of the design."""
    return f"{RACE}/{entrant:03d}"


def executor_of(config: Config) -> ExecutorConfig:
    """Return where the designs of a race are trained: as the configuration says, else on a core each.

    On another device than the CPU, or where there is little time, it is this process.
    """
    short = config.search_seconds is not None and config.search_seconds < FEW_SECONDS
    if config.executor.kind == "auto" and config.executor.workers is None and config.executor.address is None:
        return config.executor.but({"kind": "in-process"}) if short or config.device != "cpu" else config.executor
    return config.executor


def workers_of(config: Config) -> int:
    """Return how many designs are trained at a time, where that is known before."""
    settings = executor_of(config)
    return 1 if settings.kind == "in-process" else settings.workers or usable_cores()


class Race:
    """A race goes on from what race.json tells.

    Args:
        folder: The run.
        task: Its task.
        asked: What was set before anything was decided.
        report: Shows the progress.
        record: What race.json says; what is trained is added to it.
        trainer: Trains the designs; None is made where something is to be trained.
        before: Seconds of the search before this process.
    """

    def __init__(
        self,
        folder: Path,
        task: Task,
        asked: Config,
        report: Reporter,
        record: RaceRecord,
        trainer: EntrantTrainer | None,
        before: float,
    ) -> None:
        self.folder, self.task, self.report, self.record = folder, task, report, record
        self._asked = asked
        self._trainer, self._before = trainer, before
        self._stack = ExitStack()
        self._executor: Executor | None = None
        self._rungs = tuple(Rung(rung["entrants"], rung["length"]) for rung in record["rungs"])

    def run(self) -> TrainedRecord:
        """Race, and return what the last training of the winner came to.

        Raises:
            NothingFoundError: No design could be trained, for want of time for example.
        """
        with self._stack, self.report.task("race") as self._advance:
            self._show()
            entries = race(range(len(self.record["entrants"])), self._rungs, self._train)
        told = (self._told(entry.candidate, entry.length) for entry in entries)
        won = next((one for one in told if one and one["accuracy"] is not None), None)
        if won is None:
            (self.folder / RACED).unlink()  # so that another try begins anew, perhaps with more time
            note = next(one["note"] for one in self.record["trained"] if one["note"])
            raise NothingFoundError(f"none of the {len(entries)} designs that raced could be trained: {note}")
        return won

    def _train(self, entrants: Sequence[int], length: float) -> list[float]:
        missing = [entrant for entrant in entrants if self._told(entrant, length) is None]
        if missing:
            lengths = tuple(rung.length for rung in self._rungs if rung.length <= length)
            waiting = [
                Entrant(
                    Design.parse(self.record["entrants"][one]["design"]), self.folder / entrant_folder(one), lengths
                )
                for one in missing
            ]
            unit = format_duration(length) if self.record["timed"] else f"{length:g} epochs"
            _log.info("race: %d designs, trained for %s each", len(entrants), unit)
            results: Iterator[Any] = self._open().evaluate(waiting)
            for entrant in missing:
                with self._waits():
                    result = next(results)
                problem = "" if result.score == -math.inf else self._problem(entrant)
                accuracy = result.score if math.isfinite(result.score) and not problem else None
                note = problem or result.note
                if note:
                    _log.warning("design %d of the race: %s", entrant + 1, note)
                self.record["trained"].append(
                    {
                        "entrant": entrant,
                        "length": length,
                        "accuracy": accuracy,
                        "outlook": None,
                        "seconds": result.seconds,
                        "note": note,
                    }
                )
                self.record["seconds"] = self._before + self.report.elapsed
                RACE_FILE.write(self.folder, self.record)
                self._show()
        told = [self._told(entrant, length) for entrant in entrants]
        self._weigh([one for one in told if one], length)
        return [-math.inf if one is None or one["outlook"] is None else one["outlook"] for one in told]

    def _weigh(self, told: Sequence[TrainedRecord], length: float) -> None:
        """Write down what is expected of the designs of a rung, which depends on all that are in it."""
        known = [(one, one["accuracy"]) for one in told if one["accuracy"] is not None]
        own = [self.record["entrants"][one["entrant"]] for one, _ in known]
        outlooks = [Outlook(one["pace"], one["epochs"], one["capacity"]) for one in own]
        if known:
            found = expected([accuracy for _, accuracy in known], outlooks, length, len(self.task.validation))
            for (one, _), outlook in zip(known, found, strict=True):
                one["outlook"] = outlook
            RACE_FILE.write(self.folder, self.record)

    def _problem(self, entrant: int) -> str:
        """A line that says why a network cannot be integers; empty where it can."""
        try:
            model = load_model(self.folder / entrant_folder(entrant) / MODEL)
            task = None if model.plan.input.static else self.task
            make_integers(model, task, self.task.config.quantise.weight_bits or model.plan.network.weight_bits)
        except RunError as error:
            return str(error)
        return ""

    def _told(self, entrant: int, length: float) -> TrainedRecord | None:
        same = (one for one in self.record["trained"] if (one["entrant"], one["length"]) == (entrant, length))
        return next(same, None)

    def _open(self) -> Executor:
        if self._executor is None:
            designs = [Design.parse(entrant["design"]) for entrant in self.record["entrants"]]
            trainer = self._trainer or entrant_trainer(self.task, self._asked, designs, self.record["timed"])
            executor = open_executor(executor_of(self.task.config), partial(_itself, trainer), _log.warning)
            if isinstance(executor, InProcess):
                executor = InProcess(replace(trainer, check=self.report.check))
            self._executor = self._stack.enter_context(executor)
        return self._executor

    def _waits(self) -> AbstractContextManager[None]:
        """A context in which Ctrl-C ends the trainings, of which each whole epoch is kept."""
        return nullcontext() if isinstance(self._executor, InProcess) else self.report.at_once()

    def _show(self) -> None:
        done = {one["entrant"]: 0.0 for one in self.record["trained"]}
        for one in self.record["trained"]:
            done[one["entrant"]] = max(done[one["entrant"]], one["length"])
        best = max((one["accuracy"] or 0.0 for one in self.record["trained"]), default=0.0)
        remark = f"best {best:.1%}"
        whole = self.task.config.time or self.task.config.search.time
        if whole is not None:
            left = max(0.0, whole - self.record["seconds"])
            remark += f", {format_duration(left)} of {format_duration(whole)} left"
        unit = 1 if self.record["timed"] else 100
        self._advance(round(unit * sum(done.values())), round(unit * length_of(self._rungs)), remark)


def _itself(trainer: EntrantTrainer) -> EntrantTrainer:
    return trainer
