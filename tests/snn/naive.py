"""A network computed from its genotype, timestep by timestep, edge by edge: written to be read, not to be fast.

It knows nothing of plans. Every convolution of a genotype must be of another op, so that its weights can be found.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from spikenas.snn import Network
from spikenas.space import Cell, Op


class Naive:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.settings = network.plan.network
        self.T = self.settings.timesteps

    def __call__(self, x: Tensor) -> Tensor:
        frames = [x] * self.T if self.network.plan.input.static else list(x)
        if self.network.plan.input.static:
            value = self.norm("stem_bn", [self.conv("stem_conv", x)]) * self.T  # BatchNorm sees the image once
        else:
            value = self.norm("stem_bn", [self.conv("stem_conv", frame) for frame in frames])
        for number, cell in enumerate(self.network.plan.genotype.cells, start=1):
            if number > 1:
                stage = f"reduction{number - 1}"
                spikes = self.neurons(self.norm(f"{stage}_bn", value))
                value = self.norm(f"{stage}_bn2", [self.conv(f"{stage}_conv", s) for s in spikes])
                value = [F.avg_pool2d(v, 2) for v in value]
            cell_of = self.cell_with_feedback if cell.has_feedback else self.cell_without_feedback
            value = cell_of(f"cell{number}", cell, value)
        spikes = self.neurons(self.norm("head_bn", value))
        linear = self.network.layers["head_linear"]
        if self.settings.kind == "compact":
            return torch.stack([linear(s.mean((2, 3))) for s in spikes]).mean(0)
        hidden = [self.network.layers["head_hidden"](F.avg_pool2d(s, self.settings.pool).flatten(1)) for s in spikes]
        votes = torch.stack([linear(s) for s in self.neurons(hidden)]).mean(0)
        return votes.unflatten(1, (-1, self.settings.votes)).mean(2)

    def cell_without_feedback(self, stage: str, cell: Cell, x: list[Tensor]) -> list[Tensor]:
        nodes = {0: x}
        for node in range(1, cell.nodes):
            incoming = [self.op(stage, op, nodes[source]) for source, target, op in cell.links() if target == node]
            nodes[node] = [sum(terms, torch.zeros_like(x[0])) for terms in zip(*incoming, strict=True)] or [
                torch.zeros_like(frame) for frame in x
            ]
        return nodes[cell.nodes - 1]

    def op(self, stage: str, op: Op, frames: list[Tensor]) -> list[Tensor]:
        if op.kind == "skip":
            return frames
        if op.kind == "avgpool":
            return [F.avg_pool2d(frame, op.info.kernel, 1, op.info.kernel // 2) for frame in frames]
        names = self.names(stage, op)
        spikes = self.neurons(frames, op.threshold)
        return self.norm(names["bn"], [self.weigh(names, s) for s in spikes])

    def cell_with_feedback(self, stage: str, cell: Cell, x: list[Tensor]) -> list[Tensor]:
        potentials: dict[tuple[int, int], Tensor] = {}
        before: dict[int, Tensor] = {}
        outputs = []

        def through(source: int, target: int, op: Op, value: Tensor) -> Tensor:
            if op.kind == "skip":
                return value
            if op.kind == "avgpool":
                return F.avg_pool2d(value, op.info.kernel, 1, op.info.kernel // 2)
            v = potentials.get((source, target), torch.full_like(value, self.settings.v_reset))
            spikes, potentials[source, target] = self.neuron(value, v, op.threshold)
            names = self.names(stage, op)
            return self.norm(names["bn"], [self.weigh(names, spikes)])[0]

        for t in range(self.T):
            now: dict[int, Tensor] = {}
            for node in range(cell.nodes):
                total = x[t] if node == 0 else torch.zeros_like(x[t])
                for source, target, op in cell.links():
                    if target == node and source < target:
                        total = total + through(source, target, op, now[source])
                    if target == node and source > target and t > 0:
                        total = total + through(source, target, op, before[source])
                now[node] = total
            before = now
            outputs.append(now[cell.nodes - 1])
        return outputs

    def names(self, stage: str, op: Op) -> dict[str, str]:
        """Names of the layers of the only op of its kind in a stage."""
        for layer in self.network.plan.stages[stage]:
            if layer.kind == "conv" and layer.kernel == op.info.kernel:
                depthwise = layer.name.endswith("depthwise")
                if depthwise == (op.kind == "dwconv"):
                    head = layer.name.rpartition(".")[0].replace(".", "_")
                    return {"bn": f"{head}_bn", "conv": f"{head}_conv"} | (
                        {"depthwise": f"{head}_depthwise"} if depthwise else {}
                    )
        raise AssertionError(f"no {op} in {stage}")

    def weigh(self, names: dict[str, str], spikes: Tensor) -> Tensor:
        if "depthwise" in names:
            spikes = self.conv(names["depthwise"], spikes)
        return self.conv(names["conv"], spikes)

    def conv(self, name: str, x: Tensor) -> Tensor:
        layer = self.network.layers[name]
        return F.conv2d(x, layer.weight, None, layer.stride, layer.padding, 1, layer.groups)

    def norm(self, name: str, frames: list[Tensor]) -> list[Tensor]:
        """BatchNorm over all the frames given: in training their own statistics, else the running ones."""
        layer = self.network.layers[name]
        x = torch.cat(frames)
        mean, var = layer.running_mean, layer.running_var
        if self.network.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        shape = (1, -1, 1, 1)
        y = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + layer.eps)
        y = y * layer.weight.view(shape) + layer.bias.view(shape)
        return list(y.split(len(frames[0])))

    def neurons(self, frames: list[Tensor], threshold: float | None = None) -> list[Tensor]:
        v, spikes = torch.full_like(frames[0], self.settings.v_reset), []
        for frame in frames:
            s, v = self.neuron(frame, v, threshold)
            spikes.append(s)
        return spikes

    def neuron(self, x: Tensor, v: Tensor, threshold: float | None) -> tuple[Tensor, Tensor]:
        settings = self.settings
        if settings.neuron == "ilif":
            unit = threshold or settings.v_threshold
            v = v * (1 - 1 / settings.tau) + x
            sent = (v / unit).round().clamp(0, settings.levels)
            return sent, v - sent * unit
        v = v + (x - (v - settings.v_reset)) / settings.tau
        fires = v >= (threshold or settings.v_threshold)
        return fires.to(x.dtype), torch.where(fires, torch.tensor(settings.v_reset, dtype=x.dtype), v)
