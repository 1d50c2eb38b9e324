import itertools
import math

import pytest
from problems import Value, cost, median_of, noise, run

from spikenas._util.errors import ConfigError, NothingFoundError
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.memory import violations
from spikenas.space import Genotype, Space


def test_one_cell_is_an_exhaustive_search() -> None:
    space = Space.of(["skip", "conv3x3", "none"], cells=1)
    result, trials = run(space)
    best = max((Genotype((cell,)) for cell in space.distinct_cells), key=lambda g: noise(g).score)
    assert result.best == best
    assert result.score == noise(best).score
    assert len(trials) == result.trials == result.scored == len(space.distinct_cells)


def test_two_cells_are_searched_as_one() -> None:
    result, trials = run(Space.of(["skip", "conv3x3"]))
    assert len(trials) == 39
    assert {trial.step for trial in trials} == {"cell 2"}
    assert result.best.cells[0] == result.best.cells[1]


@pytest.mark.parametrize("previous", ["fixed", "same"])
def test_three_cells_and_both_readings_of_previous(previous: str) -> None:
    space = Space.of(["skip", "conv3x3"], cells=3)
    result, trials = run(space, SearchConfig(previous=previous))
    candidates = [Genotype.parse(trial.genotype) for trial in trials]
    second, third = candidates[:39], candidates[39:]
    assert all(len(set(genotype.cells)) == 1 for genotype in second)
    found = max(second, key=lambda g: noise(g).score)
    if previous == "fixed":
        assert all(genotype.cells[:2] == found.cells[:2] for genotype in third)
        third.append(found)  # known from the step before
        assert {genotype.cells[2] for genotype in third} == set(space.distinct_cells)
        assert result.best == max(candidates, key=lambda g: noise(g).score)
        assert noise(found).score <= max(noise(genotype).score for genotype in third)
    else:
        assert not third
        assert result.best == found


def test_refining_never_makes_it_worse_and_ends_in_a_local_optimum() -> None:
    space = Space.of(["skip", "conv3x3"])
    scores = [run(space, SearchConfig(refine=k))[0].score for k in range(4)]
    assert scores == sorted(scores)
    assert scores[1] > scores[0]
    result, trials = run(space, SearchConfig(refine=3))
    assert len({Genotype.parse(trial.genotype).canonical for trial in trials}) == len(trials) == result.trials < 39 * 7
    for place, cell in itertools.product((0, 1), space.distinct_cells):
        cells = list(result.best.cells)
        cells[place] = cell
        assert noise(Genotype(tuple(cells))).score <= result.score


@pytest.mark.parametrize("names", [("params",), ("flash",), ("ram",), ("flash", "ram")])
@pytest.mark.parametrize("cells", [1, 2, 3])
def test_every_scored_and_the_found_network_can_meet_the_budget(names: tuple[str, ...], cells: int) -> None:
    space = Space.of(["skip", "conv3x3"], cells=cells)
    budget = median_of(space, *names)
    asked: list[Genotype] = []

    def evaluate(genotype: Genotype) -> Value:
        asked.append(genotype)
        return noise(genotype)

    result, trials = run(space, SearchConfig(refine=1), budget, evaluate)
    assert not violations(cost(cells)(result.best), budget)
    left_out = [trial for trial in trials if trial.status == "over budget"]
    assert 0 < len(left_out) < len(trials)
    assert all(trial.score is None for trial in left_out)
    assert len(asked) == result.scored == len(trials) - len(left_out)
    if cells < 3:
        for trial in trials:
            fits = not violations(cost(cells)(Genotype.parse(trial.genotype)), budget)
            assert fits == (trial.status == "scored")


@pytest.mark.parametrize("name", ["params", "flash", "ram"])
def test_a_candidate_is_left_out_only_if_no_completion_of_it_fits(name: str) -> None:
    space = Space.of(["none", "conv3x3", "avgpool3x3"], cells=3, nodes=3)
    budget = median_of(space, name)
    _, trials = run(space, budget=budget)
    for trial in (one for one in trials if one.step == "cell 2"):
        first, second, _ = Genotype.parse(trial.genotype).cells
        completions = (Genotype((first, second, cell)) for cell in space.distinct_cells)
        possible = any(not violations(cost(3)(completion), budget) for completion in completions)
        assert (trial.status == "scored") == possible


def test_nothing_fits() -> None:
    with pytest.raises(NothingFoundError, match="no candidate of step 'cell 2' meets the budget"):
        run(Space.of(["skip", "conv3x3"]), budget=BudgetConfig(params=10))


def test_a_score_that_cannot_be_computed_never_wins() -> None:
    space = Space.of(["skip", "conv3x3"], cells=1)
    good = Genotype((space.distinct_cells[20],))
    result, _ = run(space, evaluate=lambda genotype: Value(-50.0 if genotype == good else -math.inf))
    assert result.best == good
    with pytest.raises(NothingFoundError, match="none of the 39 candidates of step 'cell 1' that fit has a score"):
        run(space, evaluate=lambda genotype: Value(-math.inf))
    with pytest.raises(NothingFoundError, match="none of the 39 candidates"):
        run(space, evaluate=lambda genotype: Value(math.nan))


@pytest.mark.parametrize(("evaluations", "each"), [(20, [10, 10]), (9, [4, 5]), (78, [39, 39]), (500, [39, 39])])
def test_steps_share_what_evaluations_are_allowed(evaluations: int, each: list[int]) -> None:
    """A share less than the cells is a random one; what is known from the step before costs nothing."""
    space = Space.of(["skip", "conv3x3"], cells=3)
    _, trials = run(space, SearchConfig(evaluations=evaluations), seed=1)
    steps = [sum(trial.step == f"cell {c}" for trial in trials) for c in (2, 3)]
    assert steps[0] == each[0]
    assert each[1] - (evaluations >= 78) <= steps[1] <= each[1]
    free = [trial.genotype for trial in run(space, seed=1)[1]]
    assert ([trial.genotype for trial in trials] == free) == (evaluations >= 78)
    others = [trial.genotype for trial in run(space, SearchConfig(evaluations=evaluations), seed=2)[1]]
    assert ([trial.genotype for trial in trials] == others) == (evaluations >= 78)


def test_what_a_step_leaves_goes_to_the_next() -> None:
    """Of the cells of the last steps many are known from before, and cost nothing."""
    space = Space.of(["skip", "conv3x3"], cells=2)
    evaluations = 39 + 60
    result, trials = run(space, SearchConfig(refine=2, evaluations=evaluations), seed=3)
    assert result.scored > 4 * (evaluations // 5) > 39
    assert len({trial.genotype for trial in trials}) == result.scored <= evaluations


def test_what_does_not_fit_takes_no_share() -> None:
    space = Space.of(["skip", "conv3x3", "conv1x1"], cells=1)
    budget = median_of(space, "flash")
    _, trials = run(space, SearchConfig(evaluations=12), budget)
    assert [trial.status for trial in trials].count("scored") == 12
    assert any(trial.status == "over budget" for trial in trials)


def test_of_equal_scores_the_first_wins() -> None:
    space = Space.of(["skip", "conv3x3"], cells=1)
    result, _ = run(space, evaluate=lambda genotype: Value(1.0))
    assert result.best.cells[0] == space.distinct_cells[0]


def test_a_space_too_large_to_enumerate_says_so() -> None:
    with pytest.raises(ConfigError, match="can be 2,097,152 things, at most 1,000,000 can be enumerated"):
        run(Space.of(["skip", "conv3x3"], cells=1, nodes=7))


def test_a_shared_space_is_one_step_over_the_distinct_cells() -> None:
    space = Space.of(["skip", "conv3x3"], cells=3, shared=True)
    result, trials = run(space)
    assert [Genotype.parse(trial.genotype).cells for trial in trials] == [(c,) * 3 for c in space.distinct_cells]
    assert {trial.step for trial in trials} == {"cell 3"}
    assert noise(result.best).score == result.score == max(trial.score or 0 for trial in trials)
    with pytest.raises(ConfigError, match=r"search\.refine: 1 asked, but with space\.shared no cell"):
        run(space, SearchConfig(refine=1))
