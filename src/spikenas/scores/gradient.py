"""Make scores from gradients of an untrained network, through the surrogate of the spikes.

docs/scores.md has each formula, where it is from and what a spiking network changed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikenas.scores.probe import NetworkScore, Probe
from spikenas.snn.network import Network, module_key
from spikenas.space.plan import LayerSpec

ZICO_PARTS = 4
ZEN_STEP = 0.01
_JACOBIAN_RIDGE = 1e-5
_NORM_EPSILON = 1e-5  # what BatchNorm adds to a variance
_WEIGHTED = (nn.Conv2d, nn.Linear)
Seen = TypeVar("Seen")


def snip(probe: Probe) -> float:
    """Return the sum of |w dL/dw|.

    Source: Lee et al. 2019, arXiv 1810.02340.
    """
    return _saliency(_weights(probe.network), _gradients(probe, probe.images, probe.labels))


def grad_norm(probe: Probe) -> float:
    """Return the sum over the layers of the length of dL/dw.

    Source: Abdelfattah et al. 2021, arXiv 2101.08134.
    """
    return math.fsum(float(gradient.norm()) for gradient in _gradients(probe, probe.images, probe.labels))


def zico(probe: Probe) -> float:
    """Return the sum over the layers of log sum_w mean|g_w| / std(g_w), over parts of the batch.

    Weights whose gradients are equal in all parts do not count, nor do layers that have no others; -inf if none counts.

    Source: Li et al. 2023, arXiv 2301.11300.
    """
    images = probe.images.chunk(ZICO_PARTS, dim=-4)
    parts = [_gradients(probe, *part) for part in zip(images, probe.labels.chunk(ZICO_PARTS), strict=True)]
    logs = []
    for gradients in map(torch.stack, zip(*parts, strict=True)):
        deviation = gradients.std(0, correction=0)
        ratios = gradients.abs().mean(0)[deviation > 0] / deviation[deviation > 0]
        if ratios.sum() > 0:
            logs.append(math.log(float(ratios.sum())))
    return math.fsum(logs) if logs else -math.inf


def fisher(probe: Probe) -> float:
    """Return the sum over output channels of 1/2 mean_b (sum_t,h,w a g)^2, g the gradient of each sample's own loss.

    Source: Theis et al. 2018, arXiv 1801.05787; Turner et al. 2020, arXiv 1906.04113.
    """
    with _watched(_modules(probe.network, _WEIGHTED), lambda _, output: output) as calls:
        loss = F.cross_entropy(probe.network(probe.images), probe.labels, reduction="sum")
    outputs = [output for seen in calls.values() for output in seen]
    gradients = iter(torch.autograd.grad(loss, outputs, allow_unused=True, materialize_grads=True))
    total = 0.0
    for seen in calls.values():
        effect = torch.zeros(())
        for output in seen:
            product = output.detach().double() * next(gradients)
            if product.dim() == 4:  # a convolution's [T * B, C, H, W]; a linear layer's is [T, B, features]
                product = product.sum((2, 3))
            effect = effect + product.reshape(-1, len(probe.labels), product.shape[-1]).sum(0)
        total += 0.5 * float(effect.square().mean(0).sum())
    return total


def jacob_cov(probe: Probe) -> float:
    """Return minus the sum of log(v + k) + 1 / (v + k), v the eigenvalues of the correlation of the samples' Jacobians.

    Source: Mellor et al. 2020, arXiv 2006.04647, first version; k = 1e-5 as there.
    """
    images = probe.images.detach().clone().requires_grad_()
    (jacobian,) = torch.autograd.grad(probe.network(images).sum(), images)
    rows = jacobian.movedim(-4, 0).flatten(1).double()
    correlation = torch.corrcoef(rows).reshape(len(rows), len(rows))
    if not torch.isfinite(correlation).all():
        return -math.inf
    shifted = torch.linalg.eigvalsh(correlation).clamp(min=0) + _JACOBIAN_RIDGE
    return -float((shifted.log() + 1 / shifted).sum())


@torch.no_grad()
def zen(probe: Probe) -> float:
    """Return the log of how a small step of the input changes the last feature map, with BatchNorm's gain restored.

    This is log mean_t,b sum|f(x) - f(x + 0.01 e)| + sum over BatchNorms of log sigma; x and e are Gaussian, f is the
    current into the last neurons before the pooling, sigma^2 the mean variance that BatchNorm divides by. Convolutions
    have weights of variance 1.

    Source: Lin et al. 2021, arXiv 2102.01063.
    """
    network = probe.network
    norms = _modules(network, nn.BatchNorm2d)
    unit = {
        f"{name}.weight": module.weight * math.sqrt(3 * module.weight[0].numel())  # drawn with variance 1 / (3 fan-in)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    }

    def features(x: Tensor) -> Tensor:
        with _watched(norms[-1:], lambda _, output: output) as calls:
            torch.func.functional_call(network, unit, (x.to(probe.images),))
        return calls[norms[-1]][0]

    generator, shape = probe.generator("zen"), probe.images.shape
    x, step = (torch.randn(shape, generator=generator) for _ in range(2))
    with _watched(norms, lambda read, _: float(read.var((0, 2, 3), correction=0).mean()) + _NORM_EPSILON) as variances:
        here = features(x)
    change = float((features(x + ZEN_STEP * step) - here).abs().sum((1, 2, 3)).mean())
    gain = sum(0.5 * math.log(fmean(seen)) for seen in variances.values() if seen)  # of T = 1 some are not run
    return math.log(change) + gain if change > 0 else -math.inf


def synflow(probe: Probe) -> float:
    """Return the log of the sum of |w dR/dw|, R the sum of the outputs of the linearised network for an input of ones.

    It is computed in float64, whose range is enough for over 100 layers.

    Source: Tanaka et al. 2020, arXiv 2006.05467.
    """
    linear, spec = _Linearised(probe.network), probe.plan.input
    leading = (1,) if spec.static else (probe.plan.network.timesteps, 1)
    ones = torch.ones(*leading, spec.channels, spec.height, spec.width, dtype=torch.float64, device=probe.images.device)
    weights = _weights(linear)
    gradients = torch.autograd.grad(linear(ones).sum(), weights, allow_unused=True, materialize_grads=True)
    total = _saliency(weights, gradients)
    return math.log(total) if total > 0 else -math.inf


class _Linearised(Network):
    """This copy of a network has positive weights in float64, and its neurons and BatchNorms hand on what they get."""

    def __init__(self, network: Network) -> None:
        super().__init__(network.plan)
        for layer in network.plan.layers:
            if (name := module_key(layer.name)) in network.layers:
                neutral = layer.kind in ("neuron", "batchnorm")
                self.layers[name] = nn.Identity() if neutral else copy.deepcopy(network.layers[name]).double()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.abs_()

    def _neuron_step(self, layer: LayerSpec, x: Tensor, potentials: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return x, x


def _modules(network: nn.Module, kinds: type[nn.Module] | tuple[type[nn.Module], ...]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


def _weights(network: nn.Module) -> list[Tensor]:
    """Return the weights of all convolutions and linear layers."""
    return [module.weight for module in _modules(network, _WEIGHTED)]  # type: ignore[misc]


def _gradients(probe: Probe, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Return the gradients of the cross-entropy with respect to `_weights`, float64; 0 where a weight is not used."""
    loss = F.cross_entropy(probe.network(images), labels)
    weights = _weights(probe.network)
    gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    return [gradient.double() for gradient in gradients]


def _saliency(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
    """Return the sum of |weight times gradient|, in float64."""
    pairs = zip(weights, gradients, strict=True)
    return math.fsum(float((weight.detach().double() * gradient).abs().sum()) for weight, gradient in pairs)


@contextmanager
def _watched(
    modules: Iterable[nn.Module], observe: Callable[[Tensor, Tensor], Seen]
) -> Iterator[dict[nn.Module, list[Seen]]]:
    """Collect what `observe` makes of each module's input and output, call by call, while the context is open."""
    calls: dict[nn.Module, list[Seen]] = {module: [] for module in modules}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls[module].append(observe(inputs[0], output))

    hooks = [module.register_forward_hook(note) for module in calls]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


SYNFLOW = NetworkScore("synflow", "flow through the linearised network", "Tanaka et al. 2020", synflow)
SNIP = NetworkScore("snip", "sum of weight times gradient", "Lee et al. 2019", snip)
GRAD_NORM = NetworkScore("grad-norm", "length of the gradients", "Abdelfattah et al. 2021", grad_norm)
FISHER = NetworkScore("fisher", "effect of leaving a channel out", "Theis et al. 2018, Turner et al. 2020", fisher)
JACOB_COV = NetworkScore("jacob-cov", "correlation of the samples' Jacobians", "Mellor et al. 2020", jacob_cov)
ZICO = NetworkScore("zico", "mean over deviation of gradients", "ZiCo, Li et al. 2023", zico)
ZEN = NetworkScore("zen", "change of features under a step of the input", "Zen-NAS, Lin et al. 2021", zen)
