"""The stages before training: the space is decided, then searched."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from spikenas._util.errors import BudgetError, ConfigError, RunError
from spikenas._util.files import write_csv, write_text
from spikenas._util.progress import Reporter
from spikenas._util.run_files import ASKED, BEST, ENHANCE, FRONT, SPACE, STATISTICS, TRIALS
from spikenas._util.units import format_size
from spikenas.config import Config
from spikenas.data import Statistics
from spikenas.enhancement import Enhancer, write_space
from spikenas.memory import sizes
from spikenas.nas import (
    Problem,
    SearchResult,
    Trial,
    TrialStore,
    front,
    make_strategy,
    most_evaluations,
    read_trials,
)
from spikenas.nas import search as run_search
from spikenas.nas.executors import open_executor
from spikenas.nas.front import Objective
from spikenas.pipeline.data_of_run import open_task, record_data
from spikenas.pipeline.designing import search_designs
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import decided
from spikenas.pipeline.stages import DECIDED_FROM
from spikenas.records import BEST_FILE, SPACE_FILE, STATISTICS_FILE, Best, Decided
from spikenas.scores.batch import scorer_factory
from spikenas.task import Task

FRONT_COLUMNS = ("genotype", "score", "params", "flash_bytes", "ram_bytes", "synops")
_FRONTS: dict[str, Objective] = {
    "params": "params",
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "synops": "synops",
}
_SHOWN = 5  # trials in the table of the best so far

_log = logging.getLogger(__name__)


def enhance(run: RunFolder, asked: Config, settings: Config, report: Reporter, anew: bool = False) -> Task:
    """Decide what is left open of the space, and write space.json.

    Args:
        run: Once its search has begun, its decisions stay.
        asked: With only that set which is asked for.
        settings: All that is known of the run's settings.
        report: Shows the progress.
        anew: Decides also what was decided before, with what was evaluated then.
    Returns:
        The task of the settings with the decisions.
    Raises:
        RunError: The space was decided from something else, and the search has begun or `anew` is not asked.
    """
    if not anew or run.has(TRIALS):
        before = decided(run, asked, settings)
        if before:
            return open_task(run.folder, before)
    task = open_task(run.folder, asked, anew)
    run.remove(SPACE)  # what was decided before, for something else
    (run / ENHANCE).mkdir(exist_ok=True)
    write_text(run / ASKED, asked.dump(given=True))
    record_data(run, task, report)
    try:
        found = Enhancer(task, run / ENHANCE, report).run()
    except BudgetError:  # the next command is not to begin with limits that nothing meets
        run.remove(ASKED)
        raise
    write_space(run.folder, found)
    return task.with_config(settings.but({name: getattr(found.config, name) for name in DECIDED_FROM}))


def search(run: RunFolder, task: Task, report: Reporter) -> Best:
    """Search, unless it is done; write best.json, and front.csv where a front is asked for.

    Returns:
        What best.json says.
    Raises:
        RunError: A file of the search is damaged.
    """
    known = BEST_FILE.find(run.folder)
    if known and run.has(TRIALS) and (kept := len(read_trials(run / TRIALS))) != known["trials"]:
        raise RunError(
            f"{run / TRIALS}: has {kept} trials, {BEST} {known['trials']}; remove both, and "
            f"'spikenas search --out {run.folder}' searches again"
        )
    found = known or _search(run, task, report)
    if task.config.search.front:
        _write_front(run, search_front(run, task.config))
    if not known:
        BEST_FILE.write(run.folder, found)
    return found


def _search(run: RunFolder, task: Task, report: Reporter) -> Best:
    take_statistics(run, task)
    if task.config.searches_designs:
        return search_designs(run, task, report)
    with TrialStore(run / TRIALS) as store:
        found = search_task(task, store, report)
    if not any(layer.kind == "conv" and layer.name.startswith("cell") for layer in task.plan(found.best).layers):
        _log.warning(
            "the cells of the network found have no weights: so little fits; fewer cells may leave room for some"
        )
    return {
        "genotype": str(found.best),
        "score": found.score,
        "score_name": task.config.search.score,
        **sizes(task.cost(found.best)),  # type: ignore[typeddict-item]
        "channels": task.config.network.free_channels,
        "trials": found.trials,
        "scored": found.scored,
    }


def search_task(task: Task, store: TrialStore, report: Reporter) -> SearchResult:
    """Search the space of a task, whose width is decided.

    Args:
        task: Its section `search` says how.
        store: Keeps the trials; those that it holds are not evaluated again.
        report: Shows the progress.
    Raises:
        NothingFoundError: Nothing that fits has a score.
    """
    config = task.config
    problem = Problem(task.space, config.budget, task.cost, config.seed)
    strategy = make_strategy(config.search, problem)
    limit = most_evaluations(config.search, strategy)
    make = scorer_factory(task, config.search.score)
    best: list[Trial] = []
    with (
        open_executor(config.executor, make, _log.warning, limit or strategy.expected) as executor,
        report.task("search") as progress,
    ):

        def on_trial(trial: Trial, done: int, total: int) -> None:
            if trial.value is not None:
                best.append(trial)
                best.sort(key=lambda one: -(one.value or 0))
                del best[_SHOWN:]
            remark = f"best score {best[0].value:.4g}" if best else ""
            progress(done, total, remark, best_table(best))

        return run_search(task.space, strategy, config.budget, problem.cost, executor, store, limit, on_trial)


def search_front(run: RunFolder, config: Config) -> list[Trial]:
    """Return the Pareto front of a search that is done, among what fits, against `search.front`.

    Raises:
        ConfigError: No trial has that figure.
    """
    objective = config.search.front or "flash"
    with TrialStore(run / TRIALS) as store:
        found = front((trial for trial in store if trial.meets(config.budget)), _FRONTS[objective])
    if not found:
        raise ConfigError(f"search.front: {objective} asked, but no trial of {run / TRIALS} says it")
    return found


def _write_front(run: RunFolder, trials: list[Trial]) -> None:
    write_csv(run / FRONT, FRONT_COLUMNS, ([getattr(trial, name) for name in FRONT_COLUMNS] for trial in trials))


def best_table(trials: Sequence[Trial]) -> RenderableType:
    """Make a table of the best candidates so far, a line each."""
    table = Table(box=None, pad_edge=False)
    for name in ("score", "flash", "RAM"):
        table.add_column(name, justify="right", no_wrap=True, min_width=9)
    table.add_column("the best so far", no_wrap=True, overflow="ellipsis", ratio=1)
    for trial in trials:
        memory = (format_size(size) if size is not None else "" for size in (trial.flash_bytes, trial.ram_bytes))
        table.add_row(f"{trial.value:.5g}", *memory, trial.genotype)
    return table


def take_statistics(run: RunFolder, task: Task) -> None:
    """Let a task use the statistics of its run, which are counted and written once."""
    if not run.has(STATISTICS):
        mean, std = map(list, task.statistics)
        STATISTICS_FILE.write(run.folder, {"mean": mean, "std": std})
    use_statistics(run, task)


def use_statistics(run: RunFolder, task: Task) -> None:
    """Let a task use the statistics of its run.

    Raises:
        RunError: They are not there, damaged, or of other channels.
    """
    found = STATISTICS_FILE.read(run.folder)
    if len(found["mean"]) != task.input.channels:
        raise RunError(
            f"{run / STATISTICS}: of {len(found['mean'])} channels, the data have {task.input.channels}; remove it"
        )
    task.statistics = Statistics(tuple(found["mean"]), tuple(found["std"]))


def read_decisions(run: RunFolder) -> Decided:
    """Return what space.json says.

    Raises:
        RunError: It is not there, or damaged.
    """
    if not run.has(SPACE):
        raise RunError(
            f"{run.folder}: its space was configured, and is not decided; 'spikenas run --out {run.folder}' searches "
            "it, another --out decides one"
        )
    return SPACE_FILE.read(run.folder)
