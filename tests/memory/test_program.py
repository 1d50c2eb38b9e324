"""The program against the network: the same results, from buffers that are there for no longer than they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings

from programs import INPUT, Case, Floats, cases, model_of
from spikenas.integers import fold
from spikenas.integers.machine import execute
from spikenas.memory import Program, Step, make_program
from spikenas.memory.kernels import aligned
from spikenas.space.plan import RELU_BOUND

QUICK = settings(max_examples=60, deadline=None)


# A static result that is fed back: a pooling beside the stem's map, alone, twice, the stem's map alone, a sum.
FED_BACK_STATIC = (
    "0-1:skip 0-2:skip 0-3:skip 2-1:avgpool3x3 1-3:skip",
    "0-1:skip 0-2:avgpool3x3 2-1:skip 1-3:conv3x3",
    "0-1:skip 0-2:avgpool3x3 2-1:avgpool3x3 2-3:skip 1-3:skip",
    "0-2:skip 2-1:skip 1-3:skip",
    "nodes=5 0-1:skip 0-2:avgpool3x3 0-3:skip 2-3:skip 3-1:skip 1-4:skip",
)


class Forgetful:
    """Another machine, in which a buffer is gone outside the time that it says it is needed."""

    def __init__(self, machine: Floats, program: Program) -> None:
        self.machine, self.program = machine, program
        self.spans = {buffer.name: (buffer.first, buffer.last) for buffer in program.buffers}

    def zero(self, name: str) -> torch.Tensor:
        return self.machine.zero(name)

    def compute(self, step: Step, reads: Sequence[torch.Tensor], target: torch.Tensor | None) -> torch.Tensor:
        index = next(number for number, other in enumerate(self.program.steps) if other is step)
        for name in (*step.reads, step.writes):
            first, last = self.spans[self.program.buffer_of(name)]
            assert first <= index <= last, (step, name)
        return self.machine.compute(step, reads, target)


@QUICK
@example(Case(FED_BACK_STATIC[0]))
@given(cases())
def test_the_program_computes_the_network(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("text", FED_BACK_STATIC)
def test_a_static_result_that_is_fed_back_is_zero_at_first(text: str) -> None:
    check(Case(text))
    check(Case(text, static=False))


@pytest.mark.parametrize("v_reset", [-0.5, 0.25])
@pytest.mark.parametrize("text", ["0-1:conv3x3 0-3:skip 1-3:skip", "0-3:conv3x3"])
def test_other_resets(text: str, v_reset: float) -> None:
    check(Case(text, v_reset=v_reset))


def check(case: Case) -> None:
    """Compare the scores, the current into each neuron that the network shows, and all spikes.

    Both sides compute in float64 from the same numbers, so that they differ by rounding alone: no potential is so near
    its threshold that a spike could differ.
    """
    plan = case.plan
    model = model_of(plan)
    network = model.network.double().eval()
    shape = (2, case.size, case.size)
    x = torch.rand((case.timesteps, 1, *shape), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 4 - 2
    mean, deviation = torch.tensor(INPUT, dtype=torch.float64)[..., None, None]
    seen: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        normalised = ((x - mean) / deviation)[: 1 if case.static else case.timesteps]
        outputs = network.compute({"input": normalised}, lambda layer, value: seen.update({layer.name: value[:, 0]}))
        folded = fold(model)
        floats = Floats(folded)
        found = execute(folded.program, Forgetful(floats, folded.program), list((x - mean)[:, 0]))
    close(found, outputs[plan.layers[-1].name].mean(0)[0])
    step = RELU_BOUND / plan.levels if case.neuron == "relu" else 1
    for neurons in (layer for layer in plan.layers if layer.kind == "neuron"):
        if neurons.name not in seen:  # what is only fed back is not run at the last timestep
            assert case.timesteps == 1
            assert neurons.name in plan.only_fed_back
            continue
        sent = step * torch.stack(floats.sent[neurons.name])
        close(sent[: len(seen[neurons.name])], seen[neurons.name].expand_as(sent[: len(seen[neurons.name])]))
        if (read := neurons.terms[0].layer) in seen:
            currents = torch.stack(floats.currents[neurons.name])
            close(currents, seen[read].expand_as(currents))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@QUICK
@given(cases())
def test_every_step_belongs_to_what_is_built(case: Case) -> None:
    plan = case.plan
    program = make_program(plan)
    computed = {step.layer for step in program.steps}
    assert {layer.name for layer in plan.layers if layer.weights or layer.kind == "neuron"} <= computed
    phases = ["once", "each", "last"]
    assert [phases.index(step.phase) for step in program.steps] == sorted(phases.index(s.phase) for s in program.steps)
    assert {step.phase for step in program.steps if program.buffer_of(step.writes) in program.fed_back} <= {"each"}
    for buffer in program.buffers:
        assert 0 <= buffer.first <= buffer.last < len(program.steps)
        assert buffer.size_bytes > 0
        assert buffer.size_bytes % 4 == 0


def steps_of(case: Case, *kernels: str) -> list[Any]:
    return [
        (step.kernel, step.writes) for step in make_program(case.plan).steps if not kernels or step.kernel in kernels
    ]


def test_a_plain_network_by_hand() -> None:
    assert steps_of(Case("0-3:conv3x3")) == [
        ("stem", "stem.bn"),
        ("lif", "cell1.op1.lif.spikes"),
        ("fill", "head.bn"),
        ("conv", "head.bn"),
        ("lif", "head.lif.spikes"),
        ("count", "head.pool"),
        ("scores", "head.linear"),
    ]


def test_a_sum_is_written_over_what_nobody_needs_any_more() -> None:
    program = make_program(Case("0-1:conv3x3 1-2:conv3x3 1-3:skip 2-3:skip").plan)
    assert list(program.aliases.values()) == ["cell1.op1.bn"]
    # the stem's map is static: it is needed at every timestep, so nothing is written over it
    assert not make_program(Case("0-1:conv3x3 0-3:skip 1-3:skip").plan).aliases


def test_convolutions_of_one_threshold_share_their_spikes() -> None:
    assert len(steps_of(Case("0-1:conv3x3 0-3:conv1x1 1-3:skip"), "lif", "lif_bn")) == 2
    assert len(steps_of(Case("0-1:conv3x3@0.5 0-3:conv1x1 1-3:skip"), "lif", "lif_bn")) == 3


def test_with_one_timestep_no_integer_valued_neuron_has_a_membrane() -> None:
    case = Case("0-1:conv3x3 0-3:skip 1-3:skip", neuron="ilif", timesteps=1)
    program = make_program(case.plan)
    assert [step.kernel for step in program.steps] == [
        "stem", "ilif_once", "add", "conv", "ilif_once_bn", "count", "scores"
    ]  # fmt: skip
    assert {buffer.kind for buffer in program.buffers} == {"input", "map", "spikes", "accumulator", "scratch"}
    assert program.begin_as_zero == {"head.pool"}
    longer = make_program(replace(case, timesteps=2).plan)
    assert [step.kernel for step in longer.steps if step.fires] == ["ilif", "ilif_bn"]
    assert sum(buffer.kind == "membrane" for buffer in longer.buffers) == 2


@pytest.mark.parametrize("neuron", ["lif", "ilif", "relu"])
def test_with_one_timestep_a_static_map_stays_no_longer_than_it_is_read(neuron: str) -> None:
    program = make_program(Case("0-1:conv3x3 0-3:conv1x1 1-3:skip", neuron=neuron, timesteps=1).plan)
    (stem,) = (buffer for buffer in program.buffers if buffer.name == "stem.bn")
    assert stem.last == max(n for n, step in enumerate(program.steps) if "stem.bn" in (*step.reads, step.writes))
    # and a sum may be written over it
    summed = make_program(Case("0-1:conv3x3 0-3:skip 1-3:skip", neuron=neuron, timesteps=1).plan)
    assert list(summed.aliases.values()) == ["stem.bn"]


@pytest.mark.parametrize(("levels", "planes"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (15, 4)])
def test_numbers_of_spikes_travel_in_planes_of_bits(levels: int, planes: int) -> None:
    program = make_program(Case("0-3:conv3x3", channels=9, neuron="ilif", levels=levels, timesteps=1).plan)
    sizes = [buffer.size_bytes for buffer in program.buffers if buffer.kind == "spikes"]
    assert sizes == [aligned(9 * 9 * planes * 2)] * 2


def test_activations_take_a_byte_each() -> None:
    program = make_program(Case("0-3:conv3x3", channels=9, neuron="relu", timesteps=1).plan)
    assert [step.kernel for step in program.steps] == ["stem", "relu", "fill", "dense", "relu", "total", "scores"]
    sizes = {buffer.name: buffer.size_bytes for buffer in program.buffers if buffer.kind == "activations"}
    assert sizes == {f"{name}.activations": aligned(9 * 9 * 9) for name in ("cell1.op1.relu", "head.relu")}


def test_event_frames_go_through_the_stem_at_every_timestep() -> None:
    phases = {step.kernel: step.phase for step in make_program(Case("0-3:conv3x3", static=False).plan).steps}
    assert phases["stem"] == "each"
    assert phases["scores"] == "last"


def test_feedback_stays_for_the_next_timestep() -> None:
    program = make_program(Case("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:skip").plan)
    fed_back = [buffer for buffer in program.buffers if buffer.kind == "feedback"]
    assert fed_back
    each = [index for index, step in enumerate(program.steps) if step.phase == "each"]
    assert all(buffer.first <= each[0] and buffer.last >= each[-1] for buffer in fed_back)
