from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError
from spikenas.config import NetworkConfig
from spikenas.memory import Footprint, describe, footprint, sizes
from spikenas.memory.kernels import KERNELS
from spikenas.memory.model import STACK_BYTES, code_sizes
from spikenas.space import SNASNET_OPS, Cell, Edge, Genotype, InputSpec, Op, make_plan

QUICK = settings(max_examples=60, deadline=None)
OPS = (*SNASNET_OPS, Op("dwconv3x3"), Op("conv5x5"), Op("conv3x3", 0.5))
TINY = InputSpec(1, 4, 4, 3)
NEURONS = st.sampled_from(["lif", "ilif", "relu"])


@st.composite
def genotypes(draw: st.DrawFn) -> Genotype:
    edges = [(draw(st.sampled_from(OPS)), draw(st.booleans())) for _ in range(6)]
    return Genotype((Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in edges)),))


def connected() -> st.SearchStrategy[Genotype]:
    return genotypes().filter(lambda genotype: genotype.connected)


def cost(genotype: Genotype | str, spec: InputSpec = TINY, as_written: bool = False, **settings: Any) -> Footprint:
    found = Genotype.parse(genotype) if isinstance(genotype, str) else genotype
    network = NetworkConfig(**{"channels": 2, "cells": len(found.cells), "neuron": "lif"} | settings)
    return footprint(make_plan(found, network, spec, as_written))


def constants(found: Footprint) -> dict[str, int]:
    return {layer.name: layer.flash_bytes for layer in found.layers if layer.flash_bytes}


def code(*kernels: str, core: str = "cortex-m4") -> int:
    """Of calls of these kernels and no other: each kernel once, each call and its descriptor."""
    sizes = code_sizes()[core]
    base, call = sizes["base"]["base"], sizes["base"]["call"]
    records = [kernel.rstrip("248").removesuffix("_planes") for kernel in kernels]
    descriptors = sum(KERNELS[kernel].descriptor_bytes for kernel in records if kernel in KERNELS)
    return base + call * len(kernels) + sum(sizes["16"][kernel] for kernel in set(kernels)) + descriptors


def test_a_tiny_network_by_hand() -> None:
    """1x4x4 images, 2 channels, one 3x3 convolution, 3 classes."""
    found = cost("0-3:conv3x3")
    # stem conv + BatchNorm, op conv + BatchNorm, the head's BatchNorm, linear with bias
    assert found.params == (9 * 1 * 2 + 4) + (9 * 2 * 2 + 4) + 4 + (2 * 3 + 3) == 75
    assert constants(found) == {
        "stem.conv": 32 + 2 * 4 + 4,  # 2 times 9 weights, each padded to 16; ratios; the zero of one channel, padded
        "stem.bn": 4,  # biases of the map
        "cell1.op1.lif": 4,  # thresholds
        "cell1.op1.conv": 2 * 9 * 4,  # for each input and place the weights of two outputs, in a word of four
        "head.bn": 4,
        "head.lif": 4,
        "head.linear": 8 + 3 * 4 + 3 * 4,  # 6 weights, padded to 8; ratios, biases
    }
    kernels = ["stem", "lif", "fill", "conv8", "lif", "count", "scores"]
    assert found.code_bytes == code(*kernels)
    assert found.flash_bytes == found.code_bytes + sum(constants(found).values())
    one_map = 2 * 4 * 4 * 2  # int16
    spikes = 4 * 4  # a byte a pixel
    spike_list = (
        60  # where each of 4 columns begins and the last ends, and at most 2 * 3 * 4 spikes around a row: 29 of int16
    )
    # stem map, two membranes, sums of 2 channels; the convolution's map, either spikes and the list come and go
    assert found.ram_bytes == STACK_BYTES + one_map + 2 * one_map + 2 * 4 + one_map + spikes + spike_list == 852
    assert found.stack_bytes == STACK_BYTES


def test_tiny_networks_of_other_neurons_by_hand() -> None:
    """The same wiring: 2 channels of 4x4 pixels."""
    one_map, spikes, sums, spike_list, columns = 2 * 4 * 4 * 2, 3 * 4 * 4, 2 * 4, 60, 2 * 24 * 2
    many = cost("0-3:conv3x3", neuron="ilif", levels=4, timesteps=3)
    once = cost("0-3:conv3x3", neuron="ilif", levels=4, timesteps=1)
    # three planes of a byte a pixel; two membranes and the stem's map stay, where there are several timesteps
    assert many.ram_bytes == STACK_BYTES + one_map + 2 * one_map + sums + one_map + spikes + spike_list
    assert once.ram_bytes == STACK_BYTES + sums + one_map + spikes + spike_list
    twin = cost("0-3:conv3x3", neuron="relu", timesteps=1)
    assert twin.ram_bytes == STACK_BYTES + sums + one_map + 2 * 4 * 4 + columns
    for found, name in ((many, "ilif"), (once, "ilif"), (twin, "relu")):
        assert constants(found)[f"cell1.op1.{name}"] == constants(found)[f"head.{name}"] == 2 * 4  # a ratio a channel
    assert constants(twin)["cell1.op1.conv"] == 2 * 24 + 2 * 4  # 2 times 18 weights, each padded to 24
    assert once.code_bytes == code("stem", "ilif_once", "fill", "conv8", "ilif_once", "count_planes", "scores")
    assert twin.code_bytes == code("stem", "relu", "fill", "dense8", "relu", "total", "scores")


def test_a_sum_with_the_input_keeps_its_batchnorm() -> None:
    plain, summed = cost("0-3:conv3x3"), cost("0-1:conv3x3 1-3:skip 0-3:skip")
    assert summed.params == plain.params
    # scale and bias of the BatchNorm become threshold, reset and sign of each channel
    assert constants(summed)["head.lif"] == 2 * 6
    assert sum(constants(summed).values()) == sum(constants(plain).values()) + 8
    assert summed.code_bytes == code("stem", "lif", "fill", "add", "conv8", "lif_bn", "lif_bn_reset", "count", "scores")


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
    assert (constants(cost(text))["head.lif"] > 4) == stored


# 10 outputs fill 3 words of 8 bits, 2 of 4 and 1 of 2; 90 inputs of a ReLU's fill 96 bytes, 48, and 24
@pytest.mark.parametrize(
    ("bits", "neuron", "stored"),
    [
        (8, "lif", 90 * 12), (4, "lif", 90 * 8), (2, "lif", 90 * 4),
        (8, "relu", 10 * 96 + 40), (4, "relu", 10 * 48 + 40), (2, "relu", 10 * 24 + 40),
    ],
)  # fmt: skip
def test_weights_are_packed_and_padded(bits: int, neuron: str, stored: int) -> None:
    found = constants(cost("0-3:conv3x3", channels=10, weight_bits=bits, neuron=neuron, timesteps=1))
    assert found["cell1.op1.conv"] == stored
    assert (found["stem.conv"], found["head.linear"]) == (10 * 16 + 40 + 4, 32 + 24)  # 8 bits at both ends


def test_bits_of_single_layers() -> None:
    found = constants(cost("0-3:conv3x3", layer_bits=("cell1=4", "head.linear=2")))
    assert found["cell1.op1.conv"] == 2 * 9 * 4
    assert found["head.linear"] == 4 + 24
    with pytest.raises(ConfigError, match="'cell2' is no stage and no layer"):
        cost("0-3:conv3x3", layer_bits=("cell2=4",))


def test_a_depthwise_separable_op_by_hand() -> None:
    found = cost("0-3:dwconv3x3")
    assert found.params == (18 + 4) + (9 * 2 + 2 * 2 + 4) + 4 + 9
    assert constants(found)["cell1.op1.depthwise"] == 20
    assert constants(found)["cell1.op1.conv"] == 2 * 8 + 2 * 4
    kernels = ["stem", "lif", "fill", "fill", "depthwise", "pointwise8", "lif", "count", "scores"]
    assert found.code_bytes == code(*kernels)


def test_a_second_use_of_a_kernel_costs_a_call_and_a_descriptor() -> None:
    one, two = cost("0-3:conv3x3"), cost("0-1:conv3x3 1-3:conv3x3")
    call = code_sizes()["cortex-m4"]["base"]["call"]
    assert two.code_bytes - one.code_bytes == 3 * call + sum(
        KERNELS[k].descriptor_bytes for k in ("lif", "fill", "conv")
    )


@pytest.mark.parametrize(("channels", "bits", "kernel"), [(3, 8, "conv8"), (8, 4, "conv4"), (4, 2, "conv2")])
def test_which_convolution_is_used(channels: int, bits: int, kernel: str) -> None:
    found = cost("0-3:conv3x3", channels=channels, weight_bits=bits)
    assert found.code_bytes == code("stem", "lif", "fill", kernel, "lif", "count", "scores")


def test_each_core_has_its_code() -> None:
    sizes = {core: cost("0-3:conv3x3", core=core).flash_bytes for core in code_sizes()}
    assert len(set(sizes.values())) > 3
    assert sizes["rv32"] < sizes["cortex-m4"]


@QUICK
@given(connected(), st.integers(2, 40), st.integers(2, 40), NEURONS)  # with one channel, depthwise is an ordinary one
def test_wider_never_costs_less(genotype: Genotype, one: int, other: int, neuron: str) -> None:
    narrow, wide = (cost(genotype, channels=channels, neuron=neuron) for channels in sorted((one, other)))
    assert narrow.params <= wide.params
    assert sum(constants(narrow).values()) <= sum(constants(wide).values())  # code depends on what the widths divide by
    assert max(narrow.arena.live_bytes) <= max(wide.arena.live_bytes)
    assert one == other or (narrow.params < wide.params and narrow.ram_bytes < wide.ram_bytes)


@QUICK
@example(
    Genotype.parse("0-1:avgpool3x3 0-3:skip 1-2:skip 1-3:avgpool3x3 2-3:avgpool3x3")
)  # its peak is before the first timestep
@given(connected())
def test_more_bits_cost_more_of_their_own_memory_alone(genotype: Genotype) -> None:
    by_weight = [cost(genotype, channels=16, weight_bits=bits) for bits in (2, 4, 8)]
    stored = [sum(constants(found).values()) for found in by_weight]
    assert stored == sorted(stored)
    assert len({(found.params, found.ram_bytes) for found in by_weight}) == 1
    narrow, wide = (cost(genotype, channels=16, membrane_bits=bits) for bits in (8, 16))
    live = zip(narrow.program.steps, narrow.arena.live_bytes, wide.arena.live_bytes, strict=True)
    assert all((less < more) == (step.phase == "each") and less <= more for step, less, more in live)
    assert narrow.ram_bytes <= wide.ram_bytes
    assert (narrow.params, constants(narrow)) == (wide.params, constants(wide))


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
        one, other = cost(alive), cost(with_dead)
        assert (one.layers, one.code_bytes, one.arena) == (other.layers, other.code_bytes, other.arena)
        assert cost(with_dead).params <= cost(with_dead, as_written=True).params
        if op.spiking:
            assert cost(with_dead).params < cost(with_dead, as_written=True).params


@QUICK
@given(connected())
def test_as_written_never_has_fewer_parameters_or_smaller_tables(genotype: Genotype) -> None:
    """Code may differ either way: an order of nodes can need a copy more of what is fed back."""
    canonical, written = cost(genotype), cost(genotype, as_written=True)
    assert canonical.params <= written.params
    assert sum(constants(canonical).values()) <= sum(constants(written).values())


@QUICK
@given(connected(), NEURONS)
def test_layers_add_up(genotype: Genotype, neuron: str) -> None:
    found = cost(genotype, channels=6, neuron=neuron)
    assert found.params == sum(layer.params for layer in found.layers)
    assert found.flash_bytes == found.code_bytes + sum(layer.flash_bytes for layer in found.layers)
    assert sum(layer.ram_bytes for layer in found.layers) == sum(b.size_bytes for b in found.program.buffers)
    live = zip(found.program.steps, found.arena.live_bytes, strict=True)
    assert max(size_bytes for step, size_bytes in live if step.layer == found.peak_step) == max(found.arena.live_bytes)
    assert all(layer.flash_bytes % 4 == 0 for layer in found.layers)


def test_timesteps_cost_no_memory() -> None:
    few, many = cost("0-3:conv3x3", timesteps=3), cost("0-3:conv3x3", timesteps=30)
    assert sizes(few) == sizes(many)


def test_one_line_for_people() -> None:
    found = cost("0-3:conv3x3")
    assert describe(found) == f"75 params, {found.flash_bytes / 1024:.1f} KiB flash, 852 B RAM"
