import math
from dataclasses import replace

import pytest
from made_up import SPACE, convs, cost, evaluators, noise

from spikenas.config import BudgetConfig
from spikenas.enhancement.samples import Sampler, SampleSet
from spikenas.enhancement.variants import variants_of
from spikenas.memory import violations
from spikenas.nas.executors import InProcess
from spikenas.space.genotype import network_key
from spikenas.training.evaluators import Evaluator

VARIANTS = variants_of(SPACE)


def test_every_variant_is_sampled_with_every_seed_and_its_evaluator() -> None:
    sampler = Sampler(evaluators(lambda g, number: 100 * number + noise(g), 2), cost, seeds=5, draws=4)
    seen: list[tuple[int, int]] = []
    found = sampler.sample(VARIANTS, lambda done, total: seen.append((done, total)))
    assert {(samples.variant, samples.seed) for samples in found} == {(v.name, s) for v in VARIANTS for s in range(5)}
    assert all(samples.evaluator == samples.seed % 2 and len(samples.samples) == 4 for samples in found)
    assert all(abs(sample.score - 100 * samples.evaluator) < 20 for samples in found for sample in samples.samples)
    assert seen[-1] == (100, 100)
    assert found == sampler.sample(VARIANTS)


def test_what_is_found_is_the_best_by_score_with_its_true_value() -> None:
    truth = {network_key(g): -float(convs(g)) for g in VARIANTS[0].draws(0)}
    (one,) = evaluators(lambda g, number: float(convs(g)), 1)
    found = Sampler([one], cost, seeds=1, draws=50, truth=truth).sample(VARIANTS[:1])[0].found
    assert found is not None
    assert found.value == -found.score == -3


def test_budget_and_what_a_judge_does_not_know() -> None:
    space = replace(SPACE, members=VARIANTS[0].forms)
    known = {network_key(g) for k, g in enumerate(VARIANTS[0].draws(0)) if k % 2}
    budget = BudgetConfig(flash=sorted(cost(g).flash_bytes for g in VARIANTS[0].draws(0))[len(known)])
    evaluator = Evaluator(
        "half", "half", InProcess(lambda g: evaluators(lambda h, n: noise(h), 1)[0].executor.evaluator(g)), known
    )
    for strategy in (None, "random"):
        sampler = Sampler([evaluator], cost, budget, seeds=3, draws=6, strategy=strategy)
        for samples in sampler.sample(variants_of(space)):
            assert samples.samples
            for sample in samples.samples:
                assert network_key(sample.genotype) in known
                assert not violations(sample.cost, budget)


def test_a_variant_of_which_nothing_fits_has_no_looks() -> None:
    least = min(cost(g).flash_bytes for g in VARIANTS[0].draws(0))
    sampler = Sampler(evaluators(lambda g, number: noise(g), 1), cost, BudgetConfig(flash=least), seeds=2, draws=3)
    by_name = {samples.variant: samples for samples in sampler.sample(VARIANTS)}
    assert by_name["all"].found
    assert by_name["without skip"].found is None


@pytest.mark.parametrize("strategy", ["random", "evolution", "spikenas"])
def test_a_search_is_repeated_within_the_variant(strategy: str) -> None:
    sampler = Sampler(evaluators(lambda g, number: float(convs(g)), 2), cost, seeds=4, draws=8, strategy=strategy)
    for samples in sampler.sample(VARIANTS):
        variant = next(v for v in VARIANTS if v.name == samples.variant)
        assert 0 < len(samples.samples) <= 8
        assert all(sample.genotype in variant.space for sample in samples.samples)


def test_no_score_never_wins() -> None:
    sampler = Sampler(evaluators(lambda g, number: -math.inf if convs(g) else 1.0, 1), cost, seeds=1, draws=40)
    found = sampler.sample(VARIANTS[:1])[0].found
    assert found
    assert convs(found.genotype) == 0
    assert SampleSet("all", 0, 0, ()).found is None
