"""The stages after the search: training, integers, evaluation, firmware."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from typing import Any

from spikenas._util.errors import ConfigError, DeployError, DivergedError, RunError
from spikenas._util.progress import Reporter, counted, show_nothing
from spikenas._util.run_files import (
    FIRMWARE,
    LOG,
    MISTAKES,
    MODEL,
    NIR,
    QUANTISED,
    TUNING,
)
from spikenas._util.seeding import digest_of
from spikenas.config import SPEED_LIMITS, BudgetConfig, TrainConfig
from spikenas.data.pictures import pictured, save_strip, strip
from spikenas.deployment import Verified, test_vectors, write_nir
from spikenas.deployment import deploy as build
from spikenas.integers import (
    IntegerNetwork,
    evaluate_integers,
    leak_of,
    make_integers,
    synops_of,
    tuning_of,
    with_bits,
)
from spikenas.memory import FIGURES, speed, violations
from spikenas.memory.fitting import device_of
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.searching import take_statistics
from spikenas.pipeline.settings import train_again
from spikenas.pipeline.stages import State, device_folder, require_integers, require_whole_integers
from spikenas.records import (
    BEST_FILE,
    EVALUATION_FILE,
    QUANTISATION_FILE,
    EvaluationRecord,
    FootprintRecord,
    Quantisation,
    footprint_file,
)
from spikenas.space.genotype import Genotype
from spikenas.targets import TARGETS, find_target, known_name
from spikenas.task import Task
from spikenas.training import loop
from spikenas.training.checkpoint import Model, load_model
from spikenas.training.epochs import Epoch, read_log
from spikenas.training.evaluation import evaluate as evaluate_model

_CLIPPED = 0.01  # share of the updates of a LIF above which 8-bit membranes are warned of

_log = logging.getLogger(__name__)


def train(run: RunFolder, task: Task, report: Reporter) -> list[Epoch]:
    """Train the network found, unless it is done; returns its epochs."""
    plan = task.plan(Genotype.parse(BEST_FILE.read(run.folder)["genotype"]))
    take_statistics(run, task)
    settings = task.config.train
    try:
        with report.task("training") as progress:
            return loop.train(plan, task.dataset, task.statistics, task.config, run.folder, shown(progress))
    except DivergedError as error:
        usual = TrainConfig(optimiser=settings.optimiser).lr
        smaller = train_again(run.folder, {"train.lr": _smaller(settings.lr, usual)})
        raise DivergedError(f"{error}: {smaller}") from None


def check_integers(run: RunFolder, task: Task) -> None:
    """Check that the network can be integers as they are asked for, before anything is changed.

    Raises:
        RunError: Its tau is one that integer neurons do not have, or with these bits it exceeds its budget.
    """
    if task.config.network.has_membranes:
        leak_of(task.config.network.tau)
    bits = task.config.quantise.weight_bits
    if bits and (best := BEST_FILE.find(run.folder)):
        cost = task.but({"network.weight_bits": bits}).cost(Genotype.parse(best["genotype"]))
        if over := violations(cost, task.limits):
            raise RunError(
                f"quantise.weight_bits: with {bits} bits the network no longer meets its budget of {', '.join(over)}"
            )


def quantise(run: RunFolder, task: Task, report: Reporter) -> Quantisation:
    """Make integers of the trained network, unless it is done; returns what quantise.json says.

    Fine-tunes first where `quantise.epochs` asks for it, in the folder `tuning`.

    Raises:
        RunError: There is no trained network, it is one of other classes than the data's, or integers cannot hold it.
    """
    model, state = _model(run, task), State(run.folder, task.config)
    if state.integers:
        return QUANTISATION_FILE.read(run.folder)
    if state.damage:
        _log.warning("%s; made anew", state.damage.partition(";")[0])
    bits = task.config.quantise.weight_bits or task.config.network.weight_bits
    tuning = tuning_of(task.config, with_bits(model, bits).network.plan)
    folder = run / TUNING / digest_of(json.dumps(state.made_of(), sort_keys=True))
    with report.task("fine-tuning") if tuning else nullcontext(show_nothing) as progress:
        made = make_integers(model, task, bits, tuning, folder if tuning else None, shown(progress))
    network, held_out = made.network, task.dataset.validation
    with report.task("integers") as progress:
        found = evaluate_integers(network, held_out, task.config.device, progress=counted(progress))
        real = evaluate_model(made.model, held_out, task.config.device)
    for layer, share in found.clipped.items():
        if share > _CLIPPED:
            short = f"network.membrane_bits = {network.plan.network.membrane_bits}"
            _log.warning("%s: %.1f%% of its updates do not fit %s", layer, 100 * share, short)
    network.save(run / QUANTISED)
    values: Quantisation = {
        "weight_bits": network.plan.network.weight_bits,
        "epochs": len(read_log(folder / LOG)) if made.tuned else 0,
        "tuning_did_harm": made.harmed,
        "validation_accuracy": found.accuracy,
        "validation_accuracy_in_floating_point": real.accuracy,
        "clipped": found.clipped,
        "model": str(((folder if made.tuned else run.folder) / MODEL).relative_to(run.folder)),
        "made_of": state.made_of(),
        "quantised_sha256": state.digest(QUANTISED) or "",
    }
    return QUANTISATION_FILE.write(run.folder, values)


def evaluate(run: RunFolder, task: Task, report: Reporter) -> EvaluationRecord:
    """Evaluate the trained network on the test set, and its integers where there are any, unless it is done.

    Returns:
        What evaluation.json says.
    Raises:
        RunError: There is no trained network, or one of other classes than the data's, or its integers are damaged.
    """
    model, state = _model(run, task), State(run.folder, task.config)
    require_whole_integers(state)
    values = EVALUATION_FILE.find(run.folder)
    if values is None or values["model_sha256"] != state.digest(MODEL):
        with report.task("evaluation") as progress:
            result = evaluate_model(model, task.test, task.config.device, progress=counted(progress))
        found = {key: value for key, value in asdict(result).items() if key != "figures"}
        if not result.active_shares:
            del found["active_shares"]
        figures = {"test_accuracy": result.accuracy, "images": result.images, "figures": result.figures.as_json()}
        values = EVALUATION_FILE.write(run.folder, {**figures, **found, "model_sha256": state.digest(MODEL)})
    if state.integers and values.get("quantised_sha256") != state.integers:
        network = IntegerNetwork.load(run / QUANTISED)
        with report.task("evaluation of the integers") as progress:
            integers = evaluate_integers(network, task.test, task.config.device, progress=counted(progress))
        found = {
            "quantised_test_accuracy": integers.accuracy,
            "quantised_figures": integers.figures.as_json(),
            "quantised_confusion": integers.confusion,
            "quantised_mistakes": [asdict(mistake) for mistake in integers.mistakes],
            "weight_bits": network.plan.network.weight_bits,
            "quantised_sha256": state.integers,
        }
        values = EVALUATION_FILE.write(run.folder, {**values, **found})
    if state.integers:
        mistakes, digest = values["quantised_mistakes"], values["quantised_sha256"]
    else:
        mistakes, digest = values["mistakes"], values["model_sha256"]
    _show_mistakes(run, task, [mistake["index"] for mistake in mistakes], digest)
    return values


def deploy(run: RunFolder, task: Task, report: Reporter, target: str | None = None) -> dict[str, FootprintRecord]:
    """Write the firmware for a device, and build and run it where its tools are, unless it is done.

    Args:
        run: The folder.
        task: Its data and limits.
        report: Shows the progress.
        target: The device; None is `budget.target` and whatever else firmware was written for before, or the core of
            the network where that is nothing.
    Returns:
        What footprint.json says of each, by the name of its folder in `firmware/`.
    Raises:
        DeployError: It does not fit the device, or building or running it fails; nothing is written then.
        RunError: There are no integers, or those of other settings.
    """
    state, own = State(run.folder, task.config), task.config.budget.target
    require_integers(state)
    quantised = QUANTISATION_FILE.read(run.folder)
    network, model = IntegerNetwork.load(run / QUANTISED), load_model(run / quantised["model"])
    before = state.firmware
    made = [said["target"] if said else _device_of(run, name, task) for name, said in before.items()]
    devices = [known_name(target)] if target else [*([own] if own else []), *made]
    wanted = {device_folder(one) if one else task.config.network.core: one for one in devices or [None]}
    vectors = min(task.config.quantise.vectors, len(task.validation))
    verify = task.config.quantise.verify
    if verify and verify > len(task.test):
        verify = len(task.test)
        _log.warning("quantise.verify: there are %d test items, which is all that the firmware classifies", verify)
    asked = {"vectors": vectors, "quantised_sha256": quantised["quantised_sha256"]}
    found: dict[str, FootprintRecord] = {}
    known = {name: _known_of(device, task) for name, device in wanted.items()}
    for name, device in wanted.items():
        said = before.get(name)
        if said and said["target"] != device:
            raise DeployError(
                f"{device}: firmware/{name} is that of {said['target']}; give one of the files another name"
            )
        if said and "linked" in said and _is_of(said, asked, known[name]) and _is_verified(said, verify):
            found[name] = said
    if len(found) < len(wanted) or not run.has(NIR):
        _write_nir(run, model)
    for name, device in wanted.items():
        if name in found:
            continue
        with report.task("firmware") as progress:
            progress(0, 1 + verify, f"{name}: reference, build, run")
            inputs, frames = test_vectors(network, task.validation, vectors)
            spiking = network.plan.network.is_spiking
            notes = {**asked, "target": device, "synops": synops_of(network, frames) if spiking else None}
            chip = find_target(device) if device else None
            items = Verified(task.test, verify, progress) if verify else None
            build(network, inputs, chip, run / FIRMWARE / name, _log.warning, notes, known[name], items)
            found[name] = footprint_file(name).read(run.folder)
            progress(1 + verify, 1 + verify, name)
        _warn_of_speed(found[name], name)
    return found


def _is_verified(said: FootprintRecord, count: int) -> bool:
    """Whether a firmware has classified as many test items as is asked for."""
    return count == (said["verified"]["images"] if "verified" in said else 0)


def _known_of(device: str | None, task: Task) -> BudgetConfig | None:
    """Return the limits of a run with the speed of a device; None where its file is gone."""
    budget = task.config.budget
    try:
        return device_of(find_target(device), budget) if device and device != budget.target else budget
    except ConfigError:
        return None


def _is_of(said: FootprintRecord, asked: Mapping[str, Any], known: BudgetConfig | None) -> bool:
    """Whether a firmware that was built is what is asked for, on a device that is as fast as it was."""
    taken = speed(said["instructions"], known) if known else {}
    return {**asked, **taken}.items() <= {**said}.items()


def _warn_of_speed(counted: FootprintRecord, device: str) -> None:
    """Warn of limits that the counted instructions exceed, which the expected ones did not."""
    for name in SPEED_LIMITS:
        figure = FIGURES[name]
        value, limit = counted.get(figure.key), counted["limits"].get(figure.key)
        if isinstance(value, int | float) and isinstance(limit, int | float) and value > limit:
            said = figure.said(value), figure.said(limit)
            _log.warning("%s: %s of %s counted, %s are allowed", device, said[0], figure.title, said[1])


def _device_of(run: RunFolder, name: str, task: Task) -> str | None:
    """Return the device of a folder of firmware whose footprint cannot be read, so that it is made again."""
    if name in TARGETS:
        return name
    if name == task.config.network.core:
        return None
    footprint_file(name).read(run.folder)
    return name


def _smaller(lr: float, usual: float) -> float:
    return usual if lr > usual else lr / 2


def _write_nir(run: RunFolder, model: Model) -> None:
    if not model.plan.network.is_spiking:
        return
    try:
        write_nir(run / NIR, model)
    except (ConfigError, DeployError) as error:
        _log.warning("%s left out: %s", NIR, error)


def shown(progress: Callable[[int, int, str], None]) -> loop.Progress:
    """Shows the last epoch's validation accuracy beside the steps."""

    def on_step(done: int, total: int, epochs: Sequence[Epoch]) -> None:
        last = f"epoch {len(epochs)}: validation {epochs[-1].validation_accuracy:.1%}" if epochs else ""
        progress(done, total, last)

    return on_step


def _show_mistakes(run: RunFolder, task: Task, indices: Sequence[int], digest: str) -> None:
    """Write the pictures of a network's mistakes, unless they are there."""
    if not indices:
        run.remove(MISTAKES)
        return
    with suppress(OSError, RunError):
        if pictured(run / MISTAKES) == digest:
            return
    save_strip(strip(task.test.fetch(indices)), run / MISTAKES, digest)


def _model(run: RunFolder, task: Task) -> Model:
    model = load_model(run / MODEL)
    if model.classes != task.classes:
        raise RunError(f"{run / MODEL}: trained on {_names(model.classes)}, the data have {_names(task.classes)}")
    return model


def _names(classes: tuple[str, ...]) -> str:
    shown_ = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
    return f"{len(classes)} classes ({shown_})"
