import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import CASES, batch, plan_of

from spikenas.scores import SCORES
from spikenas.scores.activation import (
    agreement,
    component_entropy,
    count_entropy,
    distinct_patterns,
    least_eigenvalue,
    live_share,
)
from spikenas.scores.probe import Measured, SpikeScore
from spikenas.snn.network import Network, SpikeTrain, use_batch_statistics
from spikenas.space import Plan

NAMES = ("naswot", "swap", "expressivity", "meco", "firing-rate", "live-neurons", "count-entropy")
BY_NAME = {name: SCORES[name] for name in NAMES}
QUICK = settings(max_examples=25, deadline=None)


def random_spikes(seed: int, shape: tuple[int, ...], rate: float = 0.4) -> torch.Tensor:
    return torch.from_numpy((np.random.default_rng(seed).random(shape) < rate).astype(np.float32))


def measured(score: SpikeScore, layers: list[torch.Tensor], edges: int = 1) -> list[Measured]:
    layer = next(layer for layer in plan_of("0-3:skip / 0-3:skip").layers if layer.kind == "neuron")
    return [Measured(layer, edges, score.measure(spikes)) for spikes in layers]


def value(name: str, layers: list[torch.Tensor], edges: int = 1) -> float:
    return BY_NAME[name].combine(measured(BY_NAME[name], layers, edges))


def spikes_of(plan: Plan) -> list[torch.Tensor]:
    network = Network(plan, seed=1)
    use_batch_statistics(network)
    record: list[SpikeTrain] = []
    with torch.no_grad():
        network(batch(plan), record)
    return [train.spikes for train in record]


@QUICK
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.05, 0.95))
def test_naswot_equals_the_naive_loop(seed: int, rate: float) -> None:
    layers = [random_spikes(seed, (3, 5, 2, 3, 2), rate), random_spikes(seed + 1, (2, 5, 7), rate)]
    kernel = np.zeros((5, 5))
    for i, j in itertools.product(range(5), repeat=2):
        for x in layers:
            for t, here in enumerate(x[:, i].flatten(1).tolist()):
                kernel[i, j] += sum(a == b for a, b in zip(here, x[t, j].flatten().tolist(), strict=True))
    np.testing.assert_array_equal(sum(agreement(x) for x in layers), kernel)
    assert value("naswot", layers) == pytest.approx(np.linalg.slogdet(kernel)[1])


def test_naswot_counts_neurons_that_ops_share_for_each_of_them() -> None:
    x = random_spikes(0, (3, 5, 20))
    assert value("naswot", [x], edges=2) == pytest.approx(value("naswot", [x, x]))
    assert value("naswot", [x], edges=2) == pytest.approx(value("naswot", [x]) + 5 * math.log(2))


def test_naswot_of_two_equal_samples_is_minus_infinity() -> None:
    x = random_spikes(0, (3, 5, 20))
    x[:, 4] = x[:, 1]
    assert value("naswot", [x]) == -math.inf


@QUICK
@given(seed=st.integers(0, 2**32 - 1), samples=st.sampled_from([1, 5, 31, 32, 33, 64, 70]))
def test_patterns_are_counted_exactly_for_any_number_of_samples(seed: int, samples: int) -> None:
    x = random_spikes(seed, (2, samples, 3, 4, 2), rate=0.04)
    patterns = {
        tuple(x[t, :, c, h, w].tolist()) for t in range(2) for c in range(3) for h in range(4) for w in range(2)
    }
    assert distinct_patterns(x) == len(patterns)
    assert value("swap", [x, x]) == 2 * len(patterns)


def test_liveness_and_rate_by_hand() -> None:
    x = torch.zeros(2, 2, 4)
    x[0, 1, 0] = x[1, 0, 0] = x[1, 1, 2] = 1
    assert live_share(x) == 0.5
    assert value("live-neurons", [x, torch.ones(1, 2, 3)]) == 0.75
    assert value("firing-rate", [x, torch.ones(1, 2, 3)]) == pytest.approx((3 / 16 + 1) / 2)


def test_entropy_of_counts_by_hand() -> None:
    x = torch.zeros(2, 4, 2)
    x[0, 2:, 0] = 1
    x[1, 3:, 0] = 1  # counts 0, 0, 1, 2 and, of the other neuron, 0
    wanted = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert count_entropy(x) == pytest.approx(wanted / 2)


@QUICK
@given(seed=st.integers(0, 2**32 - 1))
def test_channel_statistics_equal_numpy_s(seed: int) -> None:
    x = random_spikes(seed, (2, 4, 3, 3, 2))
    observations = x.movedim(2, 0).flatten(1).double().numpy()
    variances = np.linalg.eigvalsh(np.cov(observations))
    shares = variances / variances.sum()
    assert component_entropy(x) == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-9)
    assert least_eigenvalue(x) == pytest.approx(np.linalg.eigvalsh(np.corrcoef(observations))[0], abs=1e-9)


def test_channel_statistics_at_their_limits() -> None:
    same = random_spikes(0, (2, 4, 1, 3, 3)).expand(-1, -1, 3, -1, -1)
    assert component_entropy(same) == pytest.approx(0, abs=1e-9)
    assert least_eigenvalue(same) == pytest.approx(0, abs=1e-9)
    assert component_entropy(torch.zeros(2, 4, 3, 5)) == least_eigenvalue(torch.zeros(2, 4, 3, 5)) == 0
    many = random_spikes(0, (4, 4000, 3), rate=0.5)
    assert component_entropy(many) == pytest.approx(math.log(3), abs=1e-2)
    assert least_eigenvalue(many) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", BY_NAME)
@QUICK
@given(seed=st.integers(0, 2**32 - 1))
def test_blind_to_the_order_of_samples_and_pixels(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_spikes(seed, (3, 6, 4, 10))
    shuffled = x[:, rng.permutation(6)][..., rng.permutation(10)]
    assert value(name, [shuffled]) == pytest.approx(value(name, [x]), abs=1e-9)


@pytest.mark.parametrize("plan", CASES.values(), ids=CASES.keys())
def test_finite_and_deterministic_on_real_networks(plan: Plan) -> None:
    first, second = spikes_of(plan), spikes_of(plan)
    for name in BY_NAME:
        assert math.isfinite(value(name, first)), name
        assert value(name, first) == value(name, second), name


def test_silence() -> None:
    silent = [torch.zeros(3, 4, 5, 6), torch.zeros(3, 4, 8)]
    values = {name: value(name, silent) for name in BY_NAME}
    assert values.pop("naswot") == -math.inf
    assert values.pop("swap") == 2, "one pattern in each layer"
    assert set(values.values()) == {0.0}
