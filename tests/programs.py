"""Networks of all kinds to put through programs, and the kernels in floating point."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikenas.config import NetworkConfig
from spikenas.data import Statistics
from spikenas.integers import Folded, IntegerNetwork, fold, quantise
from spikenas.memory import Step
from spikenas.snn.network import Network
from spikenas.space import OPS, Cell, Edge, Genotype, InputSpec, Op, Plan, make_plan
from spikenas.space.cell import pairs
from spikenas.space.plan import RELU_BOUND
from spikenas.training.checkpoint import Model

ALL = (*map(Op, OPS), Op("conv3x3", 0.5))
T = 3
INPUT = ((0.7, 1.9), (1.3, 0.8))  # mean and deviation of the two input channels


@dataclass(frozen=True)
class Case:
    """A plan that prints in one line."""

    text: str
    kind: str = "compact"
    static: bool = True
    size: int = 9
    v_reset: float = 0.0
    channels: int = 3
    weight_bits: int = 8
    membrane_bits: int = 16
    core: str = "cortex-m4"
    neuron: str = "lif"
    levels: int = 4
    timesteps: int = T

    @property
    def plan(self) -> Plan:
        genotype = Genotype.parse(self.text)
        network = NetworkConfig(
            kind=self.kind,
            channels=self.channels,
            cells=len(genotype.cells),
            hidden=7,
            votes=2,
            neuron=self.neuron,
            levels=self.levels,
            timesteps=self.timesteps,
            v_reset=self.v_reset,
            weight_bits=self.weight_bits,
            membrane_bits=self.membrane_bits,
            core=self.core,
        )
        return make_plan(genotype, network, InputSpec(2, self.size, self.size, 3, self.static))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    cells = []
    for _ in range(draw(st.integers(1, 2))):
        nodes = draw(st.sampled_from([4, 4, 3, 5]))
        drawn = [(draw(st.sampled_from(ALL)), draw(st.sampled_from([False, False, True]))) for _ in pairs(nodes)]
        cells.append(Cell(tuple(Edge(op, backward and op.kind != "none") for op, backward in drawn), nodes))
    genotype = Genotype(tuple(cells))
    assume(genotype.connected)
    neuron = draw(st.sampled_from(["lif", "ilif", "relu"]))
    kind = draw(st.sampled_from(["compact", "snasnet"])) if len(cells) == 2 and neuron == "lif" else "compact"
    static = draw(st.booleans())
    return Case(
        str(genotype),
        kind,
        static,
        draw(st.sampled_from([8, 9])),
        channels=draw(st.sampled_from([3, 4, 8])),
        weight_bits=draw(st.sampled_from([8, 8, 4, 2])),
        membrane_bits=draw(st.sampled_from([16, 8])),
        neuron=neuron,
        levels=draw(st.integers(1, 15)),
        timesteps=1 if neuron == "relu" and static else draw(st.integers(1, 4)),
    )


def random_case(seed: int) -> Case:
    """Of all ops, numbers of cells, neurons, widths and bits."""
    rng = random.Random(seed)
    while True:
        cells = []
        for _ in range(rng.choice([1, 2, 3])):
            ops = [Op(rng.choice(list(OPS))) for _ in range(6)]
            backward = rng.choice([0, 0, 0.3])
            cells.append(Cell(tuple(Edge(op, rng.random() < backward and op.kind != "none") for op in ops)))
        genotype = Genotype(tuple(cells))
        if genotype.connected:
            neuron = rng.choice(["lif", "ilif", "ilif", "relu"])
            static = rng.random() < 0.8
            return Case(
                str(genotype),
                rng.choice(["compact", "snasnet"]) if len(cells) == 2 and neuron == "lif" else "compact",
                static,
                rng.choice([12, 16, 17]),
                channels=rng.choice([4, 5, 6, 8, 12, 16, 24]),
                weight_bits=rng.choice([2, 4, 8, 8]),
                membrane_bits=rng.choice([8, 16]),
                neuron=neuron,
                levels=rng.randint(1, 15),
                timesteps=1 if neuron == "relu" and static else rng.choice([1, 1, 2, 3, 4]),
            )


def model_of(plan: Plan) -> Model:
    """A network with statistics and scales of all signs."""
    network = Network(plan, seed=1)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data = torch.randn(tensor.shape, generator=generator)
            module.running_var.data = torch.rand(module.weight.shape, generator=generator) + 0.5
    return Model(network, tuple("abc"), Statistics(*INPUT))


class Floats:
    """The kernels in float64, on constants that are only folded."""

    def __init__(self, folded: Folded) -> None:
        self.folded, self.plan = folded, folded.plan
        self.membranes: dict[str, torch.Tensor] = {}
        self.currents: dict[str, list[torch.Tensor]] = defaultdict(list)  # by LIF, one for each timestep
        self.sent: dict[str, list[torch.Tensor]] = defaultdict(list)

    def zero(self, name: str) -> torch.Tensor:
        return torch.zeros(self.plan.by_name[name.removesuffix(".last")].shape, dtype=torch.float64)

    def compute(self, step: Step, reads: Sequence[torch.Tensor], target: torch.Tensor | None) -> torch.Tensor:
        layer, x = self.plan.by_name[step.layer], reads[0] if reads else None
        weight = torch.from_numpy(self.folded.weights[step.layer]) if step.layer in self.folded.weights else None
        old = torch.zeros(layer.shape, dtype=torch.float64) if target is None else target
        if step.biases:
            old = old + torch.from_numpy(self.folded.biases[step.writes])[:, None, None]
        match step.kernel:
            case "fill" | "zero":
                return old
            case "add":
                return old + step.times * x
            case "copy":
                return x
            case "avgpool":
                return old + torch.nn.functional.avg_pool2d(x[None], layer.kernel, 1, layer.kernel // 2)[0]
            case "stem" | "conv" | "depthwise" | "pointwise" | "dense" | "dense_depthwise":
                pad = layer.kernel // 2
                return old + torch.nn.functional.conv2d(x[None], weight, None, layer.stride, pad, 1, layer.groups)[0]
            case "conv_pool" | "dense_pool":
                found = torch.nn.functional.conv2d(x[None], weight, None, 1, layer.kernel // 2)
                return old + 4 * torch.nn.functional.avg_pool2d(found, 2)[0]
            case "count" | "total":
                return old + x.sum((1, 2))
            case "linear":
                before = self.plan.by_name[layer.terms[0].layer]
                if before.kind == "dropout":
                    k = self.plan.by_name[before.terms[0].layer].kernel
                    x = k**2 * torch.nn.functional.avg_pool2d(x[None], k)[0]
                return old + weight @ x.flatten()
            case "scores":
                pixels = np.prod(self.plan.by_name[self.plan.by_name[step.reads[0]].terms[0].layer].shape[1:])
                return weight @ (x / pixels / self.plan.network.timesteps) + torch.from_numpy(self.folded.biases[step.layer])
        if step.fires:
            return self.fire(step, x)
        assert step.kernel == "votes"
        return (x / self.plan.network.timesteps + torch.from_numpy(self.folded.biases[step.reads[0]])).reshape(layer.shape[0], -1).mean(1)

    def fire(self, step: Step, x: torch.Tensor) -> torch.Tensor:
        network = self.plan.network
        if step.layer in self.folded.scales:
            scale, bias = (torch.from_numpy(one)[:, None, None] for one in self.folded.scales[step.layer])
            x = x * scale + bias
        threshold = self.plan.by_name[step.layer].threshold
        self.currents[step.layer].append(x)
        if network.neuron == "relu":
            sent = x.clamp(0, RELU_BOUND) * self.plan.levels / RELU_BOUND
        elif network.neuron == "ilif":
            v = x + (1 - 1 / network.tau) * self.membranes.get(step.layer, torch.zeros_like(x))
            sent = (v / threshold).round().clamp(0, network.levels)
            self.membranes[step.layer] = v - sent * threshold
        else:
            v = self.membranes.get(step.layer, torch.full_like(x, network.v_reset))
            v = v + (x - (v - network.v_reset)) / network.tau
            sent = (v >= threshold).double()
            self.membranes[step.layer] = torch.where(sent > 0, network.v_reset, v)
        self.sent[step.layer].append(sent)
        return sent


def integers_of(plan: Plan) -> IntegerNetwork:
    """The same network as integers, for images of 8 bits."""
    return quantise(fold(model_of(plan)), 1 / 64, tuple("abc"))


def frames_for(plan: Plan, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Random input, [count, 1 or T, C, H, W]; the first are black, white and checked."""
    spec = plan.input
    shape = (count, 1 if spec.static else plan.network.timesteps, spec.channels, spec.height, spec.width)
    frames = np.random.default_rng(seed).integers(0, 256, shape)
    frames[0], frames[1] = 0, 255
    frames[2] = 255 * (np.indices(shape[1:]).sum(0) % 2)
    return frames
