from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from problems import FREE, Value, cost, drive, noise, problem, run

from spikenas._util.errors import NothingFoundError, RunError
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.nas import Problem, Proposal, Strategy, Trial, TrialStore, search
from spikenas.nas.driver import PATIENCE
from spikenas.nas.executors import InProcess
from spikenas.space import Genotype, Space

SPACE = Space.of(["none", "skip", "conv3x3"], cells=1)


class Script(Strategy):
    """Asks what it is given, batch by batch, and keeps what it is told."""

    name = "script"
    summary = source = "for tests"

    def __init__(self, given: Problem, *batches: Sequence[str | Proposal]) -> None:
        super().__init__(given)
        self.batches = list(batches)
        self.told: list[list[Trial]] = []

    def ask(self) -> Sequence[Proposal]:
        batch = self.batches.pop(0) if self.batches else ()
        return [one if isinstance(one, Proposal) else Proposal(Genotype.parse(one), "step") for one in batch]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told.append(list(trials))


class Forever(Script):
    def ask(self) -> Sequence[Proposal]:
        return [Proposal(Genotype.parse("0-3:conv3x3"), "again")] * 10


def test_repetitions_are_answered_from_memory_and_cost_nothing() -> None:
    equal = "0-1:conv3x3 1-3:skip"
    strategy = Script(problem(SPACE), ["0-3:conv3x3", equal, "0-3:skip"], ["0-3:skip", "0-3:skip 0-1:skip"])
    asked: list[str] = []

    def evaluate(genotype: Genotype) -> Value:
        asked.append(str(genotype))
        return noise(genotype)

    result, trials = drive(strategy, evaluate)
    assert asked == ["0-3:conv3x3", "0-3:skip"]
    assert [[trial.position for trial in told] for told in strategy.told] == [[0, 0, 1], [1, 1]]
    assert [trial.genotype for trial in trials] == asked
    assert (result.trials, result.scored) == (2, 2)


def test_what_is_outside_or_over_budget_is_kept_and_free() -> None:
    conv, two = "0-3:conv3x3", "0-1:conv3x3 1-3:conv3x3"
    budget = BudgetConfig(flash=cost(1)(Genotype.parse(conv)).flash_bytes)
    strategy = Script(problem(SPACE, budget), ["0-1:conv3x3", two, "0-3:conv1x1", conv, "0-3:skip"])
    result, trials = drive(strategy, lambda genotype: Value(7.0, 0.5, 12.5), evaluations=1)
    assert [(trial.status, trial.score, trial.seconds, trial.synops) for trial in trials] == [
        ("outside", None, 0.0, None),
        ("over budget", None, 0.0, None),
        ("outside", None, 0.0, None),
        ("scored", 7.0, 0.5, 12.5),
    ]
    assert trials[0].params is None
    footprint = cost(1)(Genotype.parse(two))
    assert (trials[1].params, trials[1].ram_bytes) == (footprint.params, footprint.ram_bytes)
    assert str(result.best) == conv
    assert strategy.told == []  # the limit was reached within the batch


def test_all_that_are_outside_as_disconnected_are_one() -> None:
    _, trials = drive(Script(problem(SPACE), ["0-1:skip", "none", "0-3:skip"]))
    assert [trial.status for trial in trials] == ["outside", "scored"]


def test_the_result_is_the_best_that_fits_by_itself() -> None:
    space = Space.of(["skip", "conv3x3", "none"], cells=1)
    small, large = Genotype.parse("0-3:skip"), Genotype.parse("0-3:conv3x3")
    budget = BudgetConfig(flash=cost(1)(small).flash_bytes)
    scored = Proposal(large, "open", (small,))
    score = {small: 1.0, large: 2.0}
    strategy = Script(problem(space, budget), [scored], [str(small)], [str(large)])
    result, trials = drive(strategy, lambda genotype: Value(score[genotype]))
    assert result.best == small
    assert [trial.status for trial in trials] == ["scored", "scored", "over budget"]
    with pytest.raises(
        NothingFoundError, match="strategy 'script': none of the 1 candidates it tried meets the budget"
    ):
        drive(Script(problem(space, budget), [scored]), lambda genotype: Value(1.0))


def test_ties_go_to_the_first() -> None:
    result, _ = drive(Script(problem(SPACE), ["0-3:skip", "0-3:conv3x3"]), lambda genotype: Value(1.0))
    assert str(result.best) == "0-3:skip"


def test_a_strategy_without_an_end_stops_when_it_brings_nothing_new() -> None:
    strategy = Forever(problem(SPACE))
    result, trials = drive(strategy)
    assert len(trials) == result.scored == 1
    assert sum(map(len, strategy.told)) in range(PATIENCE, PATIENCE + 20)


@pytest.mark.parametrize(("evaluations", "last"), [(3, (3, 3)), (None, (39, 39))])
def test_progress(evaluations: int | None, last: tuple[int, int]) -> None:
    seen: list[tuple[int, int]] = []
    given = problem(Space.of(["skip", "conv3x3"]))
    from spikenas.nas.strategies.spikenas import SpikeNAS

    search(
        given.space,
        SpikeNAS(given),
        FREE,
        given.cost,
        InProcess(noise),
        TrialStore(),
        evaluations,
        lambda trial, done, total: seen.append((done, total)),
    )
    assert seen[-1] == last
    assert seen == [(k, last[1]) for k in range(1, last[0] + 1)]


def test_trials_are_kept_as_they_come() -> None:
    store = TrialStore()

    def evaluate(genotype: Genotype) -> Value:
        if str(genotype) == "0-1:skip 1-3:conv3x3":
            assert [trial.genotype for trial in store] == ["0-3:skip", "0-1:skip"]
            raise KeyboardInterrupt
        return noise(genotype)

    batch = ["0-3:skip", "0-1:skip", "0-1:skip 1-3:conv3x3", "0-1:conv3x3 1-3:conv3x3"]
    with pytest.raises(KeyboardInterrupt):
        drive(Script(problem(SPACE), batch), evaluate, store)
    assert len(list(store)) == 2


def test_interrupted_anywhere_and_resumed_gives_the_same_trials() -> None:
    space, settings = Space.of(["skip", "conv3x3"], cells=3), SearchConfig(refine=1)
    whole = run(space, settings)

    class InterruptionError(Exception):
        pass

    store, done = TrialStore(), 0
    for stop in (1, 7, 40, 41, 100):

        def evaluate(genotype: Genotype, stop: int = stop) -> Value:
            nonlocal done
            if done == stop:
                raise InterruptionError
            done += 1
            return noise(genotype)

        with pytest.raises(InterruptionError):
            run(space, settings, evaluate=evaluate, store=store)
        assert len(list(store)) == stop
    assert run(space, settings, store=store) == whole


def test_resuming_computes_nothing_again() -> None:
    space, store = Space.of(["skip", "conv3x3"]), TrialStore()
    first = run(space, store=store)

    def never(genotype: Genotype) -> Value:
        raise AssertionError(genotype)

    assert run(space, evaluate=never, store=store) == first


def test_a_store_of_another_search_is_refused() -> None:
    store = TrialStore()
    run(Space.of(["skip", "conv3x3"]), store=store)
    with pytest.raises(RunError, match="belongs to another search"):
        run(Space.of(["skip", "conv1x1"]), store=store)


def test_nan_is_kept_as_minus_infinity() -> None:
    space, store = Space.of(["skip", "conv3x3"], cells=1), TrialStore()
    good = Genotype((space.distinct_cells[20],))

    def evaluate(genotype: Genotype) -> Value:
        return Value(1.0 if genotype == good else math.nan)

    first = run(space, evaluate=evaluate, store=store)
    assert run(space, evaluate=evaluate, store=store) == first
    assert {trial.score for trial in first[1]} == {1.0, -math.inf}
