"""The RAM schedule against rules of its own: whatever a layer reads must be held somewhere when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikenas.config import NetworkConfig
from spikenas.memory import Buffer, Schedule, schedule
from spikenas.memory.schedule import STACK_BYTES
from spikenas.space import SNASNET_OPS, Cell, Edge, Genotype, InputSpec, LayerSpec, Op, Plan, make_plan

QUICK = settings(max_examples=60, deadline=None)
OPS = (*SNASNET_OPS, Op("dwconv3x3"), Op("conv3x3", 0.5))
# 4 channels of 8x8: a map of int16 takes 512 bytes, spikes one bit each 32.
TINY = InputSpec(1, 8, 8, 3)
MAP, SPIKES = 512, 32


@dataclass(frozen=True)
class Case:
    """A plan that prints in one line."""

    text: str
    kind: str
    static: bool
    as_written: bool

    @property
    def plan(self) -> Plan:
        genotype = Genotype.parse(self.text)
        network = NetworkConfig(kind=self.kind, channels=4, cells=len(genotype.cells), hidden=8)
        return make_plan(genotype, network, InputSpec(1, 8, 8, 3, self.static), self.as_written)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    cells = []
    for _ in range(draw(st.integers(1, 2))):
        drawn = [(draw(st.sampled_from(OPS)), draw(st.sampled_from([False, False, True]))) for _ in range(6)]
        cells.append(Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in drawn)))
    genotype = Genotype(tuple(cells))
    assume(genotype.connected)
    kind = draw(st.sampled_from(["compact", "snasnet"])) if len(cells) == 2 else "compact"
    return Case(str(genotype), kind, draw(st.booleans()), draw(st.booleans()))


def plan_of(text: str, as_written: bool = False, **settings: Any) -> Plan:
    genotype = Genotype.parse(text)
    return make_plan(
        genotype, NetworkConfig(**{"channels": 4, "cells": len(genotype.cells)} | settings), TINY, as_written
    )


class Holding:
    """Where results are, from the buffers alone."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.timeline = schedule(plan)
        self.step = {name: step for step, name in enumerate(self.timeline.steps)}
        self.buffers = {b.layer: b for b in self.timeline.buffers if b.kind not in ("membrane", "feedback")}
        self.buffers |= {
            b.layer: b for b in self.timeline.buffers if b.kind == "feedback" and b.layer not in self.buffers
        }

    def source(self, layer: LayerSpec) -> Buffer:
        """What a LIF reads: the buffer of its input, or of what the BatchNorm on the way to it reads."""
        before = self.plan.by_name[layer.terms[0].layer]
        while before.name not in self.buffers:
            assert before.kind == "batchnorm", before
            assert not self.plan.folds(before)
            before = self.plan.by_name[before.terms[0].layer]
        return self.buffers[before.name]

    def target(self, layer: LayerSpec) -> Buffer:
        """Where a result goes: a buffer of its own, or that of the one layer that reads it."""
        while layer.name not in self.buffers:
            ((layer, term),) = self.plan.readers[layer.name]
            assert not term.delayed
        return self.buffers[layer.name]


@QUICK
@given(cases())
def test_the_peak_is_that_of_the_buffers(case: Case) -> None:
    plan = case.plan
    timeline = schedule(plan)
    peak = 0
    for step in range(len(plan.layers)):
        live = [b for b in timeline.buffers if b.persistent or b.first <= step <= b.last]
        peak = max(peak, STACK_BYTES + sum(b.size_bytes for b in live))
    assert timeline.ram_bytes == max(timeline.live_bytes) == peak
    assert timeline.steps == tuple(layer.name for layer in plan.layers)
    assert len({(b.layer, b.kind) for b in timeline.buffers}) == len(timeline.buffers)
    assert all(0 <= b.first <= b.last < len(plan.layers) and b.size_bytes % 4 == 0 for b in timeline.buffers)


@QUICK
@given(cases())
def test_every_lif_keeps_its_membrane(case: Case) -> None:
    plan = case.plan
    membranes = {b.layer: b for b in schedule(plan).buffers if b.kind == "membrane"}
    assert set(membranes) == {layer.name for layer in plan.layers if layer.kind == "lif"}
    assert all(b.persistent and b.size_bytes == 2 * plan.by_name[name].size for name, b in membranes.items())


@QUICK
@given(cases())
def test_what_is_read_is_held_until_then(case: Case) -> None:
    plan = case.plan
    held = Holding(plan)
    for layer in plan.layers:
        for term in layer.terms:
            source = plan.by_name[term.layer]
            if (
                term.delayed
                or layer.kind == "batchnorm"
                or (source.kind == "lif" and len(plan.readers[source.name]) == 1)
            ):
                continue
            buffer = held.source(layer) if layer.kind == "lif" else held.buffers.get(source.name)
            if buffer is None:  # written straight to where the reader's result is
                buffer = held.target(layer)
            if not buffer.persistent:
                assert buffer.first <= held.step[source.name], (layer.name, source.name)
                assert buffer.last >= held.step[layer.name], (layer.name, source.name)


@QUICK
@given(cases())
def test_what_is_fed_back_survives_the_timestep(case: Case) -> None:
    plan = case.plan
    kept = {b.layer: b for b in schedule(plan).buffers if b.kind == "feedback"}
    assert set(kept) == {term.layer for layer in plan.layers for term in layer.terms if term.delayed}
    assert all(b.persistent and b.size_bytes == 2 * plan.by_name[name].size for name, b in kept.items())


@QUICK
@given(cases())
def test_a_static_map_that_is_read_at_every_timestep_stays(case: Case) -> None:
    """Also where a BatchNorm that does not fold, and so has no map, is between it and its reader."""
    plan = case.plan
    held = Holding(plan)
    for layer in plan.layers:
        if layer.kind == "lif":
            source = held.source(layer)
            assert source.persistent or not plan.by_name[source.layer].static, source
        elif layer.kind == "sum" and not layer.static:
            for term in layer.terms:
                if plan.by_name[term.layer].static and not term.delayed:
                    assert held.buffers[term.layer].persistent, term


@pytest.mark.parametrize(
    ("text", "static"), [("0-3:avgpool3x3", "cell1.op1.pool"), ("0-1:avgpool3x3 0-3:skip 1-3:skip", "cell1.value1")]
)
def test_a_static_cell_stays(text: str, static: str) -> None:
    """Nothing in these cells spikes: the cell's map is the same at every timestep, and read at each."""
    buffers = {b.layer: b for b in schedule(plan_of(text)).buffers if b.kind == "static map"}
    assert buffers[static].persistent


@QUICK
@given(cases())
def test_spikes_are_scattered_while_the_lif_reads_its_map(case: Case) -> None:
    """Spikes of one reader have no buffer, so what the LIF reads and what the convolution writes are live together."""
    plan = case.plan
    held = Holding(plan)
    for layer in plan.layers:
        readers = plan.readers[layer.name]
        if layer.kind == "lif" and len(readers) == 1 and readers[0][0].kind == "conv":
            source, target = held.source(layer), held.target(readers[0][0])
            together = source.first <= target.last and target.first <= source.last
            assert source is not target
            assert source.persistent or target.persistent or together, layer.name


def test_membrane_map_and_accumulators_of_one_convolution() -> None:
    buffers = [(b.kind, b.size_bytes, b.persistent) for b in buffers_of("0-3:conv3x3")]
    assert buffers == [
        ("input", 1 * 8 * 8, False),
        ("static map", MAP, True),
        ("membrane", MAP, True),
        ("map", MAP, False),
        ("membrane", MAP, True),
        ("accumulator", 4 * 4, True),
        ("accumulator", 3 * 4, True),
    ]


def buffers_of(text: str) -> tuple[Buffer, ...]:
    return schedule(plan_of(text)).buffers


def dict_of(buffers: tuple[Buffer, ...]) -> dict[str, Buffer]:
    return {b.layer: b for b in buffers}


def test_spikes_of_several_readers_are_kept_as_bits() -> None:
    buffers = buffers_of("0-1:conv3x3 0-3:conv1x1 1-3:skip")
    assert [(b.layer, b.size_bytes) for b in buffers if b.kind == "spikes"] == [("cell1.op1.lif", SPIKES)]
    assert not [b for b in buffers_of("0-3:conv3x3") if b.kind == "spikes"]


def test_convolutions_of_a_sum_share_its_map() -> None:
    """And the BatchNorm behind the sum, which folds into them, needs none."""
    maps = [b for b in buffers_of("0-1:conv3x3@0.5 0-3:conv1x1 1-3:skip") if b.kind == "map"]
    assert [b.size_bytes for b in maps] == [MAP]


def test_a_convolution_that_is_read_twice_has_a_map_of_its_own() -> None:
    maps = [b for b in buffers_of("0-1:conv3x3 1-2:conv3x3 1-3:skip 2-3:skip") if b.kind == "map"]
    assert [b.size_bytes for b in maps] == [MAP, MAP]


def test_a_convolution_before_a_pooling_writes_the_pooled_map() -> None:
    buffers = dict_of(tuple(b for b in buffers_of("0-3:conv3x3 / 0-3:conv3x3") if b.kind == "map"))
    assert buffers["reduction1.pool"].size_bytes == 8 * 4 * 4 * 2
    assert "reduction1.conv" not in buffers
    assert "reduction1.bn2" not in buffers


def test_one_map_for_each_feedback_edge() -> None:
    text = "0-1:conv3x3 1-2:conv3x3 2-3:skip {}"
    plain, looped = (schedule(plan_of(text.format(extra))) for extra in ("", "3-1:conv1x1"))
    kept = [b for b in looped.buffers if b.kind == "feedback"]
    assert [(b.size_bytes, b.persistent) for b in kept] == [(MAP, True)]
    # The feedback convolution has neurons of its own, too.
    assert looped.persistent_bytes - plain.persistent_bytes == 2 * MAP


def test_event_frames_have_no_static_map() -> None:
    events = InputSpec(1, 8, 8, 3, static=False)
    timeline: Schedule = schedule(make_plan(Genotype.parse("0-3:conv3x3"), NetworkConfig(channels=4, cells=1), events))
    assert not [b for b in timeline.buffers if b.kind == "static map"]


@pytest.mark.parametrize(("setting", "kinds"), [("membrane_bits", ["membrane"]), ("map_bits", ["map", "static map"])])
def test_bits_are_settings(setting: str, kinds: list[str]) -> None:
    def sizes(bits: int) -> list[int]:
        found = schedule(plan_of("0-3:conv3x3", **{setting: bits})).buffers
        return [b.size_bytes for b in found if b.kind in kinds]

    assert sizes(8) == [MAP // 2] * 2
    assert sizes(32) == [MAP * 2] * 2
