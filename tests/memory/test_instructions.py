"""Instructions: what is counted by hand, and the prediction against QEMU."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs import Case, frames_for, integers_of
from spikenas.config import BudgetConfig
from spikenas.deployment.measure import measure
from spikenas.deployment.toolchain import CORES
from spikenas.integers import bit_shares_of, leak_of
from spikenas.integers.integers import Leak
from spikenas.memory import footprint, make_program, speed, violations
from spikenas.memory.instructions import (
    _overlap,
    assumed_shares,
    counts_of,
    instruction_costs,
    predict_instructions,
)
from spikenas.memory.kernels import KERNELS
from spikenas.memory.model import code_sizes
from spikenas.space import make_plan

WIRING = "0-1:conv3x3 0-3:skip 1-3:conv3x3"


def test_every_core_knows_what_every_kernel_takes() -> None:
    functions = {
        name.format(bits)
        for kernel in KERNELS.values()
        for name in [kernel.function or kernel.name]
        for bits in (8, 4, 2)
    }
    assert instruction_costs().keys() == code_sizes().keys()
    for core, costs in instruction_costs().items():
        missing = functions - costs.keys()
        assert not missing, (core, missing)
        assert all(min(each) >= 0 < max(each) for each in costs.values())


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3, 5, 7]))
def test_inputs_in_all_windows_of_a_line(outputs: int, inputs: int, kernel: int) -> None:
    outputs = min(outputs, inputs)
    by_hand = sum(0 <= at + k - kernel // 2 < inputs for at in range(outputs) for k in range(kernel))
    assert _overlap(outputs, inputs, kernel) == by_hand


@given(st.floats(1.01, 2.0) | st.floats(4 / 3 - 0.004, 4 / 3 + 0.004))
def test_lanes_are_counted_where_the_integer_leak_is_that_of_the_kernel(tau: float) -> None:
    plan = Case(WIRING, channels=8).plan
    other = make_plan(plan.genotype, plan.network.but({"tau": tau}), plan.input)
    (step,) = (step for step in make_program(other).steps if step.layer == "cell1.op1.lif")
    lanes = sum(counts_of(other, step, assumed_shares(other))[3:5])
    assert (lanes > 0) == (leak_of(tau) == Leak(3, 2))


def test_counts_of_a_convolution_by_hand() -> None:
    """8 channels of 4x4 pixels, half of the lowest and none of the other bits of two are set."""
    plan = Case("0-3:conv3x3", size=4, channels=8, neuron="ilif", levels=3, timesteps=1).plan
    (step,) = (step for step in make_program(plan).steps if step.kernel == "conv")
    counts = counts_of(plan, step, {step.reads[0].removesuffix(".spikes"): (0.5, 0.0)})
    spikes, windows = 4.0, 10 * 10  # a pixel has four; ten inputs are in the windows of a line of four outputs
    assert counts[0] == 1
    assert counts[1:3] == (2 * 4, 2 * 4 * 4)  # lines of outputs, and columns, of both planes
    assert counts[5] == spikes * 10 * 4  # listed: around each line
    assert counts[-1] == spikes * windows * 2  # words that are added: two of 8 channels of 8 bits


@pytest.mark.parametrize("neuron", ["ilif", "lif", "relu"])
def test_more_spikes_take_more_instructions(neuron: str) -> None:
    plan = Case(WIRING, channels=8, neuron=neuron, levels=7, timesteps=1).plan
    program, shares = make_program(plan), assumed_shares(plan)
    more = {name: [min(1.0, 1.5 * share) for share in each] for name, each in shares.items()}
    few, many = (predict_instructions(program, each) for each in (shares, more))
    assert few == many if neuron == "relu" else few < many
    assert footprint(plan).instructions == few


def test_what_was_not_measured_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikenas.memory.instructions.instruction_costs", dict)
    cost = footprint(Case(WIRING).plan)
    assert cost.instructions is None
    assert list(violations(cost, BudgetConfig(instructions=10**9))) == ["instructions"]
    assert set(speed(cost.instructions, BudgetConfig()).values()) == {None}


@pytest.mark.parametrize(
    "core",
    [
        pytest.param(core, marks=pytest.mark.skipif(CORES[core].missing() is not None, reason="no tools"))
        for core in CORES
    ],
)
@pytest.mark.parametrize("neuron", ["ilif", "relu"])
def test_predicted_is_what_is_counted(core: str, neuron: str) -> None:
    plan = Case(WIRING, size=12, channels=12, core=core, neuron=neuron, levels=7, timesteps=1).plan
    network, frames = integers_of(plan), frames_for(plan, 4)
    shares = bit_shares_of(network, np.stack(list(frames), axis=1).astype(np.uint8)) if neuron == "ilif" else {}
    predicted = predict_instructions(network.program, shares)
    assert predicted == pytest.approx(measure(network, list(frames)).instructions, rel=0.06)


def test_time_and_energy_follow_from_clock_cycles_and_power() -> None:
    device = BudgetConfig(clock="100MHz", cycles=1.5, power="30mW")  # type: ignore[arg-type]
    assert device.instruction_seconds == pytest.approx(15e-9)
    assert device.instruction_joules == pytest.approx(450e-12)
    assert BudgetConfig(clock="100MHz").instruction_seconds is None  # type: ignore[arg-type]
    assert BudgetConfig(clock="100MHz", cycles=2).instruction_joules is None  # type: ignore[arg-type]
