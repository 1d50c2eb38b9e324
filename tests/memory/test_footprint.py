from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.config import NetworkConfig
from spikenas.memory import Footprint, describe, footprint
from spikenas.memory.model import BIAS_BYTES, CALL_BYTES, CODE_BASE_BYTES, KERNEL_BYTES, SCALE_BYTES
from spikenas.memory.schedule import STACK_BYTES
from spikenas.space import SNASNET_OPS, Cell, Edge, Genotype, InputSpec, Op, make_plan

QUICK = settings(max_examples=60, deadline=None)
OPS = (*SNASNET_OPS, Op("dwconv3x3"), Op("conv5x5"), Op("conv3x3", 0.5))
TINY = InputSpec(1, 4, 4, 3)


@st.composite
def genotypes(draw: st.DrawFn) -> Genotype:
    edges = [(draw(st.sampled_from(OPS)), draw(st.booleans())) for _ in range(6)]
    return Genotype((Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in edges)),))


def connected() -> st.SearchStrategy[Genotype]:
    return genotypes().filter(lambda genotype: genotype.connected)


def cost(genotype: Genotype | str, spec: InputSpec = TINY, as_written: bool = False, **settings: Any) -> Footprint:
    found = Genotype.parse(genotype) if isinstance(genotype, str) else genotype
    network = NetworkConfig(**{"channels": 2, "cells": len(found.cells)} | settings)
    return footprint(make_plan(found, network, spec, as_written))


def constants(found: Footprint) -> dict[str, int]:
    return {layer.name: layer.flash_bytes for layer in found.layers if layer.flash_bytes}


def test_a_tiny_network_by_hand() -> None:
    """1x4x4 images, 2 channels, one 3x3 convolution, 3 classes."""
    found = cost("0-3:conv3x3")
    # stem conv + BatchNorm, op conv + BatchNorm, the head's BatchNorm, linear with bias
    assert found.params == (9 * 1 * 2 + 4) + (9 * 2 * 2 + 4) + 4 + (2 * 3 + 3) == 75
    per_channel = SCALE_BYTES + BIAS_BYTES
    assert constants(found) == {
        "stem.conv": 20 + 2 * per_channel,  # 18 weights, padded to 20
        "cell1.op1.conv": 36 + 2 * per_channel,
        "head.linear": 8 + 3 * per_channel,  # 6 weights, padded to 8
    }
    kernels = ["input conv", "lif", "conv", "lif", "globalpool", "linear"]
    code = CODE_BASE_BYTES + sum(KERNEL_BYTES[kernel] for kernel in set(kernels)) + CALL_BYTES * len(kernels)
    assert found.code_bytes == code
    assert found.flash_bytes == code + (20 + 36 + 8) + (2 + 2 + 3) * 8
    one_map = 2 * 4 * 4 * 2  # int16
    # stack, stem map, two membranes, accumulators of 2 channels and 3 classes; the convolution's map comes and goes
    assert found.ram_bytes == STACK_BYTES + one_map + 2 * one_map + 2 * 4 + 3 * 4 + one_map == 788
    assert found.stack_bytes == STACK_BYTES


def test_a_sum_with_the_input_keeps_its_batchnorm() -> None:
    plain, summed = cost("0-3:conv3x3"), cost("0-1:conv3x3 1-3:skip 0-3:skip")
    assert summed.params == plain.params
    assert constants(summed) == constants(plain) | {"head.bn": 2 * (SCALE_BYTES + BIAS_BYTES)}
    assert summed.code_bytes == plain.code_bytes + KERNEL_BYTES["sum"] + CALL_BYTES


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0-3:conv3x3", False),
        ("0-1:conv3x3 0-3:conv1x1 1-3:skip", False),
        ("0-3:skip", False),
        ("0-3:avgpool3x3", True),
        ("0-1:conv3x3 1-3:skip 0-3:avgpool3x3", True),
    ],
)
def test_where_the_batchnorm_before_the_head_is_stored(text: str, stored: bool) -> None:
    assert ("head.bn" in constants(cost(text))) == stored


@pytest.mark.parametrize(
    ("bits", "stored"),
    [(32, 36 * 4), (16, 36 * 2), (8, 36), (4, 20), (2, 12)],  # 36 weights: 18 and 9 bytes are padded to 20 and 12
)
def test_weights_are_packed_and_padded(bits: int, stored: int) -> None:
    assert constants(cost("0-3:conv3x3", weight_bits=bits))["cell1.op1.conv"] == stored + 2 * (SCALE_BYTES + BIAS_BYTES)


def test_a_depthwise_separable_op_by_hand() -> None:
    found = cost("0-3:dwconv3x3")
    assert found.params == (18 + 4) + (9 * 2 + 2 * 2 + 4) + 4 + 9
    assert constants(found)["cell1.op1.depthwise"] == 20 + 16
    assert constants(found)["cell1.op1.conv"] == 4 + 16
    new = KERNEL_BYTES["depthwise"] + KERNEL_BYTES["pointwise"] - KERNEL_BYTES["conv"] + CALL_BYTES
    assert found.code_bytes == cost("0-3:conv3x3").code_bytes + new


def test_a_second_use_of_a_kernel_costs_a_call() -> None:
    one, two = cost("0-3:conv3x3"), cost("0-1:conv3x3 1-3:conv3x3")
    assert two.code_bytes - one.code_bytes == 2 * CALL_BYTES  # a LIF and a convolution


@QUICK
@given(connected(), st.integers(2, 40), st.integers(2, 40))  # with one channel, depthwise is an ordinary convolution
def test_wider_never_costs_less(genotype: Genotype, one: int, other: int) -> None:
    narrow, wide = (cost(genotype, channels=channels) for channels in sorted((one, other)))
    assert narrow.params <= wide.params
    assert narrow.flash_bytes <= wide.flash_bytes
    assert narrow.ram_bytes <= wide.ram_bytes
    assert one == other or (narrow.params < wide.params and narrow.ram_bytes < wide.ram_bytes)


@QUICK
@given(connected())
def test_more_bits_cost_more_of_their_own_memory_alone(genotype: Genotype) -> None:
    by_weight = [cost(genotype, channels=8, weight_bits=bits) for bits in (2, 4, 8, 16, 32)]
    flash = [found.flash_bytes for found in by_weight]
    assert flash == sorted(set(flash))
    assert len({(found.params, found.ram_bytes) for found in by_weight}) == 1
    for setting in ("membrane_bits", "map_bits"):
        found = [cost(genotype, channels=8, **{setting: bits}) for bits in (8, 16, 32)]
        ram = [one.ram_bytes for one in found]
        assert ram == sorted(set(ram))
        assert len({(one.params, one.flash_bytes) for one in found}) == 1


@QUICK
@given(genotypes(), st.integers(1, 2), st.sampled_from(OPS[1:]))
def test_dead_edges_are_free(genotype: Genotype, node: int, op: Op) -> None:
    """A node without inputs, and the same with an edge from it to the output."""
    (cell,) = genotype.cells
    links = {(i, j): op for i, j, op in cell.links() if node not in (i, j)}
    order = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]

    def built(links: dict[tuple[int, int], Op]) -> Genotype:
        nothing = Op("none")
        edges = [Edge(links.get((i, j)) or links.get((j, i), nothing), (j, i) in links) for i, j in order]
        return Genotype((Cell(tuple(edges)),))

    alive, with_dead = built(links), built(links | {(node, 3): op})
    if alive.connected:
        assert cost(alive) == cost(with_dead)
        assert cost(with_dead).params <= cost(with_dead, as_written=True).params
        if op.spiking:
            assert cost(with_dead).params < cost(with_dead, as_written=True).params


@QUICK
@given(connected())
def test_as_written_never_has_fewer_parameters_or_less_flash(genotype: Genotype) -> None:
    canonical, written = cost(genotype), cost(genotype, as_written=True)
    assert canonical.params <= written.params
    assert canonical.flash_bytes <= written.flash_bytes


@QUICK
@given(connected())
def test_layers_add_up(genotype: Genotype) -> None:
    found = cost(genotype, channels=6)
    assert found.params == sum(layer.params for layer in found.layers)
    assert found.flash_bytes == found.code_bytes + sum(layer.flash_bytes for layer in found.layers)
    assert sum(layer.ram_bytes for layer in found.layers) == sum(b.size_bytes for b in found.schedule.buffers)
    assert found.schedule.live_bytes[found.schedule.steps.index(found.peak_step)] == found.ram_bytes
    assert all(layer.flash_bytes % 4 == 0 for layer in found.layers)


def test_timesteps_cost_no_memory() -> None:
    assert cost("0-3:conv3x3", timesteps=3) == cost("0-3:conv3x3", timesteps=30)


def test_one_line_for_people() -> None:
    found = cost("0-3:conv3x3")
    assert describe(found) == f"75 params, {found.flash_bytes / 1024:.1f} KiB flash, 788 B RAM"
