"""A plan built from SpikingJelly's single-step modules, one timestep after the other as SNASNet's code runs them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from spikenas.config import NetworkConfig
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, LayerSpec, Plan, make_plan


class SteppingNetwork(nn.Module):
    """The weights of a `Network`, SpikingJelly's neurons, a loop over the timesteps; the static stem runs once."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.plan: Plan = network.plan
        self.layers = nn.ModuleDict()
        for layer in self.plan.layers:
            key = layer.name.replace(".", "_")
            if layer.kind == "neuron":
                self.layers[key] = self._neuron(layer)
            elif key in network.layers:
                self.layers[key] = network.layers[key]

    def _neuron(self, layer: LayerSpec) -> nn.Module:
        settings = self.plan.network
        return neuron.LIFNode(
            tau=settings.tau,
            decay_input=True,
            v_threshold=layer.threshold,
            v_reset=settings.v_reset,
            surrogate_function=surrogate.ATan(alpha=settings.surrogate_alpha),
            detach_reset=True,
            step_mode="s",
        )

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self)
        still: dict[str, Tensor] = {"input": x}
        total = None
        for t in range(self.plan.network.timesteps):
            values = dict(still)
            for layer in self.plan.layers:
                if layer.name not in values:
                    values[layer.name] = self._run(layer, [values[term.layer] for term in layer.terms])
                    if layer.static and t == 0:
                        still[layer.name] = values[layer.name]
            out = values[self.plan.layers[-1].name]
            total = out if total is None else total + out
        return total / self.plan.network.timesteps

    def _run(self, layer: LayerSpec, inputs: list[Tensor]) -> Tensor:
        module = self.layers[layer.name.replace(".", "_")]
        if layer.kind == "linear":
            return module(inputs[0].flatten(1))
        return module(*inputs)

    def watch(self, see: Callable[[Tensor], None]) -> None:
        """Call `see` with the spikes of each LIF layer at each timestep."""
        for layer in self.plan.layers:
            if layer.kind == "neuron":
                module = self.layers[layer.name.replace(".", "_")]
                module.register_forward_hook(lambda module, inputs, output: see(output.detach()))


@torch.no_grad()
def plain_sahd(genotype: Genotype, network: NetworkConfig, input: InputSpec, images: Tensor) -> float:
    """SNASNet's score of one candidate and batch: build the network, run it, add up kernels of layers and timesteps."""
    stepping = SteppingNetwork(Network(make_plan(genotype, network, input)))
    stepping.eval()
    for module in stepping.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    total = torch.zeros(len(images), len(images))
    count = 0

    def see(spikes: Tensor) -> None:
        nonlocal total, count
        x = spikes.flatten(1)
        N = x.shape[1]
        same = x @ x.T + (1 - x) @ (1 - x).T
        rate = x.mean(1)
        expected = torch.outer(rate, 1 - rate) + torch.outer(1 - rate, rate)
        total = total + N - 0.5 * (N - same) / (N * expected + 1e-3)
        count += 1

    stepping.watch(see)
    stepping(images)
    return float(torch.linalg.slogdet(total.double() / count).logabsdet)
