"""Makes the design that a race found that of the run: its settings, and the time that is left for the training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikenas._util.errors import RunError
from spikenas._util.files import write_text
from spikenas._util.run_files import ASKED, CONFIG, SPACE, STATISTICS
from spikenas._util.showing import plain
from spikenas.config import Config
from spikenas.enhancement import Decision, Enhancement, write_space
from spikenas.pipeline.run_folder import RunFolder, is_leader
from spikenas.pipeline.searching import take_statistics
from spikenas.pipeline.settings import changed_key
from spikenas.pipeline.stages import State, load_config
from spikenas.records import BEST_FILE, DATA_FILE, RACE_FILE, Won, decisions_of
from spikenas.space import Design
from spikenas.task import Task
from spikenas.task.designs import settings_of


def changes_by_design(folder: Path, config: Config, asked: Config | None = None) -> dict[str, Any]:
    """Return what a race has decided of a configuration, by dotted key; nothing where there was no race.

    Args:
        folder: The run.
        config: The configuration.
        asked: With only that set which is asked for; None where the configuration is that of the folder.
    Raises:
        RunError: The design was searched from other settings, or the search was one of cells and a time is given.
    """
    best = BEST_FILE.find(folder)
    if best is None:
        return {}
    if "design" not in best:
        if config.searches_designs:
            raise RunError(
                f"{folder}: its search was one of cells, so that no time can be divided; choose another --out, or "
                "'spikenas train --time' trains on"
            )
        return {}
    before = Config.load(folder / ASKED) if (folder / ASKED).exists() else config
    if asked and (changed := changed_key(before, asked)):
        key, old, new = changed
        raise RunError(f"the design of {folder} was searched for {key} = {old!r}, not {new!r}; choose another --out")
    static = not State(folder, config).is_stepped
    changes = settings_of(Design.parse(best["design"]), static, before)
    if config.time is None:
        return changes
    stored = load_config(folder)
    if not (folder / SPACE).exists() or stored.time != config.time:
        changes["train.time"] = _training_seconds(config.time, best["race"])
    elif asked:
        length = "train.epochs" if stored.train.time is None else "train.time"
        changes[length] = stored.value(length)
    return changes


def settled(run: RunFolder, task: Task) -> Task:
    """Return the task of the design that was found, and keep its settings in the run; the same task without a race."""
    best = BEST_FILE.find(run.folder)
    if not best or "design" not in best or run.has(SPACE):
        return task
    new = task.but(changes_by_design(run.folder, task.config))
    if not is_leader():
        return new
    write_text(run / CONFIG, new.config.dump())
    run.remove(STATISTICS)
    take_statistics(run, new)
    said = {name: plain(text) for name, text in new.description.items()}
    DATA_FILE.write(run.folder, {**DATA_FILE.read(run.folder), "input": asdict(new.input), "description": said})
    decisions = decisions_of(RACE_FILE.read(run.folder), Design.parse(best["design"]))
    found = tuple(Decision(one["key"], one["value"], one["reason"]) for one in decisions)
    write_space(run.folder, Enhancement(found, new.config))
    return new


def _training_seconds(time: float, won: Won) -> float:
    """Return how long the whole training is, where search and what comes after it leave the rest of a time."""
    left = time - won["seconds"] - won["after"] - won["tuned"] * won["trained"]
    return won["trained"] + max(1.0, left / (1 + won["tuned"]))
