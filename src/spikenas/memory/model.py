"""Computes the learnable parameters, flash and RAM of a plan, layer by layer: the memory model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from spikenas._util.markup import html_table
from spikenas._util.units import format_size
from spikenas.memory.instructions import assumed_shares, predict_instructions
from spikenas.memory.kernels import kernel_name, tables
from spikenas.memory.lowering import make_program
from spikenas.memory.placement import Arena, make_arena
from spikenas.memory.program import Program
from spikenas.space.plan import LayerSpec, Plan

STACK_BYTES = 512


@dataclass(frozen=True)
class LayerCost:
    """Holds what one layer adds.

    Attributes:
        name: Its name in the plan.
        kind: Its kind.
        shape: Shape of its output, per sample and timestep.
        params: Learnable parameters.
        flash_bytes: Weights and tables on the device, each padded to 4 bytes.
        ram_bytes: Its buffers, whether live at the peak or not.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, repr=False)
class Footprint:
    """Holds what a plan costs.

    Attributes:
        layers: What each layer adds.
        code_bytes: The code: a base, each kernel used, each call and its descriptor.
        program: The kernels in order, and their buffers.
        arena: Where the buffers lie.
    """

    layers: tuple[LayerCost, ...]
    code_bytes: int
    program: Program
    arena: Arena

    def __repr__(self) -> str:
        sizes = f"{format_size(self.flash_bytes)} flash, {format_size(self.ram_bytes)} RAM"
        return f"Footprint: {self.params:,} params, {sizes}, the peak at {self.peak_step}"

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, "x".join(map(str, layer.shape)), layer.params, layer.flash_bytes, layer.ram_bytes)
            for layer in self.layers
            if layer.params or layer.flash_bytes or layer.ram_bytes
        ]
        rows.append(("program, stack", "", 0, self.code_bytes, self.stack_bytes))
        rows.append(("total; RAM is the peak", "", self.params, self.flash_bytes, self.ram_bytes))
        header = ("layer", "output", "params", "flash, bytes", "RAM, bytes")
        return html_table(header, rows, str(self.program.plan.genotype))

    @property
    def params(self) -> int:
        """Count the learnable parameters as PyTorch does."""
        return sum(layer.params for layer in self.layers)

    @property
    def flash_bytes(self) -> int:
        """Return the bytes of read-only memory on the device."""
        return self.code_bytes + sum(layer.flash_bytes for layer in self.layers)

    @property
    def ram_bytes(self) -> int:
        """Return the bytes of working memory on the device: the arena and the stack."""
        return self.arena.size_bytes + STACK_BYTES

    @cached_property
    def instructions(self) -> float | None:
        """Instructions of one inference, with the rates of trained networks; None where they are not known."""
        return predict_instructions(self.program, assumed_shares(self.program.plan))

    @property
    def peak_step(self) -> str:
        """Return the layer at whose computation most RAM is in use."""
        live = self.arena.live_bytes
        return self.program.steps[live.index(max(live))].layer

    @property
    def stack_bytes(self) -> int:
        """Return the bytes of RAM kept for the stack."""
        return STACK_BYTES


def footprint(plan: Plan) -> Footprint:
    """Compute what a plan costs on a core of `plan.network.core`, without building it."""
    program = make_program(plan)
    ram: dict[str, int] = {}
    for buffer in program.buffers:
        ram[buffer.layer] = ram.get(buffer.layer, 0) + buffer.size_bytes
    flash: dict[str, int] = {}
    for step in program.steps:
        for table in tables(plan, step).values():
            flash[table.layer] = flash.get(table.layer, 0) + table.size_bytes
    layers = tuple(
        LayerCost(layer.name, layer.kind, layer.shape, params(layer), flash.get(layer.name, 0), ram.get(layer.name, 0))
        for layer in plan.layers
    )
    return Footprint(layers, _code_bytes(program), program, make_arena(program))


def params(layer: LayerSpec) -> int:
    """Count the learnable parameters of one layer."""
    if layer.kind == "batchnorm":
        return 2 * layer.shape[0]
    return layer.weights + (layer.shape[0] if layer.bias else 0)


def _code_bytes(program: Program) -> int:
    plan = program.plan
    sizes = code_sizes()[plan.network.core]
    kernels, call = sizes[str(plan.network.membrane_bits)], sizes["base"]["call"]
    used = {name for step in program.steps if (name := kernel_name(plan, step)) in kernels}
    resets = [step.record.reset for step in program.steps if step.record.reset]
    descriptors = sum(step.record.descriptor_bytes for step in program.steps)
    calls = call * (len(program.steps) + len(resets))
    return sizes["base"]["base"] + sum(kernels[name] for name in used.union(resets)) + calls + descriptors


@cache
def code_sizes() -> dict[str, dict[str, dict[str, int]]]:
    """Return the bytes of code by core: `base` (the rest, and a call) and, by bits of a membrane, the kernels.

    They are measured by `benchmarks/code_sizes.py`.
    """
    text = (resources.files("spikenas.memory") / "code_sizes.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, int]]] = json.loads(text)
    return found
