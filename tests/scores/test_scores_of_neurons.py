"""What scores see of neurons that are no LIF, and which neurons they are given."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from probes import EVENTS, EVERY_OP, FEEDBACK, IMAGES, batch, plan_of, probe_of
from torch import Tensor

from spikenas._util.errors import ConfigError
from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.scores import SCORES
from spikenas.scores.activation import count_entropy
from spikenas.scores.engine import Scorer, at_fidelity
from spikenas.scores.gradient import _Linearised
from spikenas.scores.probe import NetworkScore, SpikeScore
from spikenas.scores.spikes import SpikeRun
from spikenas.snn.ilif import ILIF, BoundedReLU
from spikenas.snn.network import SpikeTrain
from spikenas.snn.synops import fan_out
from spikenas.space import Genotype, InputSpec, make_plan

COUNTING = NetworkConfig(channels=4, neuron="ilif", levels=3)
RELU = NetworkConfig(channels=4, neuron="relu")
OWN = FidelityConfig.model_validate({"channels": "network", "neuron": "network"})
LABELS = torch.arange(8) % 5
CHAIN = Genotype.parse("0-1:conv3x3 1-2:conv3x3 2-3:conv3x3 / 0-3:conv3x3")


def images(spec: InputSpec = IMAGES, timesteps: int = 4) -> Tensor:
    shape = (8, spec.channels, spec.height, spec.width)
    return torch.randn(shape if spec.static else (timesteps, *shape), generator=torch.Generator().manual_seed(0))


def scorer(name: str, network: NetworkConfig, fidelity: FidelityConfig = OWN, spec: InputSpec = IMAGES) -> Scorer:
    return Scorer(name, network, spec, images(spec), fidelity, labels=LABELS)


def measured(network: NetworkConfig, genotype: str, counts: bool) -> tuple[dict[str, Tensor], dict[str, float]]:
    score = SpikeScore("whole", "", "", Tensor.clone, lambda layers: 0.0, counts=counts)
    plan = plan_of(genotype, network)
    (layers,), rates = SpikeRun([score], batch(plan), 1, 0).measure(plan, 0)
    return {one.layer.name: one.summary for one in layers}, rates


def recorded(network: NetworkConfig, genotype: str) -> dict[str, Tensor]:
    probe, record = probe_of(plan_of(genotype, network)), list[SpikeTrain]()
    with torch.no_grad():
        probe.network(probe.images, record)
    return {train.name: train.spikes for train in record}


@pytest.mark.parametrize("genotype", [EVERY_OP, FEEDBACK])
def test_a_score_sees_whether_a_neuron_fired_or_how_many_spikes_it_sent(genotype: str) -> None:
    network = COUNTING.but({"timesteps": 2})
    sent = recorded(network, genotype)
    fired, rates = measured(network, genotype, counts=False)
    counts, same = measured(network, genotype, counts=True)
    assert rates == same
    assert max(float(one.max()) for one in sent.values()) > 1
    for name, spikes in sent.items():
        torch.testing.assert_close(counts[name], spikes, rtol=0, atol=0)
        assert torch.equal(fired[name], (spikes > 0).float())
        assert rates[name] == pytest.approx(float(spikes.mean()), rel=1e-5)


def test_of_relus_all_scores_see_which_are_above_zero() -> None:
    active = {name: (values > 0).float() for name, values in recorded(RELU, EVERY_OP).items()}
    for counts in (False, True):
        seen, rates = measured(RELU, EVERY_OP, counts)
        assert all(torch.equal(seen[name], one) for name, one in active.items())
        assert rates == {name: pytest.approx(float(one.mean())) for name, one in active.items()}


@pytest.mark.parametrize("name", sorted(set(SCORES)))
@pytest.mark.parametrize("network", [COUNTING, COUNTING.but({"timesteps": 3}), RELU], ids=["ilif", "ilif-3", "relu"])
def test_every_score_ranks_networks_of_every_neuron(name: str, network: NetworkConfig) -> None:
    score = scorer(name, network)
    found = [score(genotype).score for genotype in (CHAIN, Genotype.parse("0-3:skip / 0-3:skip"))]
    assert all(map(math.isfinite, found))
    assert found[0] != found[1]
    if isinstance(SCORES.find(name), NetworkScore):
        assert math.isfinite(score(Genotype.parse(FEEDBACK)).score)


def test_the_neuron_of_the_network_changes_no_score_of_the_usual_fidelity() -> None:
    usual = FidelityConfig(channels=4)
    of_lif = scorer("cmrr", NetworkConfig(channels=8, neuron="lif"), usual)(CHAIN).score
    for neuron in ("ilif", "relu"):
        network = NetworkConfig.model_validate({"channels": 8, "neuron": neuron})
        assert scorer("cmrr", network, usual)(CHAIN).score == of_lif
    assert scorer("cmrr", COUNTING.but({"timesteps": 3}), usual)(CHAIN).score == of_lif
    assert scorer("cmrr", COUNTING)(CHAIN).score != of_lif
    assert scorer("cmrr", NetworkConfig(channels=8, neuron="lif", timesteps=3), usual)(CHAIN).score != of_lif, (
        "its own T"
    )


@pytest.mark.parametrize(
    ("network", "fidelity", "static", "expected"),
    [
        ({"neuron": "lif", "timesteps": 3}, {}, True, ("lif", 3)),
        ({"neuron": "ilif"}, {}, True, ("lif", 5)),
        ({"neuron": "ilif", "timesteps": 2}, {}, True, ("lif", 5)),
        ({"neuron": "ilif", "timesteps": 9}, {}, False, ("lif", 9)),
        ({"neuron": "ilif", "timesteps": 2}, {"neuron": "network"}, True, ("ilif", 2)),
        ({"neuron": "ilif"}, {"timesteps": 4}, True, ("lif", 4)),
        ({"neuron": "lif"}, {"neuron": "ilif"}, True, ("ilif", 1)),
        ({"neuron": "relu", "timesteps": 9}, {"neuron": "network"}, False, ("relu", 9)),
    ],
)
def test_neuron_and_timesteps_of_the_fidelity(
    network: dict[str, Any], fidelity: dict[str, Any], static: bool, expected: tuple[str, int]
) -> None:
    found = at_fidelity(NetworkConfig.model_validate(network), FidelityConfig.model_validate(fidelity), static)
    assert (found.neuron, found.timesteps) == expected


def test_relus_of_images_have_one_timestep() -> None:
    with pytest.raises(ConfigError, match=r"^fidelity\.timesteps: relu neurons have no memory; images take 1, got 5$"):
        at_fidelity(NetworkConfig(), FidelityConfig(neuron="relu", timesteps=5), static=True)
    assert math.isfinite(scorer("cmrr", RELU.but({"timesteps": 4}), spec=EVENTS)(CHAIN).score)


def test_synops_are_those_of_the_neurons_that_are_built() -> None:
    genotype = Genotype.parse("0-3:conv3x3")
    plan = make_plan(genotype, COUNTING.but({"cells": 1}), IMAGES)
    _, rates = measured(COUNTING, "0-3:conv3x3", counts=False)
    (neurons,) = (layer for layer in plan.neurons if layer.name == "cell1.op1.ilif")
    expected = rates[neurons.name] * neurons.shape[0] * float(fan_out(plan, neurons).sum())
    own = OWN.but({"repeats": 1})
    assert Scorer("naswot", COUNTING, IMAGES, images(), own, seed=1)(genotype).synops == pytest.approx(
        expected, rel=1e-5
    )
    estimate = scorer("naswot", COUNTING, FidelityConfig(channels=4))(genotype).synops
    assert estimate is not None
    assert 0 < estimate < 9 * 4 * neurons.size
    assert scorer("naswot", RELU)(genotype).synops is None


def test_synops_of_candidates_that_are_scored_with_other_neurons_are_those_of_their_own() -> None:
    network = NetworkConfig(channels=4, neuron="ilif")
    by_lif = scorer("naswot", network, FidelityConfig(channels=4))(CHAIN)
    by_its_own = scorer("naswot", network, FidelityConfig(channels=4, neuron="network"))(CHAIN)
    assert by_lif.score != by_its_own.score
    assert by_lif.synops == pytest.approx(by_its_own.synops, rel=1e-5)


def test_entropy_of_counts_by_hand() -> None:
    spikes = torch.tensor([[[0.0], [3.0], [3.0], [1.0]], [[1.0], [0.0], [0.0], [0.0]]])  # counts 1, 3, 3, 1
    assert count_entropy(spikes) == pytest.approx(math.log(2))


@pytest.mark.parametrize("network", [COUNTING, RELU], ids=["ilif", "relu"])
def test_what_is_linearised_has_no_neurons(network: NetworkConfig) -> None:
    probe = probe_of(plan_of(EVERY_OP, network))
    assert any(isinstance(module, ILIF | BoundedReLU) for module in probe.network.modules())
    assert not any(isinstance(module, ILIF | BoundedReLU) for module in _Linearised(probe.network).modules())


def test_what_the_network_ignores_changes_no_score() -> None:
    genotype = Genotype.parse("0-1:conv3x3 1-3:conv3x3 / 0-3:conv3x3")
    usual, other = NetworkConfig(channels=8), NetworkConfig(channels=8, tau=30.0, v_reset=-0.5)
    assert other.without_effect == ["tau", "v_reset"]
    first, second = (
        Scorer("cmrr", one, IMAGES, images(), FidelityConfig(channels=4))(genotype) for one in (usual, other)
    )
    assert first.score == second.score
