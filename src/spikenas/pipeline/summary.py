"""Sums up what a run has found so far."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spikenas._util.run_files import LOG, MODEL
from spikenas.memory import sizes, speed
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.searching import FRONT_COLUMNS, search_front
from spikenas.pipeline.stages import State, has_twin, next_stage
from spikenas.records import BEST_FILE, EVALUATION_FILE, QUANTISATION_FILE, footprint_file
from spikenas.space.genotype import Genotype
from spikenas.task import Task
from spikenas.training.epochs import kept_epoch, read_log


def summarise(run: RunFolder, task: Task) -> dict[str, Any]:
    """Return what a run has found so far, and what is to be done next.

    Raises:
        RunError: A file of the run is damaged.
    """
    state, config = State(run.folder, task.config), task.config
    best = BEST_FILE.read(run.folder)
    values: dict[str, Any] = {**best}
    epochs = read_log(run / LOG)
    if epochs:
        values["epochs"] = len(epochs)
        values["training_seconds"] = sum(epoch.seconds for epoch in epochs)
        kept = kept_epoch(epochs, config.train)
        values["kept_epoch"], values["validation_accuracy"] = kept.epoch, kept.validation_accuracy
    integers = state.integers
    evaluation = EVALUATION_FILE.find(run.folder)
    if evaluation and evaluation["model_sha256"] == state.digest(MODEL):
        values |= {
            "test_accuracy": evaluation["test_accuracy"],
            "figures": evaluation["figures"],
            "synops": evaluation["synops"],
            "macs": evaluation["macs"],
        }
        if integers and evaluation.get("quantised_sha256") == integers:
            values["quantised_test_accuracy"] = evaluation["quantised_test_accuracy"]
            values["quantised_figures"] = evaluation["quantised_figures"]
            values["weight_bits"] = evaluation["weight_bits"]
    bits = QUANTISATION_FILE.read(run.folder)["weight_bits"] if integers else config.network.weight_bits
    cost = task.but({"network.weight_bits": bits}).cost(Genotype.parse(best["genotype"]))
    values |= {**sizes(cost), **speed(cost.instructions, config.budget)}
    if firmware := {name: footprint_file(name).read(run.folder) for name in state.current_firmware}:
        values["firmware"] = firmware
    if config.twin and has_twin(state):
        with RunFolder(state.twin.folder) as twin:
            values["twin"] = summarise(twin, task.with_config(state.twin.config))
    if config.search.front:
        rows = map(asdict, search_front(run, config))
        values["front"] = [{key: row[key] for key in FRONT_COLUMNS} for row in rows]
    following = next_stage(state)
    return values | {
        "neuron": config.network.neuron,
        "levels": config.network.levels if config.network.neuron == "ilif" else None,
        "timesteps": config.network.timesteps,
        "budget": config.budget.model_dump(exclude={"target"}),
        "folder": str(run.folder),
        "next": following and following.name,
    }
