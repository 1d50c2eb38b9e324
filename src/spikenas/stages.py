"""The stages of a run. Each reads the files of those before it, writes its own, and does nothing when it is done."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import Any

from spikenas import train as training
from spikenas.analysis import Rule
from spikenas.checkpoint import MODEL, Model, load_model
from spikenas.config import Config
from spikenas.data import Statistics, channel_statistics, load_statistics, save_statistics
from spikenas.deploy import deploy, write_nir
from spikenas.enhance import SPACE, Enhancer, write_space
from spikenas.errors import ConfigError, DeployError, RunError
from spikenas.evaluate import evaluate
from spikenas.files import write_atomically
from spikenas.memory import footprint, sizes, violations
from spikenas.progress import Reporter
from spikenas.quantise import (
    QUANTISED,
    IntegerNetwork,
    RoundedNetwork,
    as_bytes,
    evaluate_integers,
    fold,
    input_scale,
    make_grid,
    quantise,
    tuning_epochs,
    with_bits,
)
from spikenas.run import BEST, EVALUATION, FIRMWARE, FOOTPRINT, FRONT, QUANTISATION, STATISTICS, TRIALS, Run
from spikenas.search import Problem, Trial, TrialStore, front, make_strategy, most_evaluations, search
from spikenas.search.executors import Executor, Remembering, open_executor
from spikenas.search.front import Objective
from spikenas.seeding import digest_of
from spikenas.space.genotype import Genotype
from spikenas.targets import find_target
from spikenas.task import Task, open_data, scorer_factory

_BEST: dict[str, type | UnionType] = {
    **dict.fromkeys(("genotype", "score_name"), str),
    "score": int | float,
    **dict.fromkeys(("params", "flash_bytes", "ram_bytes", "channels", "trials", "scored"), int),
}
_EVALUATION: dict[str, type | UnionType] = dict.fromkeys(("test_accuracy", "synops", "macs"), int | float)
_QUANTISATION: dict[str, type | UnionType] = {
    "made_of": dict,
    "quantised_sha256": str,
    "validation_accuracy": int | float,
}
_FRONTS: dict[str, Objective] = {
    "params": "params",
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "synops": "synops",
}
_FRONT_COLUMNS = ("genotype", "score", "params", "flash_bytes", "ram_bytes", "synops")

ENHANCE = "enhance"  # folder of what the decisions were made from
TUNING = "tuning"  # folder of fine-tunings
NIR = "network.nir"
_CLIPPED = 0.01  # share of the updates of a LIF above which 8-bit membranes are warned of

_log = logging.getLogger(__name__)


def run_enhance(
    run: Run,
    config: Config,
    report: Reporter,
    analysis: Path | None = None,
    by: str | None = None,
    seeds: int = 30,
    draws: int = 12,
    tolerance: float = 0.25,
    confidence: float = 0.95,
) -> Config:
    """Decide what the configuration leaves open of the space; returns it with the decisions, writes space.json."""
    rule = Rule(tolerance, confidence)
    found = Enhancer(config, run / ENHANCE, report, by, seeds, draws, rule, analysis).run()
    write_space(run / SPACE, found)
    return found.config


def decisions(run: Run) -> dict[str, Any]:
    """What space.json says."""
    return run.read_json(SPACE, "enhance", decisions=list)


def run_search(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Search, unless it is done; returns what best.json says. Writes front.csv where a front is asked for."""
    if not run.has(BEST):
        run.write_json(BEST, _search(run, task, report))
    if task.config.search.front:
        _write_front(run, search_front(run, task.config))
    return run.read_json(BEST, "search", **_BEST)


def _search(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    config = task.config
    problem = Problem(task.space, config.budget, lambda genotype: footprint(task.plan(genotype)), config.seed)
    strategy = make_strategy(config.search, problem)
    limit = most_evaluations(config.search, strategy)
    make = scorer_factory(task, _statistics(run, task), config.search.score)
    with (
        TrialStore(run / TRIALS) as store,
        open_executor(config.executor, make, _log.warning, limit or strategy.expected) as executor,
        report.task("search") as progress,
    ):
        best_score = -math.inf

        def on_trial(trial: Trial, done: int, total: int) -> None:
            nonlocal best_score
            if trial.value is not None:
                best_score = max(best_score, trial.value)
            progress(done, total, f"best score {best_score:.4g}" if math.isfinite(best_score) else "")

        found = search(task.space, strategy, config.budget, problem.cost, executor, store, limit, on_trial)
    return {
        "genotype": str(found.genotype),
        "score": found.score,
        "score_name": config.search.score,
        **sizes(footprint(task.plan(found.genotype))),
        "channels": config.network.channels,
        "trials": found.trials,
        "scored": found.scored,
    }


def search_front(run: Run, config: Config) -> list[Trial]:
    """The Pareto front of a search that is done, among what fits, against `search.front`.

    Raises:
        ConfigError: no trial has that figure.
    """
    objective = config.search.front or "flash"
    with TrialStore(run / TRIALS) as store:
        found = front((trial for trial in store if trial.meets(config.budget)), _FRONTS[objective])
    if not found:
        raise ConfigError(f"search.front: {objective} asked, but no trial of {run / TRIALS} says it")
    return found


def _write_front(run: Run, trials: list[Trial]) -> None:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _FRONT_COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(map(asdict, trials))

    write_atomically(run / FRONT, write)


def run_train(run: Run, task: Task, report: Reporter) -> list[training.Epoch]:
    """Train the network found, unless it is done; returns its epochs."""
    best = run.read_json(BEST, "search", **_BEST)
    plan = task.plan(Genotype.parse(best["genotype"]))
    statistics = _statistics(run, task)
    with report.task("training") as progress:
        return training.train(plan, task.dataset, statistics, task.config, run.folder, _shown(progress))


def _shown(progress: Callable[[int, int, str], None]) -> training.Progress:
    """Shows the last epoch's validation accuracy beside the steps."""

    def on_step(done: int, total: int, epochs: Sequence[training.Epoch]) -> None:
        last = f"epoch {len(epochs)}: validation {epochs[-1].validation_accuracy:.1%}" if epochs else ""
        progress(done, total, last)

    return on_step


def run_quantise(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Make integers of the trained network, unless it is done; returns what quantise.json says.

    Fine-tunes first where `quantise.epochs` asks for it, in the folder `tuning`.

    Raises:
        RunError: no trained network, one of other classes than the data's, or one that integers cannot hold.
    """
    settings = task.config.quantise
    model = _model(run, task)
    made_of = {"model_sha256": _digest(run / MODEL), **settings.model_dump(exclude={"vectors"})}
    if run.has(QUANTISATION) and run.has(QUANTISED):
        done = run.read_json(QUANTISATION, "quantise", **_QUANTISATION)
        if done["made_of"] == made_of and done["quantised_sha256"] == _digest(run / QUANTISED):
            return done
    model = with_bits(model, settings.weight_bits or task.config.network.weight_bits)
    if over := violations(footprint(model.network.plan), task.config.budget):
        raise RunError(
            f"quantise.weight_bits: with {settings.weight_bits} bits the network no longer meets its budget of "
            f"{', '.join(over)}"
        )
    scale = input_scale(task.dataset)
    grid = make_grid(fold(model), scale)
    epochs = tuning_epochs(task.config, model.network.plan)
    if epochs:
        tuned = RoundedNetwork(model, grid, scale)
        changes = {"epochs": epochs, "lr": settings.lr, "warmup_epochs": 0.0, "keep": "best", "precision": "no"}
        config = task.config.model_copy(update={"train": task.config.train.model_copy(update=changes)})
        folder = run / TUNING / digest_of(made_of)
        plan = model.network.plan
        with report.task("fine-tuning") as progress:
            training.train(plan, task.dataset, model.statistics, config, folder, _shown(progress), tuned)
        model = with_bits(load_model(folder / MODEL), plan.network.weight_bits)
    network = quantise(fold(model), scale, model.classes, grid)
    held_out = task.dataset.validation
    with report.task("integers") as progress:
        found = evaluate_integers(
            network, held_out, task.config.device, progress=lambda done, total: progress(done, total, "")
        )
        real = evaluate(model, held_out, task.config.device)
    for layer, share in found.clipped.items():
        if share > _CLIPPED:
            _log.warning("%s: %.1f%% of its updates do not fit network.membrane_bits = 8", layer, 100 * share)
    network.save(run / QUANTISED)
    values = {
        "weight_bits": network.plan.network.weight_bits,
        "epochs": epochs,
        "validation_accuracy": found.accuracy,
        "validation_accuracy_in_floating_point": real.test_accuracy,
        "clipped": found.clipped,
        "made_of": made_of,
        "quantised_sha256": _digest(run / QUANTISED),
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
    digests = {"model_sha256": _digest(run / MODEL)}
    if run.has(QUANTISED):
        digests["quantised_sha256"] = _digest(run / QUANTISED)
    if run.has(EVALUATION):
        done = run.read_json(EVALUATION, "evaluate")
        if all(done.get(key) == digest for key, digest in digests.items()):
            return done
    with report.task("evaluation") as progress:
        result = evaluate(
            model, task.dataset.test, task.config.device, progress=lambda done, total: progress(done, total, "")
        )
    values = {**asdict(result), **digests}
    if run.has(QUANTISED):
        network = IntegerNetwork.load(run / QUANTISED)
        with report.task("evaluation of the integers") as progress:
            integers = evaluate_integers(
                network, task.dataset.test, task.config.device, progress=lambda done, total: progress(done, total, "")
            )
        values["quantised_test_accuracy"] = integers.accuracy
        values["weight_bits"] = network.plan.network.weight_bits
    run.write_json(EVALUATION, values)
    return values


def run_deploy(run: Run, task: Task, report: Reporter, target: str | None = None) -> dict[str, Any]:
    """Write the firmware, and build and run it where its tools are; returns what footprint.json says.

    Args:
        target: Another device than `budget.target`.
    Raises:
        DeployError: it does not fit the device, or building or running it fails; nothing is written then.
        RunError: no integers.
    """
    network = IntegerNetwork.load(run / QUANTISED)
    name = target or task.config.budget.target
    with report.task("firmware") as progress:
        progress(0, 2, "reference")
        split = task.dataset.validation
        count = min(task.config.quantise.vectors, len(split))
        frames = as_bytes(split.fetch(range(count)), network.input_scale)
        inputs = [frames[:, number].astype("int64") for number in range(count)]
        progress(1, 2, "build and run")
        values = deploy(network, inputs, find_target(name) if name else None, run / FIRMWARE, _log.warning)
        progress(2, 2, "")
    try:
        write_nir(run / NIR, load_model(run / MODEL))
    except (ConfigError, DeployError) as error:
        _log.warning("%s: not written (%s)", run / NIR, error)
    values["quantised_sha256"] = _digest(run / QUANTISED)
    run.write_json(FOOTPRINT, values)
    return values


def _model(run: Run, task: Task) -> Model:
    model = load_model(run / MODEL)
    if model.classes != task.dataset.classes:
        raise RunError(
            f"{run / MODEL}: trained on {_names(model.classes)}, the data have {_names(task.dataset.classes)}"
        )
    return model


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def score_genotypes(
    config: Config, genotypes: list[tuple[str, Genotype]], report: Reporter
) -> Iterator[tuple[str, float, float]]:
    """Score genotypes: text as given, score, seconds, in the order given. Equal networks are scored once.

    Args:
        config: `search.score`, `fidelity`, `network`, `data`, `executor`, `seed` and `device` are read.
        genotypes: Each with the text it is to be named by.
        report: Shows the progress.
    """
    task = open_data(config)
    make = scorer_factory(task, channel_statistics(task.dataset, config.seed), config.search.score)

    def open_() -> Executor:
        return open_executor(config.executor, make, _log.warning, len(genotypes))

    def rows() -> Iterator[tuple[str, float, float]]:
        distinct, seen = len({genotype.canonical for _, genotype in genotypes}), set[object]()
        with report.task("score") as progress, Remembering(open_, make.sharing_order) as executor:
            executor.on_new = lambda known: progress(known, distinct, "")
            results = executor.evaluate([genotype for _, genotype in genotypes])
            for (text, genotype), result in zip(genotypes, results, strict=True):
                again = genotype.canonical in seen
                seen.add(genotype.canonical)
                yield text, result.score, 0.0 if again else round(result.seconds, 6)

    return rows()


def summary(run: Run, task: Task) -> dict[str, Any]:
    """What a run has found so far."""
    values = run.read_json(BEST, "search", **_BEST)
    epochs = training.read_log(run / training.LOG)
    if epochs:
        values["epochs"] = len(epochs)
        kept = training.kept_epoch(epochs, task.config.train.keep)
        values["validation_accuracy"] = kept.validation_accuracy
    integers = _digest(run / QUANTISED) if run.has(QUANTISED) else None
    if run.has(EVALUATION):
        evaluation = run.read_json(EVALUATION, "evaluate", **_EVALUATION)
        values |= {key: evaluation[key] for key in _EVALUATION}
        if integers and evaluation.get("quantised_sha256") == integers:
            values |= {key: evaluation[key] for key in ("quantised_test_accuracy", "weight_bits")}
    if run.has(FOOTPRINT):
        measured = run.read_json(FOOTPRINT, "deploy", predicted=dict)
        if integers and measured.get("quantised_sha256") == integers:
            values["footprint"] = measured
    budget = task.config.budget.model_dump(exclude={"target"})
    if task.config.search.front:
        rows = map(asdict, search_front(run, task.config))
        values["front"] = [{key: row[key] for key in _FRONT_COLUMNS} for row in rows]
    return values | {"timesteps": task.config.network.timesteps, "budget": budget, "folder": str(run.folder)}


def _statistics(run: Run, task: Task) -> Statistics:
    if not run.has(STATISTICS):
        save_statistics(channel_statistics(task.dataset, task.config.seed), run / STATISTICS)
    return load_statistics(run / STATISTICS)


def _names(classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
    return f"{len(classes)} classes ({shown})"
