"""What is counted of an inference, beside the same found from what each layer reads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from programs import Case, frames_for, integers_of
from spikenas.integers import IntegerNetwork
from spikenas.integers.operations import access_pj, operations_of
from spikenas.integers.tensors import run_batch
from spikenas.snn.synops import multiplications_of

WIRING = "0-1:conv3x3 0-2:skip 1-3:dwconv3x3 2-3:conv1x1 / 0-1:conv5x5 1-3:skip"
CASES = [
    Case(WIRING, channels=4, neuron="lif", timesteps=2),
    Case(WIRING, channels=4, neuron="ilif", levels=4, timesteps=1),
    Case(WIRING, channels=4, neuron="relu", timesteps=1),
    Case(WIRING, channels=4, neuron="lif", timesteps=2, kind="snasnet"),
]


def by_layers(network: IntegerNetwork, frames: np.ndarray) -> tuple[float, float]:
    """Products of inputs and weights that are not 0: of neurons, and of what else is multiplied."""
    fired: dict[str, torch.Tensor] = {}
    run_batch(network, torch.from_numpy(frames), fired=fired)
    of_neurons, others = 0.0, 0.0
    for layer in network.plan.layers:
        before = network.plan.by_name[layer.terms[0].layer] if layer.weights else layer
        used = torch.from_numpy(network.constants[layer.name]["weight"] != 0).double() if layer.weights else None
        if used is not None and before.kind != "neuron":
            others += multiplications_of(network.plan, layer) * float(used.mean())
        elif used is not None and layer.kind == "conv":
            sent = fired[before.name][-1] / frames.shape[1]
            of_neurons += float(F.conv2d(sent, used, None, layer.stride, layer.kernel // 2, 1, layer.groups).sum())
        elif used is not None:
            sent = fired[before.name][-1].flatten() / frames.shape[1]
            of_neurons += float((used @ sent.reshape(used.shape[1], -1)).sum())
    return of_neurons, others


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.neuron} {case.kind}")
def test_effective_operations_leave_zeros_out(case: Case) -> None:
    network = integers_of(case.plan)
    frames = np.stack(list(frames_for(case.plan, 4)), axis=1).astype(np.uint8)
    found = operations_of(network, frames)
    of_neurons, others = by_layers(network, frames)
    if case.neuron == "lif":
        assert (found.effective_acs, found.effective_macs) == pytest.approx((of_neurons, others))
    else:
        assert (found.effective_acs, found.effective_macs) == pytest.approx((0, of_neurons + others))
    assert 0 < found.effective_acs + found.effective_macs < found.dense
    assert 0 < found.activation_sparsity < 1
    zeros = [own["weight"] == 0 for own in network.constants.values() if "weight" in own]
    assert found.connection_sparsity == sum(one.sum() for one in zeros) / sum(one.size for one in zeros)


def test_a_timestep_more_writes_all_sums_once_more() -> None:
    """Where nothing is sent, sums are all that costs energy, but for the stem's."""
    found = []
    for timesteps in (1, 2, 3):
        case = Case("0-3:conv3x3", neuron="lif", timesteps=timesteps)
        network = integers_of(case.plan)
        for own in network.constants.values():
            if "threshold" in own:
                own["threshold"][:] = 2**15
        frames = np.zeros((1, 1, 2, 9, 9), np.uint8)
        found.append(operations_of(network, frames))
    assert found[0].effective_acs == 0
    steps = [one.memory_joules - before.memory_joules for before, one in pairwise(found)]
    sums = 2 * 3 * 9 * 9 * access_pj(2 * 3 * 9 * 9) * 1e-12
    assert steps == pytest.approx([sums, sums])


def test_an_access_takes_more_in_a_larger_memory() -> None:
    assert [access_pj(size << 10) for size in (1, 8, 20, 32, 1024, 4096)] == [10, 10, 15, 20, 100, 100]
