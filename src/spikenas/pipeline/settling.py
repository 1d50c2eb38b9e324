"""Makes the design that a race found that of the run: its settings, and the time that is left for the training."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spikenas._util.files import write_text
from spikenas._util.run_files import ASKED, CONFIG, STATISTICS
from spikenas._util.showing import plain
from spikenas.config import Config
from spikenas.pipeline.run_folder import RunFolder, is_leader
from spikenas.pipeline.searching import take_statistics
from spikenas.records import BEST_FILE, DATA_FILE, RACE_FILE, SPACE_FILE, Best, decisions_of
from spikenas.space import Design
from spikenas.task import Task
from spikenas.task.designs import settings_of


def settled(run: RunFolder, task: Task) -> Task:
    """Return the task of the design that was found, and keep its settings in the run; the same task without a race.

    With a time of the whole, the training has what the search and what comes after it leave of it, and what the winner
    was trained for.
    """
    best = BEST_FILE.find(run.folder)
    if not best or "design" not in best:
        return task
    asked = Config.load(run / ASKED) if run.has(ASKED) else task.asked
    new = task.but(_changes(task, asked, best))
    if new.config == task.config or not is_leader():
        return new
    write_text(run / CONFIG, new.config.dump())
    winner = Design.parse(best["design"])
    if race := RACE_FILE.find(run.folder):
        decided = {"decisions": decisions_of(race, winner), "config": new.config.model_dump(mode="json")}
        SPACE_FILE.write(run.folder, decided)
    run.remove(STATISTICS)
    take_statistics(run, new)
    if run.has(DATA_FILE.name):
        said = {name: plain(text) for name, text in new.description.items()}
        DATA_FILE.write(run.folder, {**DATA_FILE.read(run.folder), "input": asdict(new.input), "description": said})
    return new


def _changes(task: Task, asked: Config, best: Best) -> dict[str, Any]:
    changes = settings_of(Design.parse(best["design"]), task.input, asked)
    won, time = best["race"], task.config.time
    if time is not None:
        left = time - won["seconds"] - won["after"] - won["tuned"] * won["trained"]
        changes["train.time"] = won["trained"] + max(0.0, left / (1 + won["tuned"]))
    return changes
