"""The search of designs: those that fit are drawn and scored, the best race by short trainings.

Of the time of the search, opening and score have at most a quarter, and the race has the rest. Its rungs are planned
when it begins and kept, so that a race that was stopped goes on by the same ones.
"""

from __future__ import annotations

import logging
import math
import random
import shutil
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import chain, islice

from spikenas._util.errors import BudgetError, NothingFoundError
from spikenas._util.progress import Reporter
from spikenas._util.run_files import ASKED, CHECKPOINT, LOG, MODEL, RACE, TRIALS
from spikenas._util.seeding import seed_of
from spikenas.config import Config
from spikenas.memory import Estimator, sizes
from spikenas.nas import Problem, Proposal, Trial, TrialStore, make_strategy
from spikenas.nas import search as run_search
from spikenas.nas.executors import open_executor
from spikenas.nas.halving import halved, halved_within
from spikenas.nas.seeded import SeededStrategy
from spikenas.pipeline.outlook import outlooks, reach, training_seconds
from spikenas.pipeline.racing import Race, entrant_folder, workers_of
from spikenas.pipeline.remaining import remaining
from spikenas.pipeline.run_folder import RunFolder
from spikenas.records import RACE_FILE, Best, RaceRecord
from spikenas.scores.designs import design_scorer_factory, is_of_plan, weighs_time
from spikenas.space import Design, DesignSpace
from spikenas.task import Task
from spikenas.task.designs import design_space_of, nothing_fits, rule_of_thumb, settings_of
from spikenas.training.entrants import EntrantTrainer, entrant_trainer

SCORE_SHARE = 0.25  # of the time of the search, at most, for the opening and the score
LEAST_SECONDS = 20.0  # of a training in the first rung; with more, more designs race
MOST_ENTRANTS = 64
USUAL_ENTRANTS = 8  # of a race that is counted in epochs
RULE, USUAL = "rule of thumb", "usual cells"  # steps of the designs that are scored before those that are drawn
_SCORED = 1000
_SHORTEST = 5.0  # seconds of a training of a race, though the search may take longer then
_ALIKE = 2  # designs that race at most of those that differ in wiring and width alone, where there are others

_log = logging.getLogger(__name__)


def search_designs(run: RunFolder, task: Task, report: Reporter) -> Best:
    """Find a design by a race; the training of the winner is put where the final one goes on from it.

    Returns:
        What best.json is to say.
    Raises:
        BudgetError: No design that was drawn meets the limits.
        ConfigError: The settings leave no design.
        NothingFoundError: No design could be trained, for want of time for example.
    """
    asked = Config.load(run / ASKED) if run.has(ASKED) else task.asked
    known = RACE_FILE.find(run.folder) if run.has(TRIALS) else None
    before = known["seconds"] if known else 0.0
    if not known and training_seconds(task.config) is not None and weighs_time(task.config.search.score):
        run.remove(TRIALS)  # the pace is measured anew, so that they would not be scored alike
    try:
        with TrialStore(run / TRIALS) as store:
            record, trainer = (known, None) if known else _plan(run, task, asked, report, store)
            statuses = Counter(trial.status for trial in store)
    except BudgetError:  # nothing depends on what was tried, and other settings may do
        run.remove(TRIALS)
        raise
    won = Race(run.folder, task, asked, report, record, trainer, before).run()
    entrant = record["entrants"][won["entrant"]]
    design = Design.parse(entrant["design"])
    trained = run / entrant_folder(won["entrant"])
    goes_on = record["timed"] == ((task.config.time or task.config.train.time) is not None)
    if goes_on:
        for name in (MODEL, LOG, CHECKPOINT):
            shutil.copyfile(trained / name, run / name)
    after = remaining(trained / MODEL, task.but(settings_of(design, task.input.static, asked)))
    return {
        "genotype": str(design.genotype),
        "score": entrant["score"],
        "score_name": task.config.search.score,
        **sizes(task.cost(design)),  # type: ignore[typeddict-item]
        "channels": design.widths[0],
        "trials": statuses.total(),
        "scored": statuses["scored"],
        "design": str(design),
        "race": {
            "entrant": won["entrant"],
            "accuracy": won["accuracy"] or 0.0,
            "trained": won["seconds"] if goes_on else 0.0,
            "seconds": before + report.elapsed,
            "after": after.seconds,
            "tuned": after.tuned,
        },
    }


def _plan(
    run: RunFolder, task: Task, asked: Config, report: Reporter, store: TrialStore
) -> tuple[RaceRecord, EntrantTrainer]:
    """Choose what races, decode its items, and say how long each is trained; writes race.json."""
    config, space = task.config, design_space_of(task, asked)
    trials = _scored(task, space, report, store)
    epochs = config.race.epochs
    timed = epochs is None
    whole = config.search_seconds or 0.0

    def left() -> float:
        """Seconds of the race."""
        return max(whole / 2, whole - report.elapsed)

    most = config.race.entrants or (MOST_ENTRANTS if timed else USUAL_ENTRANTS)
    rungs = halved(most, epochs) if epochs else halved_within(left(), LEAST_SECONDS, most, workers_of(config))
    chosen = shortlist(trials, rungs[0].entrants)
    designs = [Design.parse(trial.genotype) for trial in chosen]
    trainer = entrant_trainer(task, asked, designs, timed)
    ahead = outlooks(task, designs, timed)
    rungs = halved(len(chosen), epochs) if epochs else halved_within(left(), 0.0, len(chosen), workers_of(config))
    if timed and rungs[0].length < (least := min(_SHORTEST, whole)):
        rungs = halved(rungs[0].entrants, least)
    racing = shortlist(chosen, rungs[0].entrants)
    record: RaceRecord = {
        "timed": timed,
        "rungs": [{"entrants": rung.entrants, "length": rung.length} for rung in rungs],
        "entrants": [
            {
                "design": trial.genotype,
                "score": trial.value or 0.0,
                "params": trial.params or 0,
                "flash_bytes": trial.flash_bytes or 0,
                "ram_bytes": trial.ram_bytes or 0,
                "pace": outlook.pace,
                "epochs": outlook.epochs,
                "capacity": outlook.score,
            }
            for trial, outlook in zip(chosen, ahead, strict=True)
            if trial in racing
        ],
        "trained": [],
        "seconds": report.elapsed,
    }
    shutil.rmtree(run / RACE, ignore_errors=True)
    (run / RACE).mkdir()
    RACE_FILE.write(run.folder, record)
    return record, trainer


def _scored(task: Task, space: DesignSpace, report: Reporter, store: TrialStore) -> list[Trial]:
    """Draw designs that fit, and score them for as long as there is time for it; returns them, the best first."""
    config, cost = task.config, Estimator(task.config.network, task.input, task.limits.limits_speed)
    problem = Problem(space, config.budget, cost, config.seed)
    try:
        rules = [design for design in [rule_of_thumb(task)] if design in space]
    except BudgetError:
        rules = []
    most = config.search.evaluations or _SCORED
    usual = islice(space.usual(random.Random(seed_of(config.seed, "usual designs")), problem.fits), most // 2)
    seeds = chain((Proposal(design, RULE) for design in rules), (Proposal(design, USUAL) for design in usual))
    strategy = SeededStrategy(seeds, make_strategy(config.search, problem))
    share = math.inf if config.search_seconds is None else SCORE_SHARE * config.search_seconds
    end = max(share, report.elapsed + share / 10)
    first = rules[0] if rules else space.draw(random.Random(config.seed), problem.fits)
    make = design_scorer_factory(task, config.search.score, reach(task, first) if first else math.inf)
    waited_for = 0 if is_of_plan(config.search.score) else most
    with open_executor(config.executor, make, _log.warning, waited_for) as executor, report.task("score") as progress:
        scored = 0

        def on_trial(trial: Trial, done: int, total: int) -> None:
            nonlocal scored
            scored += trial.value is not None
            progress(done, total, "designs that fit")

        def is_over() -> bool:
            return scored > 0 and report.elapsed > end

        try:
            run_search(space, strategy, config.budget, cost, executor, store, most, on_trial, is_over)
        except NothingFoundError:
            if any(trial.status == "scored" for trial in store):
                raise
            raise nothing_fits(task, space) from None
    found = [trial for trial in store if trial.value is not None and trial.meets(config.budget)]
    return sorted(found, key=lambda trial: -(trial.value or 0.0))


def shortlist(trials: Sequence[Trial], count: int) -> list[Trial]:
    """Return the best by score, at most so many, of which a few alone are alike but in wiring and width.

    That which the rules of thumb suggest is always there.

    Args:
        trials: The best first.
        count: Most that are returned, at least 2.
    """
    alike: Counter[Hashable] = Counter()
    first: list[Trial] = []
    rest: list[Trial] = []
    rule = next((trial for trial in trials if trial.step == RULE), None)
    for trial in ([rule] if rule else []) + [trial for trial in trials if trial is not rule]:
        design = Design.parse(trial.genotype)
        kind = design.image, design.colours, design.stem_stride, design.cells, design.neuron, design.timesteps
        (first if alike[kind] < _ALIKE else rest).append(trial)
        alike[kind] += 1
    return sorted((first + rest)[:count], key=lambda trial: -(trial.value or 0.0))
