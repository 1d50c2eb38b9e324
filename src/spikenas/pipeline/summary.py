"""Sums up what a run has found so far."""

from __future__ import annotations

from dataclasses import asdict
from types import UnionType
from typing import Any

from spikenas._util.run_files import EVALUATION, FIRMWARE, FOOTPRINT, LOG, MODEL, QUANTISATION
from spikenas.memory import sizes
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.searching import FRONT_COLUMNS, read_best, search_front
from spikenas.pipeline.stages import State, next_stage
from spikenas.space.genotype import Genotype
from spikenas.task import Task
from spikenas.training.epochs import kept_epoch, read_log

_EVALUATION: dict[str, type | UnionType] = dict.fromkeys(("test_accuracy", "synops", "macs"), int | float)


def summarise(run: RunFolder, task: Task) -> dict[str, Any]:
    """Return what a run has found so far, and what is to be done next.

    Raises:
        RunError: A file of the run is damaged.
    """
    state, config = State(run.folder, task.config), task.config
    values = read_best(run)
    epochs = read_log(run / LOG)
    if epochs:
        values["epochs"] = len(epochs)
        values["validation_accuracy"] = kept_epoch(epochs, config.train.keep).validation_accuracy
    integers = state.integers
    if run.has(EVALUATION):
        evaluation = run.read_json(EVALUATION, "evaluate", **_EVALUATION)
        if evaluation.get("model_sha256") == state.digest(MODEL):
            values |= {key: evaluation[key] for key in _EVALUATION}
        if integers and evaluation.get("quantised_sha256") == integers:
            values |= {key: evaluation[key] for key in ("quantised_test_accuracy", "weight_bits")}
    if integers:
        bits = run.read_json(QUANTISATION, "quantise", weight_bits=int)["weight_bits"]
        values |= sizes(task.but({"network.weight_bits": bits}).cost(Genotype.parse(values["genotype"])))
    firmware = {
        name: run.read_json(f"{FIRMWARE}/{name}/{FOOTPRINT}", "deploy", predicted=dict, limits=dict)
        for name in state.current_firmware
    }
    if firmware:
        values["firmware"] = firmware
    if config.search.front:
        rows = map(asdict, search_front(run, config))
        values["front"] = [{key: row[key] for key in FRONT_COLUMNS} for row in rows]
    following = next_stage(state)
    return values | {
        "timesteps": config.network.timesteps,
        "budget": config.budget.model_dump(exclude={"target"}),
        "folder": str(run.folder),
        "next": following and following.name,
    }
