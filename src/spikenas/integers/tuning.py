"""Fine-tunes with the weights that a device will have: rounded in the forward pass, trained as if they were not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikenas.config import Config
from spikenas.integers.folding import fold
from spikenas.integers.rounding import Grid, weight_units
from spikenas.memory.kernels import weight_steps
from spikenas.snn.ilif import BoundedReLU
from spikenas.snn.network import Network, module_key
from spikenas.space.building import make_plan
from spikenas.space.plan import RELU_BOUND, RELU_LEVELS, LayerSpec, Plan
from spikenas.training.checkpoint import Model

_TUNED_SHARE = 10  # of the training's epochs or time one in so many, where weights have fewer than 8 bits


@dataclass(frozen=True)
class Tuning:
    """Says how long a fine-tuning is.

    Attributes:
        epochs: In epochs, where it is not in seconds.
        seconds: In seconds.
    """

    epochs: int = 0
    seconds: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.epochs or self.seconds)

    @property
    def settings(self) -> dict[str, float]:
        """The length, by the key of the configuration."""
        return {"train.epochs": self.epochs} if self.seconds is None else {"train.time": self.seconds}


def with_bits(model: Model, weight_bits: int) -> Model:
    """Return the same network, planned for weights of so many bits."""
    old = model.network.plan
    plan = make_plan(old.genotype, old.network.but({"weight_bits": weight_bits}), old.input)
    network = Network(plan)
    network.load_state_dict(model.network.state_dict())
    return Model(network.eval(), model.classes, model.statistics, model.task)


def tuning_of(config: Config, plan: Plan) -> Tuning:
    """Return how much fine-tuning a network gets, as `quantise.epochs` says."""
    if config.quantise.epochs is not None:
        return Tuning(config.quantise.epochs)
    if all(layer.bits == 8 for layer in plan.layers if layer.weights):
        return Tuning()
    if config.train.time is not None:
        return Tuning(seconds=config.train.time / _TUNED_SHARE)
    return Tuning(max(1, config.train.epochs // _TUNED_SHARE))


class RoundedNetwork(Network):
    """Rounds the weights of a trained network to a grid at every use; the gradient passes through the rounding.

    So does it through the rounding of activations, which a device has where they are no spikes.

    BatchNorms keep their statistics and scales, so that the grid stays; their biases are trained. Gradients of weights
    are bounded: after a long training the loss is so steep that the steps of a rate which suits a short one lead away.

    Args:
        model: The trained network.
        grid: The grid that its weights are rounded to.
        input_scale: What one step of the 8-bit input stands for, in the data's scale.
    """

    most_gradient = 0.03  # measured

    def __init__(self, model: Model, grid: Grid, input_scale: float) -> None:
        super().__init__(model.network.plan)
        self.load_state_dict(model.network.state_dict())
        folded = fold(model)
        self.steps = weight_steps(folded.program)
        for name, unit in weight_units(folded, grid, input_scale).items():
            self.register_buffer(f"unit_{module_key(name)}", torch.from_numpy(unit).float(), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad_(False)
        for layer in self.plan.layers:
            if layer.kind == "neuron" and not self.plan.network.is_spiking:
                self.layers[module_key(layer.name)] = _SteppedReLU()

    def train(self, mode: bool = True) -> RoundedNetwork:
        """Set the mode of all modules but BatchNorms, which always use their own statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def run_layer(self, layer: LayerSpec, inputs: list[Tensor], like: Tensor) -> Tensor:
        """Run one layer over all timesteps of its inputs, with rounded weights where it has weights."""
        if not layer.weights:
            return super().run_layer(layer, inputs, like)
        key = module_key(layer.name)
        module, x = self.layers[key], inputs[0]
        weight = _Round.apply(module.weight, getattr(self, f"unit_{key}"), layer.bits, self.steps[layer.name])
        if layer.kind == "linear":
            return F.linear(x.flatten(2), weight, module.bias)  # type: ignore[arg-type]
        out = F.conv2d(x.flatten(0, 1), weight, None, layer.stride, layer.kernel // 2, 1, layer.groups)
        return out.reshape(*x.shape[:2], *out.shape[1:])


class _SteppedReLU(BoundedReLU):
    """The activation that a byte holds; the gradient is that of the one without steps."""

    def forward(self, x: Tensor) -> Tensor:
        exact = super().forward(x)
        step = RELU_BOUND / RELU_LEVELS
        return exact + (torch.round(exact.detach() / step) * step - exact.detach())


class _Round(torch.autograd.Function):
    """The nearest weight on the grid; the gradient passes, but for weights beyond its end."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor, unit: Tensor, bits: int, step: int) -> Tensor:
        most = (1 << bits - 1) - 1
        scaled = weight * unit / step
        ctx.save_for_backward(scaled.abs() <= most + 0.5)
        return torch.where(unit != 0, scaled.round().clamp(-most, most) * step / unit, weight)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (inside,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0] * inside, None, None, None
