"""The kind of neuron, and the timesteps that follow from it where nobody set them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import torch

from spikenas._util.errors import ConfigError
from spikenas.config import Config, NetworkConfig, neurons_in_words
from spikenas.memory import footprint
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan


def network(**settings: Any) -> NetworkConfig:
    return Config.parse({"network": settings}).network


@pytest.mark.parametrize(("neuron", "timesteps"), [("lif", 5), ("ilif", 1), ("relu", 1)])
def test_timesteps_follow_the_neuron_where_they_are_not_set(neuron: str, timesteps: int) -> None:
    for made in (
        network(neuron=neuron),
        NetworkConfig.model_validate({"neuron": neuron}),
        NetworkConfig().but({"neuron": neuron}),
        Config().but({"network.neuron": neuron}).network,
        Config().but({"network.neuron": "relu"}).but({"network.neuron": neuron}).network,
        Config().but({"network": NetworkConfig.model_validate({"neuron": neuron, "channels": 8})}).network,
        network(neuron=neuron).but({"channels": 8}),
    ):
        assert (made.neuron, made.timesteps) == (neuron, timesteps)
        assert "timesteps" not in made.model_fields_set


def test_timesteps_that_are_set_stay() -> None:
    for made in (
        network(neuron="ilif", timesteps=3),
        network(timesteps=3).but({"neuron": "ilif"}),
        Config.parse({"network": {"timesteps": 3}}).but({"network.neuron": "ilif"}).network,
        network(neuron="ilif", timesteps=3).but({"neuron": "lif"}),
    ):
        assert made.timesteps == 3
    assert network(neuron="ilif", timesteps=5).timesteps == 5


def test_a_file_has_what_followed_as_if_it_were_set() -> None:
    config = Config().but({"network.neuron": "ilif"})
    again = Config.parse(tomllib.loads(config.dump()))
    assert again == config
    assert again.network.timesteps == 1
    assert "timesteps" not in tomllib.loads(config.dump(given=True))["network"]


def test_what_the_data_decided_is_given_up_with_them() -> None:
    asked = Config().but({"network.neuron": "ilif", "train.flip": True})
    opened = asked.but({"network.timesteps": 16, "train.flip": False, "data.image_size": 8})
    anew = opened.like(asked, ["network.timesteps", "train.flip", "data.image_size"])
    assert anew == asked
    assert anew.but({"network.neuron": "lif"}).network.timesteps == 5


def test_networks_of_the_papers_have_lif() -> None:
    assert (network().neuron, network().timesteps) == ("ilif", 1)
    for made in (network(kind="snasnet"), Config.parse({"space": {"name": "spikenas-bench"}}).network):
        assert (made.kind, made.neuron, made.timesteps) == ("snasnet", "lif", 5)
    assert network(kind="snasnet").but({"kind": "compact"}).neuron == "ilif"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"network": {"neuron": "iliff"}},
            "network.neuron: expected 'lif', 'ilif' or 'relu', got 'iliff', did you mean",
        ),
        ({"network": {"levels": 0}}, "network.levels: expected at least 1, got 0"),
        ({"network": {"levels": 16}}, "network.levels: expected at most 15, got 16"),
        ({"network": {"kind": "snasnet", "neuron": "ilif"}}, "network.neuron: snasnet has lif neurons, got ilif"),
        (
            {"space": {"name": "spikenas-bench"}, "network": {"neuron": "relu"}},
            "network.neuron: snasnet has lif neurons, got relu",
        ),
        (
            {"network": {"kind": "snasnet"}, "fidelity": {"neuron": "ilif"}},
            "fidelity.neuron: snasnet has lif neurons, got ilif",
        ),
    ],
)
def test_what_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse(values, "here")
    assert str(caught.value).startswith(f"here: {said}")


def test_in_words() -> None:
    assert network(neuron="lif").neurons == "lif, T = 5"
    assert network(neuron="ilif", levels=7, timesteps=2).neurons == "ilif, D = 7, T = 2"
    assert neurons_in_words("relu", 4, 1) == "relu (not spiking), T = 1"


@pytest.mark.parametrize(
    ("settings", "ignored"),
    [
        ({"neuron": "lif", "levels": 8, "tau": 2.0, "v_reset": -0.5, "surrogate_alpha": 3.0}, ["levels"]),
        ({"neuron": "lif", "timesteps": 1, "membrane_bits": 8, "tau": 2.0}, []),
        ({"levels": 8, "tau": 2.0, "v_threshold": 0.5, "membrane_bits": 8}, ["membrane_bits", "tau"]),
        ({"timesteps": 4, "tau": 2.0, "membrane_bits": 8, "v_reset": 0.1}, ["v_reset"]),
        ({"surrogate_alpha": 3.0, "dropout": 0.1, "votes": 5, "pool": 3, "hidden": 9},
         ["dropout", "hidden", "pool", "surrogate_alpha", "votes"]),
        ({"neuron": "relu", "timesteps": 4, "levels": 8, "tau": 2.0, "v_threshold": 0.5, "membrane_bits": 8},
         ["levels", "membrane_bits", "tau", "v_threshold"]),
        ({"kind": "snasnet", "dropout": 0.1, "votes": 5, "tau": 2.0}, []),
        ({"levels": 7, "tau": 4 / 3}, []),
    ],
)  # fmt: skip
def test_settings_that_the_neurons_do_not_have(settings: dict[str, Any], ignored: list[str]) -> None:
    assert network(**settings).without_effect == ignored


@pytest.mark.parametrize(("neuron", "timesteps"), [("lif", 1), ("lif", 3), ("ilif", 1), ("ilif", 3), ("relu", 1)])
@pytest.mark.parametrize("key", ["levels", "tau", "v_reset", "v_threshold", "surrogate_alpha", "membrane_bits"])
def test_what_is_said_to_have_no_effect_changes_nothing_and_the_rest_does(
    neuron: str, timesteps: int, key: str
) -> None:
    """A forward and a backward pass of one small network with the same weights tell, and what it takes."""
    other = {"levels": 2, "tau": 3.0, "v_reset": -0.5, "v_threshold": 0.4, "surrogate_alpha": 5.0, "membrane_bits": 8}[
        key
    ]
    found, costs = [], []
    weights: dict[str, torch.Tensor] = {}
    for changes in ({}, {key: other}):
        made = network(neuron=neuron, timesteps=timesteps, cells=1, channels=4, **changes)
        plan = make_plan(Genotype.parse("0-1:conv3x3 1-3:conv3x3"), made, InputSpec(1, 8, 8, 3))
        net = Network(plan, 0)
        weights = weights or net.state_dict()
        net.load_state_dict(weights)
        x = 4 * torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        out = net(x)
        out.square().sum().backward()
        found.append([out.detach(), *(p.grad for p in net.parameters())])
        cost = footprint(plan)
        costs.append((cost.params, cost.flash_bytes, cost.ram_bytes))
    same = costs[0] == costs[1] and all(map(torch.equal, *found))
    assert same == (key in made.without_effect)


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ({}, 7),
        ({"channels": 48}, 7),
        ({"channels": 64}, 5),
        ({"channels": 96}, 3),
        ({"channels": 24, "cells": 3}, 7),
        ({"channels": 48, "cells": 3}, 3),
        ({"channels": 32, "weight_bits": 4}, 6),
        ({"channels": 4096}, 1),
        ({"channels": 4096, "levels": 7}, 7),
        ({"channels": 4096, "neuron": "lif"}, 7),
    ],
)
def test_wide_networks_have_fewer_levels_where_none_are_asked_for(settings: dict[str, Any], levels: int) -> None:
    found = network(**settings)
    assert found.levels == levels
    narrow = found.but({"channels": 8, "cells": 2})
    assert narrow.levels == (levels if "levels" in settings else 7)
