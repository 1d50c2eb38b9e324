"""A plan built from SpikingJelly's single-step modules, one timestep after the other as SNASNet's code runs them."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from spikenas.snn import Network
from spikenas.space import LayerSpec, Plan


class SteppingNetwork(nn.Module):
    """The weights of a `Network`, SpikingJelly's neurons, a loop over the timesteps; the static stem runs once."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.plan: Plan = network.plan
        self.layers = nn.ModuleDict()
        for layer in self.plan.layers:
            key = layer.name.replace(".", "_")
            if layer.kind == "lif":
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

    def spikes(self, x: Tensor, see: dict[str, list[Tensor]]) -> None:
        """Run a batch; `see` collects each LIF layer's spikes at every timestep, through hooks."""
        hooks = [
            self.layers[layer.name.replace(".", "_")].register_forward_hook(
                lambda module, inputs, output, name=layer.name: see.setdefault(name, []).append(output.detach())
            )
            for layer in self.plan.layers
            if layer.kind == "lif"
        ]
        with torch.no_grad():
            self(x)
        for hook in hooks:
            hook.remove()
