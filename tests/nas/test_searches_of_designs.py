"""Strategies go through spaces of designs by the same loop as through genotypes."""

from __future__ import annotations

import random

import pytest
from problems import noise

from spikenas._util.errors import ConfigError
from spikenas.config import BudgetConfig, NetworkConfig, SearchConfig
from spikenas.memory import Estimator, violations
from spikenas.nas import STRATEGIES, Problem, SearchResult, Trial, TrialStore, make_strategy, search
from spikenas.nas.executors import InProcess
from spikenas.space import Design, DesignSpace, InputSpec, Space

SPACE = DesignSpace(
    Space.of(["none", "skip", "conv3x3"], nodes=3),
    ((16, 16), (2, 2)),
    (3, 1),
    cells=(1, 2, 3),
    widths=(4, 8, 16, 32),
    levels=(0, 3),
)
BUDGET = BudgetConfig(flash=20 * 1024, ram=24 * 1024)
COST = Estimator(NetworkConfig(), InputSpec(3, 16, 16, 10))
OF_DESIGNS = [name for name in STRATEGIES if STRATEGIES.find(name).of_designs and name != "gp"]


class StoppedError(Exception):
    pass


def run(name: str, evaluations: int = 24, store: TrialStore | None = None, stop: int | None = None, seed: int = 0):  # type: ignore[no-untyped-def]
    asked: list[Design] = []

    def evaluate(design: Design):  # type: ignore[no-untyped-def]
        if len(asked) == stop:
            raise StoppedError
        asked.append(design)
        return noise(design)  # type: ignore[arg-type]

    if name in ("tpe", "nsga2"):
        pytest.importorskip("optuna")
    problem = Problem(SPACE, BUDGET, COST, seed)
    strategy = make_strategy(SearchConfig(strategy=name, evaluations=evaluations), problem)
    kept = store or TrialStore()
    result: SearchResult = search(SPACE, strategy, BUDGET, COST, InProcess(evaluate), kept, evaluations)
    trials: list[Trial] = list(kept)
    return result, trials, asked


@pytest.mark.parametrize("name", OF_DESIGNS)
def test_evaluates_designs_that_fit_once_each_and_finds_the_best(name: str) -> None:
    result, trials, asked = run(name)
    assert len({design.canonical for design in asked}) == len(asked) == result.scored <= 24
    assert result.scored >= 12
    for design in asked:
        assert design in SPACE
        assert design.connected
        assert not violations(COST(design), BUDGET)
    assert result.best == max(asked, key=lambda design: noise(design).score)
    assert [Design.parse(trial.genotype) for trial in trials if trial.status == "scored"] == asked
    assert len({(design.image, design.cells) for design in asked}) >= 3
    assert run(name)[1] == trials
    assert run(name, seed=1)[1] != trials


@pytest.mark.parametrize("name", OF_DESIGNS)
def test_a_search_of_designs_goes_on_where_it_was(name: str) -> None:
    whole = run(name)
    for stop in (0, 7, 19):
        store = TrialStore()
        with pytest.raises(StoppedError):
            run(name, store=store, stop=stop)
        again = run(name, store=store)
        assert again[:2] == whole[:2]
        assert len(again[2]) == len(whole[2]) - stop


@pytest.mark.parametrize("name", ["spikenas", "exhaustive"])
def test_what_goes_by_cells_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} goes by cells, and does not search designs; random does"):
        make_strategy(SearchConfig(strategy=name), Problem(SPACE, BUDGET, COST))


def test_random_search_draws_designs_that_fit() -> None:
    problem = Problem(SPACE, BUDGET, COST)
    proposals = make_strategy(SearchConfig(strategy="random"), problem).ask()
    assert len(proposals) >= 8  # none where the image is too small for the cells that are drawn
    assert all(problem.fits(proposal.candidate) for proposal in proposals)
    assert not problem.fits(Design.parse("3x2x2 stride=2 / 4 nodes=3 0-2:skip / 4 nodes=3 0-2:skip"))
    assert SPACE.draw(random.Random(0), lambda design: False) is None
