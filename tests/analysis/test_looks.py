import math
from dataclasses import replace

import pytest
from made_up import SPACE, convs, cost, judges, noise

from spikenas.analysis.looks import Looks, Viewer
from spikenas.analysis.variants import variants_of
from spikenas.config import BudgetConfig
from spikenas.judges import Judge
from spikenas.memory import violations
from spikenas.search.executors import InProcess
from spikenas.tabular import network_of

VARIANTS = variants_of(SPACE)


def test_every_variant_is_looked_at_with_every_seed_and_its_judge() -> None:
    viewer = Viewer(judges(lambda g, number: 100 * number + noise(g), 2), cost, seeds=5, draws=4)
    seen: list[tuple[int, int]] = []
    found = viewer.look(VARIANTS, lambda done, total: seen.append((done, total)))
    assert {(looks.variant, looks.seed) for looks in found} == {(v.name, s) for v in VARIANTS for s in range(5)}
    assert all(looks.judge == looks.seed % 2 and len(looks.looks) == 4 for looks in found)
    assert all(abs(look.score - 100 * looks.judge) < 20 for looks in found for look in looks.looks)
    assert seen[-1] == (100, 100)
    assert found == viewer.look(VARIANTS)


def test_what_is_found_is_the_best_by_score_with_its_true_value() -> None:
    truth = {network_of(g): -float(convs(g)) for g in VARIANTS[0].draws(0)}
    (one,) = judges(lambda g, number: float(convs(g)), 1)
    found = Viewer([one], cost, seeds=1, draws=50, truth=truth).look(VARIANTS[:1])[0].found
    assert found is not None
    assert found.value == -found.score == -3


def test_budget_and_what_a_judge_does_not_know() -> None:
    space = replace(SPACE, members=VARIANTS[0].forms)
    known = {network_of(g) for k, g in enumerate(VARIANTS[0].draws(0)) if k % 2}
    budget = BudgetConfig(flash=sorted(cost(g).flash_bytes for g in VARIANTS[0].draws(0))[len(known)])
    judge = Judge("half", "half", InProcess(lambda g: judges(lambda h, n: noise(h), 1)[0].executor.evaluator(g)), known)
    for strategy in (None, "random"):
        viewer = Viewer([judge], cost, budget, seeds=3, draws=6, strategy=strategy)
        for looks in viewer.look(variants_of(space)):
            assert looks.looks
            for look in looks.looks:
                assert network_of(look.genotype) in known
                assert not violations(look.cost, budget)


def test_a_variant_of_which_nothing_fits_has_no_looks() -> None:
    least = min(cost(g).flash_bytes for g in VARIANTS[0].draws(0))
    viewer = Viewer(judges(lambda g, number: noise(g), 1), cost, BudgetConfig(flash=least), seeds=2, draws=3)
    by_name = {looks.variant: looks for looks in viewer.look(VARIANTS)}
    assert by_name["all"].found
    assert by_name["without skip"].found is None


@pytest.mark.parametrize("strategy", ["random", "evolution", "spikenas"])
def test_a_search_is_repeated_within_the_variant(strategy: str) -> None:
    viewer = Viewer(judges(lambda g, number: float(convs(g)), 2), cost, seeds=4, draws=8, strategy=strategy)
    for looks in viewer.look(VARIANTS):
        variant = next(v for v in VARIANTS if v.name == looks.variant)
        assert 0 < len(looks.looks) <= 8
        assert all(look.genotype in variant.space for look in looks.looks)


def test_no_score_never_wins() -> None:
    viewer = Viewer(judges(lambda g, number: -math.inf if convs(g) else 1.0, 1), cost, seeds=1, draws=40)
    found = viewer.look(VARIANTS[:1])[0].found
    assert found
    assert convs(found.genotype) == 0
    assert Looks("all", 0, 0, ()).found is None
