"""The contract of a strategy: every one in the registry is held to it."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import pytest
from problems import FREE, Value, cost, median_of, noise, problem, run

from spikenas._util.errors import ConfigError, NothingFoundError
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.memory import violations
from spikenas.nas import STRATEGIES, TrialStore, make_strategy, most_evaluations, search
from spikenas.nas.strategies import DEFAULT_EVALUATIONS
from spikenas.space import CellGraph, Genotype, Space

OPTUNA = ("tpe", "gp", "nsga2")
SYSTEMATIC = ("spikenas", "exhaustive")  # the same for every seed
ENDING = (*SYSTEMATIC, "lightsnn")
OPS = ["none", "skip", "conv3x3"]


SLOW = ("gp",)  # fits a model for each proposal


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in STRATEGIES])
def name(request: pytest.FixtureRequest) -> str:
    if request.param in OPTUNA:
        pytest.importorskip("optuna")
    return str(request.param)


def some_members(space: Space, share: float = 0.6) -> Space:
    """The space of which a part of the networks exists."""
    cells = [cell.canonical for cell in space.distinct_cells]
    kept = random.Random(1).sample(cells, int(share * len(cells)))
    return Space(space.ops, space.cells, space.nodes, shared=space.shared, members=frozenset(kept))


SPACES = {
    "free": (Space.of(OPS, cells=1), FREE),
    "two cells": (Space.of(["skip", "conv1x1"], nodes=3), FREE),
    "members": (some_members(Space.of(OPS, shared=True)), FREE),
    "budget": (Space.of(OPS, shared=True), median_of(Space.of(OPS, shared=True), "flash")),
}


def settings(name: str, evaluations: int | None) -> SearchConfig:
    """Few for gp, which from its eleventh proposal on fits a model each time."""
    if name == "gp" and evaluations:
        evaluations = min(evaluations, 12)
    return SearchConfig(strategy=name, evaluations=evaluations)


def atoms(genotype: Genotype) -> Value:
    """An additive score: what each op of the network is worth, dead edges nothing."""
    worth = {"conv1x1": 1.0, "conv3x3": 2.0, "avgpool3x3": -1.0}
    return Value(sum(worth.get(atom.op.name, 0.0) for graph in genotype.canonical for atom in graph.atoms))


class Counted:
    """An evaluator that keeps what it was asked, and stops the search before one evaluation of choice."""

    def __init__(self, stop: int | None = None) -> None:
        self.asked: list[Genotype] = []
        self.stop = stop

    def __call__(self, genotype: Genotype) -> Value:
        if len(self.asked) == self.stop:
            raise KeyboardInterrupt
        self.asked.append(genotype)
        return noise(genotype)


@pytest.mark.parametrize("kind", SPACES)
def test_evaluates_a_candidate_once_and_only_what_fits_and_exists(name: str, kind: str) -> None:
    space, budget = SPACES[kind]
    evaluate = Counted()
    result, trials = run(space, settings(name, 25), budget, evaluate)
    assert len({genotype.canonical for genotype in evaluate.asked}) == len(evaluate.asked) == result.scored <= 25
    for genotype in evaluate.asked:
        assert genotype in space
        assert genotype.connected
        assert not violations(cost(space.cells)(genotype), budget)
    assert result.best in evaluate.asked
    assert result.score == max(noise(genotype).score for genotype in evaluate.asked)
    assert [trial.position for trial in trials] == list(range(result.trials))
    assert [trial.genotype for trial in trials if trial.status == "scored"] == [str(one) for one in evaluate.asked]
    for trial in trials:
        genotype = Genotype.parse(trial.genotype)
        exists = genotype in space and genotype.connected
        assert exists == (trial.status != "outside") == (trial.params is not None)
        assert not exists or bool(violations(cost(space.cells)(genotype), budget)) == (trial.status == "over budget")


@pytest.mark.parametrize("limit", [1, 2, 12])
def test_as_many_evaluations_as_allowed(name: str, limit: int) -> None:
    space, budget = SPACES["free"]
    evaluate = Counted()
    result, _ = run(space, settings(name, limit), budget, evaluate)
    assert len(evaluate.asked) == result.scored == limit


def test_the_same_seed_gives_the_same_search_and_another_seed_another(name: str) -> None:
    space, budget = SPACES["free"]
    first, again, other = (run(space, settings(name, 15), budget, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert (first[1] == other[1]) == (name == "exhaustive")


@pytest.mark.parametrize("kind", ["members", "budget"])
def test_killed_at_any_evaluation_and_resumed_gives_the_same_trials(name: str, kind: str) -> None:
    space, budget = SPACES[kind]
    whole = run(space, settings(name, 12), budget)
    for stop in (5, 11) if name == "gp" else range(12):
        store = TrialStore()
        with pytest.raises(KeyboardInterrupt):
            run(space, settings(name, 12), budget, Counted(stop), store)
        assert sum(trial.status == "scored" for trial in store) == stop
        evaluate = Counted()
        assert run(space, settings(name, 12), budget, evaluate, store) == whole
        assert len(evaluate.asked) == 12 - stop


class Eager:
    """An executor that has evaluated everything before it hands out the first, as many workers might."""

    def evaluate(self, genotypes: Sequence[Genotype]) -> Iterator[Value]:
        known = {genotype: noise(genotype) for genotype in reversed(genotypes)}
        return iter([known[genotype] for genotype in genotypes])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def test_the_executor_changes_nothing(name: str) -> None:
    space, budget = SPACES["budget"]
    given, store = problem(space, budget), TrialStore()
    strategy = make_strategy(settings(name, 12), given)
    result = search(space, strategy, budget, given.cost, Eager(), store, 12)
    assert (result, list(store)) == run(space, settings(name, 12), budget)


def test_no_score_at_all(name: str) -> None:
    with pytest.raises(NothingFoundError, match=r"none of the \d+ candidates .*that fit has a score"):
        run(SPACES["free"][0], settings(name, 20), evaluate=lambda genotype: Value(-math.inf))


@pytest.mark.parametrize("bad", [-math.inf, math.nan, math.inf])
def test_a_score_that_cannot_be_computed_never_wins(name: str, bad: float) -> None:
    def evaluate(genotype: Genotype) -> Value:
        value = noise(genotype)
        return value if value.score < 0.5 else Value(bad)

    result, trials = run(SPACES["free"][0], settings(name, 25), evaluate=evaluate)
    assert result.score == max(trial.value for trial in trials if trial.value is not None) < 0.5
    assert -math.inf in {trial.score for trial in trials}


def test_nothing_fits(name: str) -> None:
    with pytest.raises(NothingFoundError, match="meets the budget"):
        run(Space.of(OPS, cells=1), settings(name, 20), BudgetConfig(params=10))


def test_nothing_exists(name: str) -> None:
    space = Space(SPACES["free"][0].ops, 1, members=frozenset[CellGraph]())
    with pytest.raises(NothingFoundError, match="is a connected network of the space"):
        run(space, settings(name, 20))


def test_little_fits(name: str) -> None:
    """Only the networks without a convolution."""
    space = Space.of(["none", "skip", "conv1x1", "conv3x3", "dwconv3x3"], cells=1)
    smallest = cost(1)(Genotype.parse("0-3:skip"))
    result, trials = run(space, settings(name, 2), BudgetConfig(params=smallest.params))
    assert not any(atom.op.spiking for graph in result.best.canonical for atom in graph.atoms)
    assert [trial.status for trial in trials].count("scored") == 2


def test_ends_in_a_space_smaller_than_the_limit(name: str) -> None:
    space = Space.of(["skip", "conv3x3"], nodes=3, shared=True)
    evaluate = Counted()
    result, _ = run(space, settings(name, 100), evaluate=evaluate)
    assert len(evaluate.asked) <= len(space.distinct_cells) == 5
    if name not in ("lightsnn", "nsga2", "reinforce"):  # which may settle before they have seen all
        assert result.score == max(noise(space.network([cell])).score for cell in space.distinct_cells)


def test_a_space_of_one_network(name: str) -> None:
    space = Space.of(["conv3x3"], nodes=2)
    result, trials = run(space, settings(name, 5))
    assert result.best == space.sample(random.Random(0))
    assert len(trials) == 1


def test_better_than_a_random_network(name: str) -> None:
    space = Space.of(["none", "skip", "conv1x1", "conv3x3", "avgpool3x3"], cells=1)
    rng = random.Random(0)
    drawn = [atoms(genotype).score for genotype in (space.sample(rng) for _ in range(300)) if genotype.connected]
    for seed in range(3):
        result, _ = run(space, settings(name, 50), evaluate=atoms, seed=seed)
        assert result.score > statistics.mean(drawn)


@pytest.mark.parametrize("name", ["local", "evolution", "reinforce", "lightsnn"])
def test_learns(name: str) -> None:
    """Where networks are many and scores additive, it finds better ones than as many random draws."""
    space = Space.of(["none", "skip", "conv1x1", "conv3x3", "avgpool3x3"])

    def mean_of(strategy: str) -> float:
        return statistics.mean(
            run(space, settings(strategy, 80), evaluate=atoms, seed=seed)[0].score for seed in range(5)
        )

    assert mean_of(name) > mean_of("random")


def test_exhaustive_finds_the_optimum_and_refuses_what_is_too_much() -> None:
    space = Space.of(["skip", "conv3x3"])
    result, trials = run(space, settings("exhaustive", None))
    assert len(trials) == 39**2
    assert result.score == max(noise(genotype).score for genotype in space.enumerate())
    with pytest.raises(ConfigError, match=r"at most 1,000,000 networks, this space has 2,\d{3},\d{3}; use fewer ops"):
        run(Space.of(["skip", "conv3x3"], cells=4), settings("exhaustive", None))


def test_the_random_search_draws_as_snasnet_does() -> None:
    space = Space.of(["none", "skip", "conv3x3"], cells=3, feedback=True)
    drawn = [proposal.candidate for _ in range(100) for proposal in make("random", space).ask()]
    edges = [[cell.edges[k] for genotype in drawn for cell in genotype.cells] for k in range(6)]
    assert [len(set(column)) for column in edges] == [5, 5, 4, 5, 5, 5]


def make(name: str, space: Space):  # type: ignore[no-untyped-def]
    return make_strategy(settings(name, None), problem(space))


def test_limits_that_are_not_set() -> None:
    space = SPACES["free"][0]
    for name in STRATEGIES:
        if name not in OPTUNA:
            limit = most_evaluations(SearchConfig(strategy=name), make(name, space))
            assert limit == (None if name in ENDING else DEFAULT_EVALUATIONS)
    assert most_evaluations(SearchConfig(evaluations=7), make("spikenas", space)) == 7


def test_everything_has_a_name_a_summary_and_a_source() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert strategy.summary
        assert strategy.source
        assert STRATEGIES.find(name) is strategy


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown strategy 'evolutoin', did you mean 'evolution'\?"):
        STRATEGIES.find("evolutoin")
    with pytest.raises(ConfigError, match="unknown strategy 'x', known: evolution, exhaustive"):
        STRATEGIES.find("x")


def test_optuna_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"tpe needs Optuna; pip install 'spikenas\[optuna\]'"):
        make("tpe", SPACES["free"][0])
