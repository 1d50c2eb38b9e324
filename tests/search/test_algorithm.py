import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from spikenas.config import BudgetConfig, NetworkConfig, SearchConfig
from spikenas.errors import BudgetError, ConfigError, RunError, ScoreError
from spikenas.memory import Footprint, footprint, violations
from spikenas.search import SearchResult, Trial, TrialStore, search
from spikenas.seeding import seed_of
from spikenas.space import Genotype, InputSpec, Space, make_plan

INPUT = InputSpec(3, 32, 32, 10)
FREE = BudgetConfig()
DEFAULT = SearchConfig()


@dataclass
class Value:
    score: float
    seconds: float = 0.0


def cost(cells: int) -> Callable[[Genotype], Footprint]:
    network = NetworkConfig(channels=4, cells=cells)
    return lambda genotype: footprint(make_plan(genotype, network, INPUT))


def noise(genotype: Genotype) -> Value:
    """A score that is anything, but always the same for one network."""
    return Value(random.Random(seed_of(repr(genotype.canonical))).random())


def run(
    space: Space,
    settings: SearchConfig = DEFAULT,
    budget: BudgetConfig = FREE,
    evaluate: Callable[[Genotype], Value] = noise,
    store: TrialStore | None = None,
) -> tuple[SearchResult, list[Trial]]:
    store = store or TrialStore()
    return search(space, settings, budget, cost(space.cells), evaluate, store), list(store)


def test_one_cell_is_an_exhaustive_search() -> None:
    space = Space.of(["skip", "conv3x3", "none"], cells=1)
    result, trials = run(space)
    best = max((Genotype((cell,)) for cell in space.distinct_cells), key=lambda g: noise(g).score)
    assert result.genotype == best
    assert result.score == noise(best).score
    assert len(trials) == result.trials == result.scored == len(space.distinct_cells)


def test_two_cells_are_searched_as_one() -> None:
    result, trials = run(Space.of(["skip", "conv3x3"]))
    assert len(trials) == 39
    assert {trial.step for trial in trials} == {"cell 2"}
    assert result.genotype.cells[0] == result.genotype.cells[1]


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
        assert {genotype.cells[2] for genotype in third} == set(space.distinct_cells)
        assert result.genotype == max(third, key=lambda g: noise(g).score)
    else:
        assert third == second
        assert result.genotype == found


def test_refining_never_makes_it_worse_and_ends_in_a_local_optimum() -> None:
    space = Space.of(["skip", "conv3x3"])
    scores = [run(space, SearchConfig(refine=k))[0].score for k in range(4)]
    assert scores == sorted(scores)
    assert scores[1] > scores[0]
    result, trials = run(space, SearchConfig(refine=3))
    assert len(trials) == 39 * 7
    for place, cell in itertools.product((0, 1), space.distinct_cells):
        cells = list(result.genotype.cells)
        cells[place] = cell
        assert noise(Genotype(tuple(cells))).score <= result.score


def median_of(space: Space, *names: str) -> BudgetConfig:
    """A budget that half of the networks with equal cells meet, for each of the limits named."""
    costs = [cost(space.cells)(Genotype((cell,) * space.cells)) for cell in space.distinct_cells]
    figures = {"params": "params", "flash": "flash_bytes", "ram": "ram_bytes"}
    return BudgetConfig(
        **{name: sorted(getattr(one, figures[name]) for one in costs)[len(costs) // 2] for name in names}
    )


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
    assert not violations(cost(cells)(result.genotype), budget)
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


def test_nothing_fits() -> None:
    with pytest.raises(BudgetError, match="no candidate of step 'cell 2' meets the budget"):
        run(Space.of(["skip", "conv3x3"]), budget=BudgetConfig(params=10))


def test_a_score_that_cannot_be_computed_never_wins() -> None:
    space = Space.of(["skip", "conv3x3"], cells=1)
    good = Genotype((space.distinct_cells[20],))
    result, _ = run(space, evaluate=lambda genotype: Value(-50.0 if genotype == good else -math.inf))
    assert result.genotype == good
    with pytest.raises(ScoreError, match="none of the 39 candidates of step 'cell 1' that fit has a score"):
        run(space, evaluate=lambda genotype: Value(-math.inf))
    with pytest.raises(ScoreError, match="none of the 39 candidates"):
        run(space, evaluate=lambda genotype: Value(math.nan))


def test_of_equal_scores_the_first_wins() -> None:
    space = Space.of(["skip", "conv3x3"], cells=1)
    result, _ = run(space, evaluate=lambda genotype: Value(1.0))
    assert result.genotype.cells[0] == space.distinct_cells[0]


def test_nan_is_kept_as_minus_infinity() -> None:
    space, store = Space.of(["skip", "conv3x3"], cells=1), TrialStore()
    good = Genotype((space.distinct_cells[20],))

    def evaluate(genotype: Genotype) -> Value:
        return Value(1.0 if genotype == good else math.nan)

    first = run(space, evaluate=evaluate, store=store)
    assert run(space, evaluate=evaluate, store=store) == first
    assert {trial.score for trial in first[1]} == {1.0, -math.inf}


def test_a_space_too_large_to_enumerate_says_so() -> None:
    with pytest.raises(ConfigError, match="can be 2,097,152 things, at most 1,000,000 can be enumerated"):
        run(Space.of(["skip", "conv3x3"], cells=1, nodes=7))
