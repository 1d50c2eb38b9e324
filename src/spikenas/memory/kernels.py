"""What kernels have in flash: their code's names, descriptors, and tables of constants (deploy/firmware/kernels.h)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from spikenas.memory.program import Program, Step, aligned
from spikenas.space.plan import Plan

# Bytes of the descriptors that the kernels read, with pointers of 4 bytes.
DESCRIPTOR_BYTES = {
    "stem": 36, "fill": 16, "add": 20, "avgpool": 20, "lif": 24, "lif_bn": 24, "lif_wide": 24, "conv": 24,
    "conv_pool": 24, "depthwise": 24, "pointwise": 28, "count": 16, "linear": 28, "scores": 28, "votes": 20,
    "zero": 0, "copy": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Constants of one kind that a step reads.

    Attributes:
        layer: Whose they are.
        name: What they are.
        integers: What an element is made of, by the names that an integer network's constants have.
        shape: Of each of these.
        bits: Of an element.
    """

    layer: str
    name: str
    integers: tuple[str, ...]
    shape: tuple[int, ...]
    bits: int

    @property
    def size_bytes(self) -> int:
        """Aligned size."""
        return aligned(-(-prod(self.shape) * self.bits // 8))


def kernel_name(plan: Plan, step: Step) -> str:
    """The function that computes a step; convolutions have one for words of 8-bit and of 4-bit weights each."""
    if step.kernel in ("conv", "conv_pool"):
        layer = plan.by_name[step.layer]
        in_words = layer.bits > 2 and layer.shape[0] % (32 // layer.bits) == 0
        return f"conv{layer.bits if in_words else '_any'}{step.kernel[4:]}"
    return {"zero": "memset", "copy": "memcpy"}.get(step.kernel, step.kernel)


def weight_steps(program: Program) -> dict[str, int]:
    """By layer what neighbouring weights differ by, in units of the map that they are added to (or of their sum).

    Weights of few bits are the high bits of 8; those that are averaged over 2x2 pixels count a quarter of that, or
    they would be coarser than the others of their map.
    """
    found = {}
    for step in program.steps:
        if "weight" in tables(program.plan, step):
            bits = program.plan.by_name[step.layer].bits
            found[step.layer] = 1 << max(0, 8 - bits - (2 if step.kernel == "conv_pool" else 0))
    return found


def tables(plan: Plan, step: Step) -> dict[str, Table]:
    """The tables of a step, by name: weight, ratio, bias, zero, threshold, neurons."""
    layer = plan.by_name[step.layer]
    channels = layer.shape[:1]
    found = []
    if step.kernel in ("stem", "conv", "conv_pool", "depthwise", "pointwise"):
        shape = (*channels, layer.in_shape[0] // layer.groups, layer.kernel, layer.kernel)
        found.append(Table(layer.name, "weight", ("weight",), shape, layer.bits))
    if step.kernel in ("linear", "scores"):
        found.append(Table(layer.name, "weight", ("weight",), (*channels, prod(layer.in_shape)), layer.bits))
    if step.kernel in ("stem", "pointwise", "scores", "votes"):
        outputs = layer.in_shape if step.kernel == "votes" else channels
        found.append(Table(layer.name, "ratio", ("mul", "shift"), outputs, 32))
        if step.kernel in ("scores", "votes"):
            found.append(Table(layer.name, "bias", ("bias",), outputs, 32))
    if step.biases:
        found.append(Table(step.writes, "bias", ("bias",), channels, 16))
    if step.kernel == "stem":
        found.append(Table(layer.name, "zero", (), layer.in_shape[:1], 16))
    if step.kernel in ("lif", "lif_wide"):
        found.append(Table(layer.name, "threshold", ("threshold",), channels, 16))
    if step.kernel == "lif_bn":
        found.append(Table(layer.name, "neurons", ("threshold", "reset", "sign"), channels, 48))
    return {table.name: table for table in found}
