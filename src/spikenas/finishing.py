"""The stages after training: integers, evaluation, firmware. Like those of `stages` they do nothing when it is done."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np

from spikenas import train as training
from spikenas.checkpoint import MODEL, Model, load_model
from spikenas.data import Split
from spikenas.data.pictures import strip
from spikenas.deploy import deploy, write_nir
from spikenas.epochs import Epoch
from spikenas.errors import ConfigError, DeployError, RunError
from spikenas.evaluate import evaluate
from spikenas.files import write_atomically
from spikenas.memory import footprint, violations
from spikenas.progress import Reporter
from spikenas.quantise import (
    QUANTISED,
    IntegerNetwork,
    RoundedNetwork,
    as_bytes,
    evaluate_integers,
    fold,
    input_scale,
    leak_of,
    make_grid,
    quantise,
    synops_of,
    tuning_epochs,
    with_bits,
)
from spikenas.run import BEST, EVALUATION, FIRMWARE, FOOTPRINT, MISTAKES, QUANTISATION, Run
from spikenas.seeding import digest_of
from spikenas.space.genotype import Genotype
from spikenas.targets import find_target
from spikenas.task import Task

TUNING = "tuning"  # folder of fine-tunings
NIR = "network.nir"
_CLIPPED = 0.01  # share of the updates of a LIF above which 8-bit membranes are warned of
_QUANTISATION: dict[str, type | UnionType] = {
    "made_of": dict,
    "quantised_sha256": str,
    "validation_accuracy": int | float,
}

_log = logging.getLogger(__name__)


def check_integers(run: Run, task: Task) -> None:
    """See that the network can be integers as they are asked for, before anything is changed.

    Raises:
        RunError: a tau that integer neurons do not have, or bits with which the network found exceeds its budget.
    """
    leak_of(task.config.network.tau)
    bits = task.config.quantise.weight_bits
    if bits and run.has(BEST):
        genotype = Genotype.parse(run.read_json(BEST, "search", genotype=str)["genotype"])
        network = task.config.network.model_copy(update={"weight_bits": bits})
        config = task.config.model_copy(update={"network": network})
        if over := violations(footprint(Task(config, task.dataset).plan(genotype)), config.budget):
            raise RunError(
                f"quantise.weight_bits: with {bits} bits the network no longer meets its budget of {', '.join(over)}"
            )


def run_quantise(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Make integers of the trained network, unless it is done; returns what quantise.json says.

    Fine-tunes first where `quantise.epochs` asks for it, in the folder `tuning`.

    Raises:
        RunError: no trained network, one of other classes than the data's, or one that integers cannot hold.
    """
    settings = task.config.quantise
    model = _model(run, task)
    if (done := _quantised(run, task)) is not None:
        return done
    model = with_bits(model, settings.weight_bits or task.config.network.weight_bits)
    plan, scale, path = model.network.plan, input_scale(task.dataset), run / MODEL
    grid = make_grid(fold(model), scale)
    epochs = tuning_epochs(task.config, plan)
    if epochs:
        tuned = RoundedNetwork(model, grid, scale)
        changes = {"epochs": epochs, "lr": settings.lr, "warmup_epochs": 0.0, "keep": "best", "precision": "no"}
        config = task.config.model_copy(update={"train": task.config.train.model_copy(update=changes)})
        folder = run / TUNING / digest_of(json.dumps(_made_of(run, task), sort_keys=True))
        with report.task("fine-tuning") as progress:
            training.train(plan, task.dataset, model.statistics, config, folder, shown(progress), tuned)
        path = folder / MODEL
        model = with_bits(load_model(path), plan.network.weight_bits)
    network = quantise(fold(model), scale, model.classes, grid)
    held_out = task.dataset.validation
    with report.task("integers") as progress:
        found = evaluate_integers(network, held_out, task.config.device, progress=_counted(progress))
        real = evaluate(model, held_out, task.config.device)
    for layer, share in found.clipped.items():
        if share > _CLIPPED:
            _log.warning("%s: %.1f%% of its updates do not fit network.membrane_bits = 8", layer, 100 * share)
    network.save(run / QUANTISED)
    values = {
        "weight_bits": plan.network.weight_bits,
        "epochs": epochs,
        "validation_accuracy": found.accuracy,
        "validation_accuracy_in_floating_point": real.test_accuracy,
        "clipped": found.clipped,
        "model": str(path.relative_to(run.folder)),
        "made_of": _made_of(run, task),
        "quantised_sha256": digest(run / QUANTISED),
    }
    run.write_json(QUANTISATION, values)
    return values


def run_evaluate(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Evaluate the trained network on the test set, and its integers where there are any, unless it is done.

    Returns:
        What evaluation.json says.
    Raises:
        RunError: no trained network, or one of other classes than the data's.
    """
    model = _model(run, task)
    model_sha256, quantised = digest(run / MODEL), _quantised(run, task)
    values = run.read_json(EVALUATION, "evaluate") if run.has(EVALUATION) else {}
    if values.get("model_sha256") != model_sha256:
        with report.task("evaluation") as progress:
            result = evaluate(model, task.dataset.test, task.config.device, progress=_counted(progress))
        values = {**asdict(result), "model_sha256": model_sha256}
        _write_mistakes(run, task.dataset.test, [mistake.index for mistake in result.mistakes])
        run.write_json(EVALUATION, values)
    if quantised and values.get("quantised_sha256") != quantised["quantised_sha256"]:
        network = IntegerNetwork.load(run / QUANTISED)
        with report.task("evaluation of the integers") as progress:
            integers = evaluate_integers(network, task.dataset.test, task.config.device, progress=_counted(progress))
        values |= {
            "quantised_test_accuracy": integers.accuracy,
            "weight_bits": network.plan.network.weight_bits,
            "quantised_sha256": quantised["quantised_sha256"],
        }
        run.write_json(EVALUATION, values)
    return values


def run_deploy(run: Run, task: Task, report: Reporter, target: str | None = None) -> dict[str, Any]:
    """Write the firmware, and build and run it where its tools are, unless it is done.

    Args:
        target: Another device than `budget.target`.
    Returns:
        What footprint.json says.
    Raises:
        DeployError: it does not fit the device, or building or running it fails; nothing is written then.
        RunError: no integers, or those of other settings.
    """
    name = target or task.config.budget.target
    device = find_target(name) if name else None
    quantised = _quantised(run, task)
    if quantised is None:
        IntegerNetwork.load(run / QUANTISED)
        raise RunError(f"{run / QUANTISED}: of other settings or another model; 'spikenas quantise' makes it anew")
    asked = {
        "target": name,
        "vectors": min(task.config.quantise.vectors, len(task.dataset.validation)),
        "quantised_sha256": quantised["quantised_sha256"],
    }
    if run.has(FOOTPRINT) and run.has(FIRMWARE):
        done = run.read_json(FOOTPRINT, "deploy", predicted=dict)
        if "linked" in done and all(done.get(key) == value for key, value in asked.items()):
            return done
    network, model = IntegerNetwork.load(run / QUANTISED), load_model(run / str(quantised["model"]))
    with report.task("firmware") as progress:
        progress(0, 2, "reference, build, run")
        split = task.dataset.validation
        chosen = np.linspace(0, len(split) - 1, asked["vectors"]).astype(np.int64)
        frames = as_bytes(split.fetch(chosen), network.input_scale)
        inputs = [frames[:, number].astype(np.int64) for number in range(frames.shape[1])]
        values = {
            **deploy(network, inputs, device, run / FIRMWARE, _log.warning, lambda: run.remove(FOOTPRINT)),
            **asked,
            "synops": synops_of(network, frames),
        }
        run.write_json(FOOTPRINT, values)
        progress(1, 2, "NIR")
        try:
            write_nir(run / NIR, model)
        except (ConfigError, DeployError) as error:
            _log.warning("%s left out: %s", NIR, error)
        progress(2, 2, "")
    return values


def shown(progress: Callable[[int, int, str], None]) -> training.Progress:
    """Shows the last epoch's validation accuracy beside the steps."""

    def on_step(done: int, total: int, epochs: Sequence[Epoch]) -> None:
        last = f"epoch {len(epochs)}: validation {epochs[-1].validation_accuracy:.1%}" if epochs else ""
        progress(done, total, last)

    return on_step


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


def _write_mistakes(run: Run, split: Split, indices: Sequence[int]) -> None:
    if not indices:
        run.remove(MISTAKES)
        return
    picture = strip(split.fetch(indices))
    write_atomically(run / MISTAKES, lambda path: picture.save(path, format="png"))


def _counted(progress: Callable[[int, int, str], None]) -> Callable[[int, int], None]:
    return lambda done, total: progress(done, total, "")


def _made_of(run: Run, task: Task) -> dict[str, Any]:
    """What the integers depend on."""
    settings = task.config.quantise.model_dump(exclude={"vectors"})
    return {"model_sha256": digest(run / MODEL), **settings, "train_epochs": task.config.train.epochs}


def _quantised(run: Run, task: Task) -> dict[str, Any] | None:
    """What quantise.json says, if the integers are of this model and these settings."""
    if not (run.has(QUANTISATION) and run.has(QUANTISED) and run.has(MODEL)):
        return None
    done = run.read_json(QUANTISATION, "quantise", **_QUANTISATION)
    current = done["made_of"] == _made_of(run, task) and done["quantised_sha256"] == digest(run / QUANTISED)
    return done if current else None


def _model(run: Run, task: Task) -> Model:
    model = load_model(run / MODEL)
    if model.classes != task.dataset.classes:
        raise RunError(
            f"{run / MODEL}: trained on {_names(model.classes)}, the data have {_names(task.dataset.classes)}"
        )
    return model


def _names(classes: tuple[str, ...]) -> str:
    shown_ = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
    return f"{len(classes)} classes ({shown_})"
