"""A penalty on spikes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from spikenas import Task
from spikenas._util.errors import ConfigError
from spikenas.config import Config, NetworkConfig
from spikenas.snn.network import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import load_model
from spikenas.training.loop import train
from spikenas.training.penalty import SpikePenalty

CELLS = ("0-1:conv3x3 1-2:skip 0-3:skip 2-3:dwconv3x3", "0-1:conv3x3 1-3:conv1x1 3-0:skip")


def network(cell: str, **settings: object) -> Network:
    config = NetworkConfig.parse({"channels": 4, "cells": 1, **settings})
    return Network(make_plan(Genotype.parse(cell), config, InputSpec(1, 8, 8, 3)))


def penalty_where_all_are(bias: float, cell: str, strength: float, **settings: object) -> float:
    one = network(cell, **settings).train()
    with torch.no_grad():
        for module in one.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.zero_(), module.bias.fill_(bias)
    penalty = SpikePenalty(one, strength)
    one(torch.rand(5, 1, 8, 8))
    return penalty.take().item()


@pytest.mark.parametrize(
    "settings", [{"neuron": "lif", "timesteps": 3}, {"neuron": "ilif", "timesteps": 1, "levels": 1}]
)
def test_its_unit_is_one_spike_of_each_neuron_at_each_timestep(settings: dict[str, object]) -> None:
    assert penalty_where_all_are(50.0, CELLS[0], 0.3, **settings) == pytest.approx(0.3, rel=1e-6)
    assert penalty_where_all_are(-50.0, CELLS[0], 0.3, **settings) == 0


def test_spikes_of_ilif_count_each() -> None:
    assert penalty_where_all_are(50.0, CELLS[0], 0.3, neuron="ilif", timesteps=2, levels=3) == pytest.approx(0.9)


def test_a_stage_that_steps_through_time_is_seen() -> None:
    assert penalty_where_all_are(50.0, CELLS[1], 1.0, neuron="lif", timesteps=3) == pytest.approx(1.0, abs=0.1)


def test_it_leaves_nothing_of_validation_behind() -> None:
    one = network(CELLS[0])
    penalty = SpikePenalty(one, 1.0)
    one.eval()(torch.rand(5, 1, 8, 8))
    one.train()(x := torch.rand(5, 1, 8, 8))
    first = penalty.take()
    one(x)
    assert torch.equal(penalty.take(), first)


def test_a_network_trained_with_it_sends_less(tmp_path: Path) -> None:
    def synops(strength: float) -> float:
        settings = {"network.channels": 6, "train.epochs": 4, "train.batch": 64, "threads": 1}
        task = Task("digits", settings={**settings, "train.spike_penalty": strength}).sized()
        folder = tmp_path / f"{strength}"
        plan = task.plan("0-1:conv3x3 1-3:conv3x3 / 0-3:conv3x3")
        train(plan, task.dataset, task.statistics, task.config, folder)
        return load_model(folder / "model.safetensors").evaluate(task.dataset.validation).synops or 0.0

    assert synops(3.0) < 0.7 * synops(0.0)


def test_a_network_without_spikes_has_no_penalty() -> None:
    with pytest.raises(ConfigError, match=r"train\.spike_penalty: relu neurons send no spikes"):
        Config.parse({"network": {"neuron": "relu"}, "train": {"spike_penalty": 0.1}})
