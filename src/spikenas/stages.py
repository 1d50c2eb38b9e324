"""The stages of a run. Each reads the files of those before it, writes its own, and does nothing when it is done."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any

from spikenas import train as training
from spikenas.analysis import Rule
from spikenas.config import Config
from spikenas.data import Statistics, channel_statistics, load_statistics, save_statistics
from spikenas.enhance import Enhancer, changed, write_space
from spikenas.epochs import LOG, Epoch, kept_epoch, read_log
from spikenas.errors import ConfigError
from spikenas.files import write_atomically, write_text
from spikenas.finishing import digest, shown
from spikenas.memory import footprint, sizes
from spikenas.progress import Reporter
from spikenas.quantise import (
    QUANTISED,
)
from spikenas.run import (
    ASKED,
    BEST,
    DATA,
    DECIDED_FROM,
    ENHANCE,
    EVALUATION,
    FOOTPRINT,
    FRONT,
    QUANTISATION,
    SPACE,
    STATISTICS,
    TRIALS,
    Run,
)
from spikenas.search import Problem, Trial, TrialStore, front, make_strategy, most_evaluations, search
from spikenas.search.executors import Executor, Remembering, open_executor
from spikenas.search.front import Objective
from spikenas.space.genotype import Genotype
from spikenas.tables import best_table
from spikenas.task import Task, open_data, scorer_factory

_BEST: dict[str, type | UnionType] = {
    **dict.fromkeys(("genotype", "score_name"), str),
    "score": int | float,
    **dict.fromkeys(("params", "flash_bytes", "ram_bytes", "channels", "trials", "scored"), int),
}
_EVALUATION: dict[str, type | UnionType] = dict.fromkeys(("test_accuracy", "synops", "macs"), int | float)
_FRONTS: dict[str, Objective] = {
    "params": "params",
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "synops": "synops",
}
_FRONT_COLUMNS = ("genotype", "score", "params", "flash_bytes", "ram_bytes", "synops")

_SHOWN = 5  # trials in the table of the best so far

_log = logging.getLogger(__name__)


def run_enhance(
    run: Run,
    asked: Config,
    settings: Config,
    report: Reporter,
    anew: bool = False,
    analysis: Path | None = None,
    by: str | None = None,
    seeds: int = 30,
    draws: int = 12,
    tolerance: float = 0.25,
    confidence: float = 0.95,
) -> Config:
    """Decide what is left open of the space; returns the configuration with the decisions, writes space.json.

    Args:
        run: Once its search has begun, its decisions stay.
        asked: With only that set which is asked for.
        settings: Of the run otherwise.
        report: Shows the progress.
        anew: Also when it was decided before, with what was evaluated then.
        analysis: A folder of `spikenas analyze` whose ops are taken.
        by: Who judges; None is `search.score`.
        seeds: Repetitions.
        draws: Networks of each space and seed.
        tolerance: Loss that is accepted, in standard deviations.
        confidence: Of all intervals together.
    Raises:
        RunError: the space was decided from something else, and the search has begun or `anew` is not asked.
    """
    if not anew or run.has(TRIALS):
        decided = run.decided(asked, settings)
        if decided:
            return decided
    (run / ENHANCE).mkdir(exist_ok=True)
    write_text(run / ASKED, asked.dump(given=True))
    rule = Rule(tolerance, confidence)
    found = Enhancer(asked, run / ENHANCE, report, by, seeds, draws, rule, analysis).run()
    write_space(run / SPACE, found)
    return settings.model_copy(update={name: getattr(found.config, name) for name in DECIDED_FROM})


def decisions(run: Run) -> dict[str, Any]:
    """What space.json says."""
    return run.read_json(SPACE, "enhance", decisions=list)


def describe_data(run: Run, task: Task) -> None:
    """Write data.json: what the data are, for those who read the folder without them."""
    data = task.dataset
    counts = {name: len(getattr(data, name)) for name in ("train", "validation", "test")}
    run.write_json(DATA, {"classes": data.classes, "input": asdict(task.input), "items": counts})


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
        best: list[Trial] = []

        def on_trial(trial: Trial, done: int, total: int) -> None:
            if trial.value is not None:
                best.append(trial)
                best.sort(key=lambda one: -(one.value or 0))
                del best[_SHOWN:]
            remark = f"best score {best[0].value:.4g}" if best else ""
            progress(done, total, remark, best_table(best))

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


def run_train(run: Run, task: Task, report: Reporter) -> list[Epoch]:
    """Train the network found, unless it is done; returns its epochs."""
    best = run.read_json(BEST, "search", **_BEST)
    plan = task.plan(Genotype.parse(best["genotype"]))
    statistics = _statistics(run, task)
    with report.task("training") as progress:
        return training.train(plan, task.dataset, statistics, task.config, run.folder, shown(progress))


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
    epochs = read_log(run / LOG)
    if epochs:
        values["epochs"] = len(epochs)
        kept = kept_epoch(epochs, task.config.train.keep)
        values["validation_accuracy"] = kept.validation_accuracy
    integers = digest(run / QUANTISED) if run.has(QUANTISED) else None
    if run.has(EVALUATION):
        evaluation = run.read_json(EVALUATION, "evaluate", **_EVALUATION)
        values |= {key: evaluation[key] for key in _EVALUATION}
        if integers and evaluation.get("quantised_sha256") == integers:
            values |= {key: evaluation[key] for key in ("quantised_test_accuracy", "weight_bits")}
    if integers and run.has(QUANTISATION):
        bits = run.read_json(QUANTISATION, "quantise", weight_bits=int)["weight_bits"]
        made = changed(task.config, "network.weight_bits", bits)
        values |= sizes(footprint(Task(made, task.dataset).plan(Genotype.parse(values["genotype"]))))
    if run.has(FOOTPRINT):
        measured = run.read_json(FOOTPRINT, "deploy", predicted=dict)
        if integers and measured.get("quantised_sha256") == integers:
            values["footprint"] = measured
    budget = task.config.budget.model_dump(exclude={"target"})
    if task.config.search.front:
        rows = map(asdict, search_front(run, task.config))
        values["front"] = [{key: row[key] for key in _FRONT_COLUMNS} for row in rows]
    values |= {"timesteps": task.config.network.timesteps, "budget": budget, "folder": str(run.folder)}
    return values | {"next": _next(run, task, values)}


def _next(run: Run, task: Task, values: dict[str, Any]) -> str | None:
    """The stage that is to be done now, if one is."""
    if values.get("epochs", 0) < task.config.train.epochs:
        return "train"
    if not run.has(QUANTISED):
        return "quantise"
    if "quantised_test_accuracy" not in values:
        return "evaluate"
    aimed = task.config.budget.target or run.has(FOOTPRINT)
    return "deploy" if aimed and "footprint" not in values else None


def _statistics(run: Run, task: Task) -> Statistics:
    if not run.has(STATISTICS):
        save_statistics(channel_statistics(task.dataset, task.config.seed), run / STATISTICS)
    return load_statistics(run / STATISTICS)
