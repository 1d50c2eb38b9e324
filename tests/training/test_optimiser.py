"""Muon's step, and which parameters it takes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.config import NetworkConfig, TrainConfig, usual_batch
from spikenas.snn.network import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.optimiser import Muon, make_optimiser, orthogonal


def network(cell: str = "0-1:conv3x3 1-2:dwconv3x3 2-3:conv1x1", seed: int = 0) -> Network:
    plan = make_plan(Genotype.parse(cell), NetworkConfig(channels=6, cells=1, neuron="ilif", timesteps=1),
                     InputSpec(1, 8, 8, 10))  # fmt: skip
    return Network(plan, seed)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 9), st.floats(-6, 6))
def test_singular_values_become_about_1_and_their_vectors_stay(
    rows: int, columns: int, seed: int, power: float
) -> None:
    few = min(rows, columns)
    generator = torch.Generator().manual_seed(seed)
    u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=generator).double(), full_matrices=False)
    values = torch.linspace(1.0, 0.3, few).double()
    found = orthogonal((u * values) @ v * 10**power)
    rotated = u.T @ found @ v.T
    assert torch.allclose(rotated, rotated.diag().diag(), atol=1e-6)
    assert rotated.diag().min() > 0.4
    assert rotated.diag().max() < 1.3


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert not orthogonal(torch.zeros(3, 5)).any()


def test_the_norm_of_a_matrix_is_held_and_its_step_is_the_learning_rate() -> None:
    weight = torch.nn.Parameter(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)))
    optimiser = Muon([weight], lr=0.0, momentum=0.0)
    weight.grad = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    optimiser.step()
    assert weight.detach().norm() == pytest.approx(8**0.5, rel=1e-5)
    before = weight.detach().clone()
    optimiser.param_groups[0]["lr"] = 0.1
    optimiser.step()
    moved = (before - weight.detach()).flatten(1)
    assert torch.linalg.svdvals(moved).max() < 0.13
    assert moved.norm() == pytest.approx(0.1 * 8**0.5, rel=0.3)
    assert (moved * weight.grad.flatten(1)).sum() > 0


def test_what_is_plain_is_stepped_as_by_sgd() -> None:
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4)) for _ in range(2))
    muon = Muon([{"params": [ours], "plain": True, "lr_factor": 2.0, "weight_decay": 0.01}], lr=0.1, momentum=0.6)
    sgd = torch.optim.SGD([theirs], lr=0.2, momentum=0.6, weight_decay=0.01, nesterov=True)
    for step in range(4):
        for parameter in (ours, theirs):
            parameter.grad = torch.sin(torch.arange(12.0).view(3, 4) + step)
        muon.step()
        sgd.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_muon_takes_the_convolutions_but_the_first_and_depthwise_ones() -> None:
    net = network()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    groups = make_optimiser(net, TrainConfig(), 128).param_groups
    taken = [[names[id(parameter)] for parameter in group["params"]] for group in groups]
    assert taken[0] == ["layers.cell1_op1_conv.weight", "layers.cell1_op2_conv.weight", "layers.cell1_op3_conv.weight"]
    assert {"layers.stem_conv.weight", "layers.cell1_op2_depthwise.weight", "layers.head_linear.weight"} <= set(
        taken[1]
    )
    assert all(name.endswith("bias") or "bn" in name for name in taken[2])
    assert sorted(name for group in taken for name in group) == sorted(names.values())
    assert [group["weight_decay"] > 0 for group in groups] == [False, True, False]


def test_sgd_is_pytorchs() -> None:
    found = make_optimiser(network(), TrainConfig(optimiser="sgd", momentum=0.9), 128)
    assert type(found) is torch.optim.SGD
    assert len(found.param_groups) == 2


def test_a_network_of_one_convolution_has_nothing_for_muon() -> None:
    net = network("0-3:skip")
    optimiser = make_optimiser(net, TrainConfig(), 128)
    F.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.arange(4)).backward()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    optimiser.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


def test_what_sgd_steps_has_a_rate_by_the_size_of_a_batch() -> None:
    factors = {batch: make_optimiser(network(), TrainConfig(), batch).param_groups for batch in (16, 128)}
    assert [group["lr_factor"] for group in factors[16]] == [1, 2, 2]
    assert [group["lr_factor"] for group in factors[128]] == [1, 16, 16]


@pytest.mark.parametrize(("images", "batch"), [(5, 16), (300, 16), (639, 32), (640, 64), (1_295, 128), (50_000, 128)])
def test_few_images_are_stepped_by_fewer(images: int, batch: int) -> None:
    assert usual_batch(images) == batch
