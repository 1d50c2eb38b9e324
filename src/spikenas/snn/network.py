"""Build a module from a plan and run it.

Layers read and write [T, B, C, H, W], or [1, B, C, H, W] where the plan says that a layer is static. Convolutions,
poolings and BatchNorm fold the timesteps into the batch. A stage with feedback steps through time instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikenas._util.errors import RunError
from spikenas._util.seeding import seed_of
from spikenas.config import NetworkConfig
from spikenas.snn.ilif import ILIF, BoundedReLU, ilif_step
from spikenas.snn.lif import LIF, lif_step
from spikenas.space.plan import LayerSpec, Plan, Term


class SpikeTrain(NamedTuple):
    """A spike train holds what one layer of neurons sent.

    Attributes:
        name: Name of the layer in the plan.
        spikes: Numbers of spikes, 0 or 1 of `lif` and 0 to D of `ilif`, or the activations of `relu`, [T, B, ...];
            T - 1 timesteps where the layer only feeds back.
        edges: Number of ops that read the layer; ops that would have equal neurons share them.
    """

    name: str
    spikes: Tensor
    edges: int


class SharedDropout(nn.Module):
    """This dropout has one mask for all timesteps.

    Args:
        p: Probability that a value is dropped.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of x, [T, B, ...]; the result has the same shape."""
        return x * F.dropout(torch.ones_like(x[:1]), self.p) if self.training and self.p else x


class _Sum(nn.Module):
    """A sum adds its terms, each times its factor."""

    def __init__(self, times: tuple[int, ...]) -> None:
        super().__init__()
        self.times = times

    def forward(self, *terms: Tensor) -> Tensor:
        total = terms[0] if self.times[0] == 1 else terms[0] * self.times[0]
        for times, term in zip(self.times[1:], terms[1:], strict=True):
            total = total.add(term, alpha=times) if total.numel() >= term.numel() else term * times + total
        return total


LayerObserver = Callable[[LayerSpec, Tensor], None]


class Network(nn.Module):
    """A network is the network of a plan, with weights: a spiking one, or its twin of ReLUs.

    It keeps no state between calls: every forward starts from the reset potential.

    Args:
        plan: Plan of the network to build.
        seed: Seed that the weights are drawn from, together with each layer's lineage.
        repeat: Number of the draw; another one gives other weights for the same seed.
        only: Names of the layers to build, of a stage with feedback all or none; `compute` is then given what the
            others would have computed. None builds all.
    """

    most_gradient: float | None = None  # of the gradient of a layer's weights, as a share of their norm

    def __init__(self, plan: Plan, seed: int = 0, repeat: int = 0, only: Collection[str] | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.observer: LayerObserver | None = None  # is called with the spikes of each layer of neurons
        self.layers = nn.ModuleDict()
        self._stages = {
            stage: tuple(layer for layer in layers if layer.kind != "input" and (only is None or layer.name in only))
            for stage, layers in plan.stages.items()
        }
        built = [layer for layers in self._stages.values() for layer in layers]
        self._last_reader = {term.layer: layer.name for layer in built for term in layer.terms}
        for layer in built:
            self.layers[module_key(layer.name)] = _module(plan, layer)
        self.initialise(seed, repeat)

    @torch.no_grad()
    def initialise(self, seed: int, repeat: int = 0) -> None:
        """Draw all weights anew: uniform, variance 1 / (3 fan-in) as PyTorch does, each layer from its own seed.

        Args:
            seed: Seed that the weights are drawn from, together with each layer's lineage.
            repeat: Number of the draw; another one gives other weights for the same seed.
        """
        for layer in self.plan.layers:
            if not layer.weights or module_key(layer.name) not in self.layers:
                continue
            module = self.layers[module_key(layer.name)]
            generator = torch.Generator().manual_seed(seed_of(seed, repeat, layer.lineage))
            bound = 1 / math.sqrt(layer.weights / layer.shape[0])
            for parameter in module.parameters():
                drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                parameter.copy_(drawn)

    def forward(self, x: Tensor, record: list[SpikeTrain] | None = None) -> Tensor:
        """Compute the class scores, averaged over the timesteps.

        Args:
            x: [B, C, H, W] images, or [T, B, C, H, W] event frames where the plan's input is not static.
            record: List that the spikes of every layer of neurons are appended to, in the plan's order.

        Returns:
            Class scores, [B, classes].

        Raises:
            RunError: x has another shape than the plan's input.
        """

        def record_spikes(layer: LayerSpec, value: Tensor) -> None:
            if layer.kind != "neuron":
                return
            if record is not None:
                record.append(SpikeTrain(layer.name, value, self.plan.edges(layer)))
            if self.observer:
                self.observer(layer, value)

        return self.compute({"input": self.checked(x)}, record_spikes)[self.plan.layers[-1].name].mean(0)

    def compute(self, values: dict[str, Tensor], observe: LayerObserver) -> dict[str, Tensor]:
        """Run the layers that were built.

        Args:
            values: The input, and what the built layers read of the others, [T or 1, B, ...] by layer.
            observe: Function that is called with each layer and its output, in the plan's order; of a stage with
                feedback, with those of its neurons and with those that other stages read.

        Returns:
            Values that no built layer reads, by layer.
        """
        values = dict(values)
        like = values["input"]
        for stage, layers in self._stages.items():
            if self.plan.steps_through_time(stage):
                outputs = self._run_stepwise(layers, values, observe) if layers else {}
                values |= outputs
            else:
                for layer in layers:
                    values[layer.name] = self.run_layer(layer, [values[term.layer] for term in layer.terms], like)
                    observe(layer, values[layer.name])
                    self._drop(layer, values)
            for layer in layers:
                self._drop(layer, values)
        return values

    def _drop(self, reader: LayerSpec, values: dict[str, Tensor]) -> None:
        """Forget the values that no layer after this one reads."""
        for term in reader.terms:
            if self._last_reader[term.layer] == reader.name:
                values.pop(term.layer, None)

    def checked(self, x: Tensor) -> Tensor:
        """Return images or event frames as `compute` takes them, [1 or T, B, C, H, W].

        Raises:
            RunError: x has another shape than the plan's input.
        """
        spec, T = self.plan.input, self.plan.network.timesteps
        wanted = (spec.channels, spec.height, spec.width)
        if spec.static and x.dim() == 4 and x.shape[1:] == wanted:
            return x[None]
        if not spec.static and x.dim() == 5 and x.shape[2:] == wanted and x.shape[0] == T:
            return x
        leading = "B" if spec.static else f"{T}, B"
        raise RunError(f"the network takes [{leading}, {', '.join(map(str, wanted))}], got {list(x.shape)}")

    def run_layer(self, layer: LayerSpec, inputs: list[Tensor], like: Tensor) -> Tensor:
        """Run one layer over all timesteps of its inputs, [T or 1, B, ...]; `like` is any tensor of the same batch."""
        if layer.kind in ("neuron", "dropout", "linear"):
            module = self.layers[module_key(layer.name)]
            return module(inputs[0].flatten(2) if layer.kind == "linear" else inputs[0])  # type: ignore[no-any-return]
        if layer.kind == "sum":
            if not inputs:  # a node that nothing leads to, in a plan as written
                return like.new_zeros(1, like.shape[1], *layer.shape)
            return self.layers[module_key(layer.name)](*inputs)  # type: ignore[no-any-return]
        x = inputs[0]
        return self.layers[module_key(layer.name)](x.flatten(0, 1)).unflatten(0, x.shape[:2])  # type: ignore[no-any-return]

    def _run_stepwise(
        self, layers: tuple[LayerSpec, ...], outside: dict[str, Tensor], observe: LayerObserver
    ) -> dict[str, Tensor]:
        """Run a stage with feedback, timestep by timestep, and return what other stages read."""
        T = self.plan.network.timesteps
        own = {layer.name for layer in layers}
        only_fed_back = self.plan.only_fed_back
        like = next(iter(outside.values()))
        history: dict[str, list[Tensor]] = {layer.name: [] for layer in layers}
        potentials: dict[str, Tensor] = {}

        def read(term: Term, t: int) -> Tensor:
            t -= term.delayed
            if t < 0:
                return like.new_zeros(1, like.shape[1], *self.plan.by_name[term.layer].shape)
            if term.layer in own:
                return history[term.layer][t][None]
            x = outside[term.layer]
            return x if x.shape[0] == 1 else x[t : t + 1]

        for t in range(T):
            for layer in layers:
                if t == T - 1 and layer.name in only_fed_back:
                    continue
                inputs = [read(term, t) for term in layer.terms]
                if layer.kind == "neuron":
                    out, potentials[layer.name] = self._neuron_step(layer, inputs[0][0], potentials)
                else:
                    out = self.run_layer(layer, inputs, like)[0]
                history[layer.name].append(out)
        outputs = {}
        for layer in layers:
            read_outside = any(reader.name not in own for reader, _ in self.plan.readers[layer.name])
            if history[layer.name] and (read_outside or layer.kind == "neuron"):
                value = torch.stack(history[layer.name])
                observe(layer, value)
                if read_outside:
                    outputs[layer.name] = value
        return outputs

    def _neuron_step(self, layer: LayerSpec, x: Tensor, potentials: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        network, v = self.plan.network, potentials.get(layer.name)
        match network.neuron:
            case "lif":
                v = x.new_full((), network.v_reset) if v is None else v
                return lif_step(x, v, network.tau, layer.threshold, network.v_reset, network.surrogate_alpha)
            case "ilif":
                return ilif_step(x, v, network.levels, network.tau, layer.threshold)
            case "relu":
                return self.layers[module_key(layer.name)](x), x


def module_key(name: str) -> str:
    """Return the key of a layer's module in `Network.layers`."""
    return name.replace(".", "_")


def _neurons(network: NetworkConfig, threshold: float) -> nn.Module:
    match network.neuron:
        case "lif":
            return LIF(network.timesteps, network.tau, threshold, network.v_reset, network.surrogate_alpha)
        case "ilif":
            return ILIF(network.timesteps, network.levels, network.tau, threshold)
        case "relu":
            return BoundedReLU()


class _Conv(nn.Conv2d):
    """A convolution whose weights are left as they come."""

    def reset_parameters(self) -> None: ...


class _Linear(nn.Linear):
    """A linear layer whose weights are left as they come."""

    def reset_parameters(self) -> None: ...


def _batchnorm(network: NetworkConfig, channels: int) -> nn.BatchNorm2d:
    """Make a BatchNorm whose scale spreads potentials over the levels of the neurons that read it."""
    batchnorm = nn.BatchNorm2d(channels)
    if network.neuron == "ilif":
        nn.init.constant_(batchnorm.weight, max(1.0, (network.levels + 1) / 4))
    return batchnorm


def use_batch_statistics(network: nn.Module) -> None:
    """Turn dropout off, and let BatchNorm use the batch's own statistics and leave the running ones as they are."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.track_running_stats = False


def _module(plan: Plan, layer: LayerSpec) -> nn.Module:
    """Make the module of a layer, on [T * B, ...], or over time where it is a neuron; each kind of layer has one case.

    Weights are left as they come, which takes half of the time: `Network` draws them.
    """
    network, channels = plan.network, layer.in_shape[0]
    match layer.kind:
        case "conv":
            padding, groups = layer.kernel // 2, layer.groups
            return _Conv(channels, layer.shape[0], layer.kernel, layer.stride, padding, groups=groups, bias=False)
        case "batchnorm":
            return _batchnorm(network, channels)
        case "neuron":
            return _neurons(network, layer.threshold)
        case "avgpool":
            return nn.AvgPool2d(layer.kernel, layer.stride, padding=layer.kernel // 2 if layer.stride == 1 else 0)
        case "globalpool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case "sum":
            return _Sum(tuple(term.times for term in layer.terms))
        case "dropout":
            return SharedDropout(network.dropout)
        case "linear":
            return _Linear(prod(layer.in_shape), layer.shape[0], bias=layer.bias)
        case "vote":
            return nn.AvgPool1d(layer.kernel)
        case "input":
            raise ValueError("the input is not computed")
