import math
import random
from dataclasses import replace

import pytest
from made_up import SPACE, convs, cost, evaluators, noise
from scipy import stats

from spikenas._util.errors import DataError
from spikenas.enhancement.effects import Effect, EffectEstimator, Interval, Rule, networks_of, verdict_on
from spikenas.enhancement.samples import Sampler, SampleSet
from spikenas.enhancement.variants import variants_of
from spikenas.nas.executors import InProcess
from spikenas.space import Op
from spikenas.space.genotype import network_key
from spikenas.training.evaluators import Evaluator

ADDED = (Op.parse("conv5x5"),)
VARIANTS = variants_of(SPACE, ADDED)


def effects(sampler: Sampler, rule: Rule | None = None, by_evaluator: bool = True) -> dict[str, Effect]:
    estimator = EffectEstimator(rule or Rule(), len(VARIANTS) - 1, cost, by_evaluator, sampler.truth)
    return {effect.name: effect for effect in estimator.effects(VARIANTS, sampler.sample(VARIANTS))}


def test_an_op_that_makes_networks_better_is_needed_and_one_that_does_nothing_removable() -> None:
    sampler = Sampler(evaluators(lambda g, number: convs(g) + 0.2 * noise(g, number), 12), cost, seeds=12, draws=12)
    found = effects(sampler)
    assert found["without conv3x3"].verdict == "needed"
    assert found["without conv3x3"].loss.mean > 1.5
    assert found["without conv1x1"].verdict == "removable"
    assert found["with conv5x5"].verdict == "useless"
    assert found["without conv3x3"].seeds == 12
    shared = found["without conv3x3"].share
    assert shared
    assert shared.share == 1 > shared.among_all
    assert found["with conv5x5"].share is None


def test_an_added_op_that_is_worth_its_memory() -> None:
    sampler = Sampler(
        evaluators(lambda g, number: 2 * convs(g, "conv5x5") + noise(g, number), 10), cost, seeds=10, draws=12
    )
    added = effects(sampler)["with conv5x5"]
    assert added.verdict == "worthwhile"
    assert added.gain_per_kib is not None
    assert added.gain_per_kib == pytest.approx(-added.loss.mean / added.flash_bytes * 1024)
    assert added.memory
    assert added.memory.flash_bytes > 4 * 4 * 25  # at least its weights


def test_the_loss_is_the_truth_of_the_evaluators_choice() -> None:
    truth = {network_key(g): convs(g) / 10 for g in VARIANTS[0].draws(0)}
    wrong = Evaluator(
        "wrong", "w", InProcess(lambda g: evaluators(lambda h, n: -convs(h), 1)[0].executor.evaluator(g)), truth
    )
    sampler = Sampler([wrong], cost, seeds=8, draws=12, truth=truth)
    variants = [variant for variant in VARIANTS if not variant.added]
    found = EffectEstimator(Rule(), 4, cost, False, truth).effects(variants, sampler.sample(variants))
    by_name = {effect.name: effect for effect in found}
    assert by_name["without conv3x3"].loss.mean == pytest.approx(0)  # the evaluator never took one
    assert by_name["without conv3x3"].best_lost == pytest.approx(0.3)


def test_a_variant_of_which_nothing_fits_is_needed() -> None:
    sampler = Sampler(evaluators(lambda g, number: convs(g) + noise(g, number), 6), cost, seeds=6, draws=6)
    samples = [replace(one, samples=()) if one.variant == "without skip" else one for one in sampler.sample(VARIANTS)]
    found = {e.name: e for e in EffectEstimator(Rule(), 5, cost, True).effects(VARIANTS, samples)}
    assert (found["without skip"].verdict, found["without skip"].failed) == ("needed", 6)


@pytest.mark.parametrize(
    ("low", "high", "added", "failures", "verdict"),
    [
        (-0.5, 0.24, False, 0, "removable"),
        (-0.5, 0.25, False, 0, "open"),
        (0.25, 0.9, False, 0, "open"),
        (0.26, 0.9, False, 0, "needed"),
        (0.1, 0.1, False, 0, "open"),
        (-0.5, 0.1, False, 0.2, "open"),
        (-0.5, 0.1, False, 0.6, "needed"),
        (-0.9, -0.26, True, 0, "worthwhile"),
        (-0.9, -0.25, True, 0, "open"),
        (-0.24, 0.3, True, 0, "useless"),
    ],
)
def test_the_rule(low: float, high: float, added: bool, failures: float, verdict: str) -> None:
    assert verdict_on(Interval((low + high) / 2, low, high), 0.25, added, failures) == verdict


def test_interval_by_scipy() -> None:
    values = [0.3, 1.2, -0.4, 0.9, 0.1]
    interval = Interval.of(values, 0.99)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.99)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_intervals_hold_as_often_as_they_say_although_seeds_share_initialisations() -> None:
    """What an initialisation thinks of an op is the same for all its seeds."""

    def covered(by_evaluator: bool) -> float:
        hits = 0
        for run in range(60):
            rng = random.Random(run)
            likes = [rng.gauss(0, 1) for _ in range(5)]
            pairs = [(seed, seed % 5, likes[seed % 5] + 0.3 * rng.gauss(0, 1)) for seed in range(20)]
            samples = [SampleSet("all", seed, evaluator, ()) for seed, evaluator, _ in pairs]
            estimator = EffectEstimator(Rule(), 1, cost, by_evaluator)
            interval = estimator._interval([(one, one) for one in samples], [d for _, _, d in pairs], 0.95)
            hits += interval.low < 0 < interval.high
        return hits / 60

    assert covered(by_evaluator=True) > 0.88
    assert covered(by_evaluator=False) < 0.85


def test_what_initialisations_differ_by_is_taken_off_and_nothing_else() -> None:
    offsets = (0.0, 5.0, -3.0)
    exact = Sampler(evaluators(lambda g, number: float(convs(g)), 3), cost, seeds=9, draws=12).sample(VARIANTS)
    assert all(sample.value == pytest.approx(convs(sample.genotype)) for sample in networks_of(exact).values())
    moved = Sampler(evaluators(lambda g, n: convs(g) + offsets[n], 3), cost, seeds=9, draws=12).sample(VARIANTS)
    errors = [sample.value - convs(sample.genotype) for sample in networks_of(moved).values()]
    assert max(errors) - min(errors) == pytest.approx(0, abs=1e-9)


def test_memory_of_an_edge_by_hand() -> None:
    sampler = Sampler(evaluators(lambda g, number: noise(g, number), 5), cost, seeds=5, draws=40)
    memory = effects(sampler)["without conv3x3"].memory
    assert memory
    assert (
        memory.params >= 4 * 4 * 9 + 8 * 8 * 9
    )  # weights of both cells; more where a BatchNorm or another op dies too


def test_networks_that_cannot_be_told_apart() -> None:
    with pytest.raises(DataError, match="none differs in value"):
        effects(Sampler(evaluators(lambda g, number: 1.0, 5), cost, seeds=5, draws=4))
    with pytest.raises(DataError, match="of 0 networks"):
        effects(Sampler(evaluators(lambda g, number: -math.inf, 5), cost, seeds=5, draws=4))
