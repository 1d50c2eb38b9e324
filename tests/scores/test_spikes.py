from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spikenas.config import NetworkConfig
from spikenas.scores.probe import SpikeScore
from spikenas.scores.spikes import SpikeRun, Store, needed_layers
from spikenas.space import Cell, Genotype, InputSpec, Plan, Space, make_plan

STILL = InputSpec(3, 8, 8, 4)
EVENTS = InputSpec(2, 8, 8, 4, static=False)
COMPACT = NetworkConfig(channels=3, neuron="lif", timesteps=3)
SNASNET = NetworkConfig(kind="snasnet", channels=3, timesteps=3, hidden=12, votes=2)
SPACES = {feedback: Space.of(["skip", "conv3x3", "avgpool3x3"], feedback=feedback) for feedback in (False, True)}


def weighted(spikes: Tensor) -> Tensor:
    """A summary that a single other spike would change."""
    shape = spikes.shape
    places = torch.arange(1, spikes[0, 0].numel() + 1, dtype=torch.float64).view(shape[2:])
    return (spikes * places).flatten(2).sum((0, 2))


def score(*copies: float) -> SpikeScore:
    return SpikeScore("weighted", "", "", weighted, lambda layers: float(len(layers)), copies)


def batch(spec: InputSpec, size: int = 3) -> Tensor:
    shape = (size, spec.channels, spec.height, spec.width)
    return torch.randn(shape if spec.static else (3, *shape), generator=torch.Generator().manual_seed(0))


def measured(run: SpikeRun, plan: Plan, repeat: int = 0) -> dict[str, list[Any]]:
    layers, rates = run.measure(plan, repeat)
    return {one.layer.name: [one.edges, one.summary.tolist(), rates[one.layer.name]] for one in layers[0]}


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    store_bytes=st.sampled_from([0, 3_000, 20_000, 60_000, 1 << 30]),
    feedback=st.booleans(),
    setting=st.sampled_from([(COMPACT, STILL), (SNASNET, STILL), (COMPACT, EVENTS)]),
)
def test_what_is_shared_changes_no_spike(
    seed: int, store_bytes: int, feedback: bool, setting: tuple[NetworkConfig, InputSpec]
) -> None:
    rng = random.Random(seed)
    network, spec = setting
    cells: list[Cell] = [
        genotype.cells[0]
        for genotype in (SPACES[feedback].sample(rng) for _ in range(8))
        if genotype.cells[0].canonical.connected
    ]
    plans = [make_plan(Genotype((rng.choice(cells), rng.choice(cells))), network, spec) for _ in range(6) if cells]
    run = SpikeRun([score(0.5)], batch(spec), 1, store_bytes)
    for plan in plans:
        repeat = rng.randrange(2)
        alone = SpikeRun([score(0.5)], batch(spec), 1, 0)
        assert measured(run, plan, repeat) == measured(alone, plan, repeat)
        assert run._values.used_bytes + run._measured.used_bytes <= store_bytes


def test_what_an_earlier_candidate_had_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(text: str) -> Plan:
        return make_plan(Genotype.parse(text), COMPACT.but({"cells": 1}), STILL)

    seen: list[set[str]] = []

    def spy(plan: Plan, *arguments: Any) -> set[str]:
        seen.append(needed_layers(plan, *arguments))
        return seen[-1]

    monkeypatch.setattr("spikenas.scores.spikes.needed_layers", spy)
    run = SpikeRun([score()], batch(STILL), 0, 1 << 20)
    for text in ("0-1:conv3x3 1-3:conv3x3", "0-1:conv3x3 1-3:conv1x1", "0-1:conv3x3 1-3:conv3x3"):
        measured(run, plan(text))
    first, second = seen  # nothing at all runs the third time
    assert {"stem.conv", "cell1.op1.conv", "head.lif"} <= first
    assert "head.linear" not in first
    assert second == {"cell1.op2.lif", "cell1.op2.conv", "cell1.op2.bn", "head.bn", "head.lif"}


def test_copies_are_the_images_with_noise_of_their_own() -> None:
    x = batch(STILL)
    run = SpikeRun([score(0.0, 0.5, 0.5)], x, 3, 0)
    clean, still, noisy, other = run._batch(0).split(3)
    assert torch.equal(clean, x)
    assert torch.equal(still, x)
    assert not torch.equal(noisy, other)
    assert 0.3 < (noisy - x).std() < 0.7
    assert torch.equal(run._batch(0), SpikeRun([score(0.0, 0.5, 0.5)], x, 3, 0)._batch(0))
    assert not torch.equal(run._batch(0), run._batch(1))
    assert not torch.equal(run._batch(0), SpikeRun([score(0.0, 0.5, 0.5)], x, 4, 0)._batch(0))
    events = batch(EVENTS)
    joined = SpikeRun([score(0.5)], events, 0, 0)._batch(0)
    assert joined.shape == (3, 6, 2, 8, 8)
    assert torch.equal(joined[:, :3], events)


def test_rates_are_of_the_images_without_noise() -> None:
    plan = make_plan(Genotype.parse("0-3:conv3x3"), COMPACT.but({"cells": 1}), STILL)
    emitted: list[Tensor] = []

    def keep(spikes: Tensor) -> int:
        emitted.append(spikes[:, :3])
        return 0

    run = SpikeRun([SpikeScore("keep", "", "", keep, lambda layers: 0.0, (2.0,))], batch(STILL), 0, 0)
    _, rates = run.measure(plan, 0)
    assert list(rates.values()) == [pytest.approx(float(spikes.mean())) for spikes in emitted]
    assert list(rates) == ["cell1.op1.lif", "head.lif"]


def test_what_only_feeds_back_emits_nothing_in_one_timestep() -> None:
    network = COMPACT.but({"timesteps": 1, "cells": 1})
    plan = make_plan(Genotype.parse("0-1:conv3x3 1-3:conv1x1 3-0:conv5x5"), network, STILL)
    run = SpikeRun([score()], batch(STILL), 0, 1 << 20)
    lifs = [layer.name for layer in plan.layers if layer.kind == "neuron"]
    assert list(measured(run, plan)) == [name for name in lifs if name not in plan.only_fed_back] != lifs
    assert measured(run, plan) == measured(run, plan)


def test_a_store_forgets_what_was_used_least_recently() -> None:
    value = torch.zeros(100)
    store = Store(1_000)
    store["a"], store["b"] = value, value
    assert store["a"] is value
    store["c"] = value
    assert ["a" in store, "b" in store, "c" in store] == [True, False, True]
    store["large"] = torch.zeros(1_000)
    assert "large" not in store
    assert "a" in store
    store["a"] = (value, value)
    assert ["a" in store, "c" in store] == [True, False]
    assert 800 < store.used_bytes <= 1_000
