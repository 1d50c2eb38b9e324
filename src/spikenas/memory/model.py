"""The memory model: learnable parameters, flash and RAM of a plan, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from spikenas.memory.schedule import STACK_BYTES, Schedule, schedule
from spikenas.space.plan import LayerSpec, Plan

SCALE_BYTES = 4
BIAS_BYTES = 4
# Allowances above what prototypes of the kernels take on a Cortex-M4: benchmarks/kernel_size.
CODE_BASE_BYTES = 1152
CALL_BYTES = 40
KERNEL_BYTES = {
    "input conv": 448,
    "conv": 576,
    "depthwise": 352,
    "pointwise": 288,
    "lif": 256,
    "avgpool": 352,
    "sum": 96,
    "globalpool": 96,
    "linear": 192,
    "vote": 96,
}


@dataclass(frozen=True)
class LayerCost:
    """What one layer adds.

    Attributes:
        name: Its name in the plan.
        kind: Its kind.
        shape: Of its output, per sample and timestep.
        params: Learnable parameters.
        flash_bytes: Weights, scales and biases on the device, padded to 4 bytes.
        ram_bytes: Its buffers, whether live at the peak or not.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Footprint:
    """What a plan costs.

    Attributes:
        layers: Layer by layer.
        code_bytes: The program: a base, each kernel used, each call.
        schedule: The buffers and when they are live.
    """

    layers: tuple[LayerCost, ...]
    code_bytes: int
    schedule: Schedule

    @property
    def params(self) -> int:
        """Learnable parameters as PyTorch counts them."""
        return sum(layer.params for layer in self.layers)

    @property
    def flash_bytes(self) -> int:
        """Bytes of read-only memory on the device."""
        return self.code_bytes + sum(layer.flash_bytes for layer in self.layers)

    @property
    def ram_bytes(self) -> int:
        """Peak bytes of working memory on the device, stack included."""
        return self.schedule.ram_bytes

    @property
    def peak_step(self) -> str:
        """The layer at whose computation most RAM is in use."""
        live = self.schedule.live_bytes
        return self.schedule.steps[live.index(max(live))]

    @property
    def stack_bytes(self) -> int:
        """The share of RAM kept for the stack."""
        return STACK_BYTES


def footprint(plan: Plan) -> Footprint:
    """What a plan costs, exactly and without building it."""
    timeline = schedule(plan)
    ram: dict[str, int] = {}
    for buffer in timeline.buffers:
        ram[buffer.layer] = ram.get(buffer.layer, 0) + buffer.size_bytes
    layers = tuple(
        LayerCost(layer.name, layer.kind, layer.shape, params(layer), _stored(plan, layer), ram.get(layer.name, 0))
        for layer in plan.layers
    )
    calls = [kernel for layer in plan.layers if (kernel := _kernel(layer))]
    code = CODE_BASE_BYTES + sum(KERNEL_BYTES[kernel] for kernel in set(calls)) + CALL_BYTES * len(calls)
    return Footprint(layers, code, timeline)


def params(layer: LayerSpec) -> int:
    """Learnable parameters of one layer."""
    if layer.kind == "batchnorm":
        return 2 * layer.shape[0]
    return layer.weights + (layer.shape[0] if layer.bias else 0)


def _stored(plan: Plan, layer: LayerSpec) -> int:
    """Bytes of constants; a BatchNorm that folds is in its convolution's scale and bias."""
    if layer.kind == "batchnorm":
        return 0 if plan.folds(layer) else layer.shape[0] * (SCALE_BYTES + BIAS_BYTES)
    if not layer.weights:
        return 0
    weights = -(-layer.weights * plan.network.weight_bits // 8)
    return -(-weights // 4) * 4 + layer.shape[0] * (SCALE_BYTES + BIAS_BYTES)


def _kernel(layer: LayerSpec) -> str | None:
    """The kernel that computes a layer; BatchNorm and dropout are part of others."""
    if layer.kind == "conv":
        if layer.stage == "stem":
            return "input conv"
        if layer.groups > 1:
            return "depthwise"
        return "pointwise" if layer.terms[0].layer.endswith(".depthwise") else "conv"
    return None if layer.kind in ("input", "batchnorm", "dropout") else layer.kind
