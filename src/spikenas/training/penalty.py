"""A penalty on spikes: what a network sends is made a part of its loss, so that it learns to send less."""

from __future__ import annotations

import torch
from torch import Tensor

from spikenas.snn.network import Network
from spikenas.snn.synops import fan_out
from spikenas.space.plan import LayerSpec


class SpikePenalty:
    """Counts the synaptic operations of each forward pass of a network in training, as a part of its loss.

    Its unit is what they would be if each neuron sent one spike at each timestep. The gradient goes where the surrogate
    gradient of the neurons does.

    Args:
        network: The network, which calls this from now on.
        strength: What the loss, in nats, grows by for one unit.
    """

    def __init__(self, network: Network, strength: float) -> None:
        plan = network.plan
        self._network, self._strength = network, strength
        self._weights = {layer.name: fan_out(plan, layer).float() for layer in plan.layers if layer.kind == "neuron"}
        neurons = (float(self._weights[name].expand(plan.by_name[name].shape).sum()) for name in self._weights)
        self._unit = plan.network.timesteps * sum(neurons)
        self._sums: list[Tensor] = []
        network.observer = self._observe

    def _observe(self, layer: LayerSpec, spikes: Tensor) -> None:
        if layer.name in self._weights and self._network.training:
            weight = self._weights[layer.name] = self._weights[layer.name].to(spikes.device)
            by_place = spikes.sum((0, 1, 2), dtype=torch.float32)  # [H, W], or one number of a layer without places
            self._sums.append((by_place * weight).sum() / spikes.shape[1])

    def take(self) -> Tensor:
        """Return the penalty of the forward pass that is behind."""
        total, self._sums = torch.stack(self._sums).sum(), []
        return total * (self._strength / self._unit)
