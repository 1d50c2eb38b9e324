"""Optimisers: SGD for all parameters, or Muon, which turns the step of a convolution into one along all its directions.

Muon sends the momentum of a convolution, as a matrix [outputs, inputs * kernel], to the nearest matrix whose singular
values are all about 1. A direction that the gradient knows little of is then learnt as fast as one that it repeats.

Sources: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks" (the step, the coefficients of
the iteration); Jordan 2024, arXiv 2404.00498 (convolutions of constant norm, in later versions of its program).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from spikenas.config import TrainConfig
from spikenas.snn.network import Network

_ITERATIONS = 3  # of Newton and Schulz: singular values between about 0.4 and 1.3 are near enough to 1
_COEFFICIENTS = 3.4445, -4.7750, 2.0315
_FACTOR_OF_AN_ITEM = 1 / 8  # what is stepped by SGD has so many times the rate an item of a batch; measured


class Muon(torch.optim.Optimizer):
    """Muon steps along the orthogonalised momentum of each matrix, and holds the norm of the matrix.

    A parameter is taken as a matrix of shape[0] rows. Its norm is made the root of that number before each step, so a
    learning rate means the same in every layer, and weight decay would do nothing. That changes nothing of what a
    network computes where a BatchNorm reads the layer's outputs, as it does of every convolution here.

    Args:
        params: Parameters of at least two dimensions, or groups of them; a group with `plain` true is stepped by SGD
            with Nesterov momentum and its `weight_decay`, and `lr_factor` times the learning rate.
        lr: Learning rate, about the share of its norm by which a matrix is changed in a step.
        momentum: Share of the momentum that a step keeps.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "plain": False, "lr_factor": 1.0}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change all parameters that have a gradient."""
        loss = closure() if closure else None
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            steps = self._momenta(parameters, group["momentum"], group["weight_decay"])
            if not group["plain"]:
                steps = [orthogonal(step.flatten(1)).view_as(step) for step in steps]
                norms = torch._foreach_norm(parameters)
                roots = [len(parameter) ** 0.5 / norm for parameter, norm in zip(parameters, norms, strict=True)]
                torch._foreach_mul_(parameters, roots)
            torch._foreach_add_(parameters, steps, alpha=-group["lr"] * group["lr_factor"])
        return loss

    def _momenta(self, parameters: list[Tensor], momentum: float, weight_decay: float) -> list[Tensor]:
        """Return the directions of Nesterov's momentum, after this step's gradients."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if weight_decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=weight_decay))
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def orthogonal(matrix: Tensor) -> Tensor:
    """Send a matrix to about the nearest one whose singular values are all 1, by the iteration of Newton and Schulz.

    Args:
        matrix: [rows, columns].
    Returns:
        A matrix of that shape with the same singular vectors; those of singular value 0 are left out.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + torch.addmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x if wide else x.T


def make_optimiser(network: Network, settings: TrainConfig, batch: int) -> torch.optim.Optimizer:
    """Make the optimiser of a network for steps of so many images, as `train.optimiser` says.

    Muon steps the convolutions, but for the first one, which reads images, and depthwise ones; SGD steps all else.
    Weight decay is on what is stepped by SGD, but not on BatchNorms and biases.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    matrices = [module.weight for module in convolutions[1:] if module.groups == 1 and module.weight.requires_grad]
    if settings.optimiser == "sgd":
        matrices = []
    known = set(map(id, matrices))
    others = [parameter for parameter in network.parameters() if id(parameter) not in known]
    decayed = {"params": [p for p in others if p.dim() > 1], "weight_decay": settings.weight_decay}
    free = {"params": [p for p in others if p.dim() == 1], "weight_decay": 0.0}
    if settings.optimiser == "sgd":
        return torch.optim.SGD([decayed, free], settings.lr, settings.momentum, nesterov=settings.momentum > 0)
    plain = {"plain": True, "lr_factor": batch * _FACTOR_OF_AN_ITEM}
    return Muon([{"params": matrices}, decayed | plain, free | plain], settings.lr, settings.momentum)
