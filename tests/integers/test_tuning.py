from __future__ import annotations

import numpy as np
import pytest
import torch

import spikenas as sn
from programs import Case, model_of
from spikenas._util.class_figures import Figures
from spikenas._util.errors import DivergedError
from spikenas.integers import RoundedNetwork, Tuning, fold, make_grid, make_integers, making, quantise, with_bits
from spikenas.integers.making import _is_worse
from spikenas.task import Task

CELL = "0-1:conv3x3 0-3:skip 1-3:conv3x3"
QUICK = {"network.cells": 1, "network.channels": 8, "network.stem_stride": 1, "train.epochs": 3}
CONVS = "0-1:conv3x3 0-2:skip 0-3:dwconv3x3 1-2:conv3x3 1-3:skip 2-3:conv3x3"


@pytest.mark.parametrize("neuron", ["lif", "ilif", "relu"])
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_the_forward_pass_uses_the_weights_of_the_device(bits: int, neuron: str) -> None:
    plan = Case(f"{CONVS} / {CONVS}", channels=4, weight_bits=bits, neuron=neuron, timesteps=1).plan
    model = model_of(plan)
    grid = make_grid(fold(model), 1 / 64)
    rounded = RoundedNetwork(model, grid, 1 / 64).eval()
    integers = quantise(fold(model), 1 / 64, model.classes, grid)
    folded = fold(model)
    for layer in plan.layers:
        if not layer.weights:
            continue
        key = layer.name.replace(".", "_")
        unit = getattr(rounded, f"unit_{key}").double().numpy()
        step, most = rounded.steps[layer.name], (1 << layer.bits - 1) - 1
        shown = np.clip(np.rint(folded.originals[layer.name] * unit / step), -most, most) * step
        exact = integers.constants[layer.name]["weight"]
        assert np.abs(shown - exact).max() <= step  # a tie may fall to the other side in single precision
        assert (shown != exact).mean() < 0.01


def test_gradients_pass_the_rounding_and_norms_stay() -> None:
    plan = Case(CONVS, channels=4, weight_bits=4).plan
    model = model_of(plan)
    rounded = RoundedNetwork(model, make_grid(fold(model), 1 / 64), 1 / 64).train()
    before = {name: buffer.clone() for name, buffer in rounded.named_buffers()}
    rounded(torch.rand(4, 2, 9, 9)).square().sum().backward()
    for name, parameter in rounded.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
    assert any(parameter.grad.abs().sum() > 0 for parameter in rounded.parameters() if parameter.dim() == 4)
    assert all(torch.equal(buffer, before[name]) for name, buffer in rounded.named_buffers())


def test_activations_are_those_that_a_byte_holds() -> None:
    model = model_of(Case(CONVS, channels=4, neuron="relu", timesteps=1).plan)
    rounded = RoundedNetwork(model, make_grid(fold(model), 1 / 64), 1 / 64)
    relu = rounded.layers["cell1_op1_relu"]
    x = torch.linspace(-2, 8, 1001, requires_grad=True)
    steps = relu(x) * 255 / 6
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
    assert (relu(x) - x.clamp(0, 6)).abs().max() <= 3 / 255 + 1e-6
    relu(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, ((x > 0) & (x < 6)).float())


def test_other_bits_keep_the_weights() -> None:
    model = model_of(Case("0-3:conv3x3").plan)
    found = with_bits(model, 4)
    assert found.network.plan.by_name["cell1.op1.conv"].bits == 4
    assert all(torch.equal(a, b) for a, b in zip(model.network.parameters(), found.network.parameters(), strict=True))


def test_gradients_of_its_weights_are_to_be_bounded() -> None:
    model = model_of(Case(CONVS, channels=4, weight_bits=4).plan)
    assert RoundedNetwork(model, make_grid(fold(model), 1 / 64), 1 / 64).most_gradient == 0.03
    assert model.network.most_gradient is None


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_that_outgrew_their_grid_have_integers(bits: int) -> None:
    model = model_of(Case(f"{CELL} / {CELL}", channels=8, weight_bits=bits, neuron="ilif", timesteps=1).plan)
    grid = make_grid(fold(model), 1 / 64)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter *= 1 + 20 * torch.rand(parameter.shape, generator=rng) ** 4
    assert quantise(fold(model), 1 / 64, model.classes, grid).constants


@pytest.mark.parametrize(("lr", "harm"), [(1e-4, None), (50.0, "of the validation images")])
def test_fine_tuning_that_does_harm_is_not_taken(lr: float, harm: str | None, caplog: pytest.LogCaptureFixture) -> None:
    task = Task("digits", settings={**QUICK, "quantise.lr": lr}).sized()
    model = sn.train(task, "0-1:conv3x3 1-3:conv3x3", progress=False)
    plain = make_integers(model, task, 4)
    made = make_integers(model, task, 4, Tuning(2))
    assert (made.tuned, made.harmed) == (harm is None, harm is not None)
    assert ("fine-tuning did harm" in caplog.text) == (harm is not None)
    if harm:
        assert harm in caplog.text
        weights, own = model.network.state_dict(), made.model.network.state_dict()
        assert weights.keys() == own.keys()
        assert all(torch.equal(weights[name], own[name]) for name in weights)
        assert made.network.evaluate(task.validation).accuracy == plain.network.evaluate(task.validation).accuracy


def test_fine_tuning_that_diverges_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task("digits", settings=QUICK).sized()
    model = sn.train(task, "0-1:conv3x3 1-3:conv3x3", progress=False)

    def diverge(*_: object) -> None:
        raise DivergedError("the training loss became nan in epoch 1; try a smaller learning rate than 0.1")

    monkeypatch.setattr(making, "train", diverge)  # gradients are bounded, so that no rate allowed does it
    made = make_integers(model, task, 4, Tuning(2))
    assert made.harmed
    assert not made.tuned
    assert "loss became nan in epoch 1; a smaller quantise.lr than" in caplog.text


def test_one_item_of_a_rare_class_is_chance_but_not_many_of_a_frequent_one() -> None:
    before = Figures.of([[995, 5], [0, 3]])
    assert not _is_worse(Figures.of([[998, 2], [1, 2]]), before)
    assert _is_worse(Figures.of([[900, 100], [0, 3]]), before)
    alike = Figures.of([[90, 10], [10, 90]])
    assert not _is_worse(Figures.of([[88, 12], [10, 90]]), alike)
    assert _is_worse(Figures.of([[70, 30], [30, 70]]), alike)
