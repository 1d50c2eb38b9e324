import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from probes import CASES, EVENTS, EVERY_OP, FEEDBACK, IMAGES, batch, plan_of, probe_of
from torch import nn

from spikenas.config import NetworkConfig
from spikenas.scores import SCORES as ALL
from spikenas.scores import gradient
from spikenas.scores.gradient import fisher, grad_norm, jacob_cov, snip, synflow, zen, zico
from spikenas.scores.probe import NetworkScore, Probe
from spikenas.space import InputSpec, Plan

SCORES = [ALL[name] for name in ("synflow", "snip", "grad-norm", "fisher", "jacob-cov", "zico", "zen")]


def loss_of(probe: Probe) -> torch.Tensor:
    return F.cross_entropy(probe.network(probe.images), probe.labels)


def weights(network: nn.Module) -> list[nn.Parameter]:
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]  # type: ignore[misc]


def gradients(probe: Probe) -> list[torch.Tensor]:
    """By backward() on a copy, in float64 where they are summed."""
    probe = copy.deepcopy(probe)
    loss_of(probe).backward()
    return [w.grad.double() for w in weights(probe.network)]  # type: ignore[union-attr]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
@pytest.mark.parametrize("plan", CASES.values(), ids=CASES.keys())
def test_finite_deterministic_and_without_a_trace(plan: Plan, score: NetworkScore) -> None:
    probe = probe_of(plan)
    before, images = copy.deepcopy(probe.network.state_dict()), probe.images.clone()
    first = score.compute(probe)
    assert math.isfinite(first)
    assert score.compute(probe) == first == score.compute(probe_of(plan))
    assert all(torch.equal(before[key], value) for key, value in probe.network.state_dict().items())
    assert torch.equal(probe.images, images)
    assert not probe.images.requires_grad
    for parameter in probe.network.parameters():
        assert parameter.grad is None
        assert parameter.requires_grad
    for module in probe.network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
        assert module.training == isinstance(module, nn.BatchNorm2d)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_other_weights_give_another_score(score: NetworkScore) -> None:
    plan = plan_of(EVERY_OP)
    assert score.compute(probe_of(plan, seed=1)) != score.compute(probe_of(plan, seed=2))


@pytest.mark.parametrize("genotype", [EVERY_OP, FEEDBACK])
def test_snip_and_grad_norm_equal_backward(genotype: str) -> None:
    probe = probe_of(plan_of(genotype))
    found = gradients(probe)
    assert grad_norm(probe) == pytest.approx(sum(float(g.norm()) for g in found), rel=1e-6)
    products = (w.detach() * g for w, g in zip(weights(probe.network), found, strict=True))
    assert snip(probe) == pytest.approx(sum(float(product.abs().sum()) for product in products), rel=1e-6)


def test_a_convolution_before_batchnorm_may_be_scaled() -> None:
    """The network is the same, so w dL/dw is, and dL/dw is divided by the factor."""
    probe = probe_of(plan_of("0-3:conv3x3 / 0-3:conv3x3"))
    for module in probe.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-12
    scaled = copy.deepcopy(probe)
    for module in scaled.network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data *= 4  # a power of two: every spike stays what it is
    assert snip(scaled) == pytest.approx(snip(probe), rel=1e-4)
    *convs, linear = (float(g.norm()) for g in gradients(probe))
    assert grad_norm(scaled) == pytest.approx(sum(convs) / 4 + linear, rel=1e-4)
    assert fisher(scaled) == pytest.approx(fisher(probe), rel=1e-4)
    assert jacob_cov(scaled) == pytest.approx(jacob_cov(probe), rel=1e-4)


def test_synflow_of_two_layers_by_hand() -> None:
    """Stem, global pooling and classifier: each layer's share of R is R."""
    probe = probe_of(
        plan_of("0-3:skip", NetworkConfig(channels=2, neuron="lif", timesteps=3), InputSpec(1, 1, 1, 2)), samples=2
    )
    stem, head = (w.detach().double() for w in weights(probe.network))
    flow = stem[:, 0, 1, 1].abs()  # of a kernel on one pixel only the centre meets it
    total = (head.abs() @ flow).sum()
    assert synflow(probe) == pytest.approx(math.log(2 * total), rel=1e-12)


def test_synflow_equals_autograd_of_a_plain_network() -> None:
    plan = plan_of("0-1:conv3x3 1-3:conv5x5 0-3:skip 0-2:avgpool3x3 2-3:dwconv3x3")
    probe = probe_of(plan)
    w = {
        name: layer.weight.detach().double().abs().requires_grad_()  # type: ignore[operator,union-attr]
        for name, layer in probe.network.layers.items()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    by_shape = {(tuple(x.shape), name.rsplit("_", 1)[1]): x for name, x in w.items()}
    x = F.conv2d(torch.ones(1, 3, 16, 12).double(), w["stem_conv"], padding=1, stride=plan.by_name["stem.conv"].stride)
    inner = next(v for name, v in w.items() if v.shape == (4, 4, 3, 3))
    path = F.conv2d(F.conv2d(x, inner, padding=1), by_shape[(4, 4, 5, 5), "conv"], padding=2)
    separable = F.conv2d(F.avg_pool2d(x, 3, 1, 1), by_shape[(4, 1, 3, 3), "depthwise"], padding=1, groups=4)
    separable = F.conv2d(separable, by_shape[(4, 4, 1, 1), "conv"])
    out = (path + separable + x).mean((2, 3)) @ w["head_linear"].T
    parts = torch.autograd.grad(out.sum(), list(w.values()))
    total = sum(float((v.detach() * g).sum()) for v, g in zip(w.values(), parts, strict=True))
    assert synflow(probe) == pytest.approx(math.log(total), rel=1e-9)


def test_synflow_ignores_signs_and_data_and_grows_with_weights() -> None:
    probe = probe_of(plan_of(FEEDBACK))
    flow = synflow(probe)
    assert synflow(probe_of(plan_of(FEEDBACK), images=batch(probe.plan) + 1)) == flow
    for weight in weights(probe.network):
        weight.data.neg_()
    assert synflow(probe) == flow
    for weight in weights(probe.network)[:: len(weights(probe.network)) - 1]:  # R is linear in the first and the last
        weight.data.mul_(3)
    assert synflow(probe) == pytest.approx(flow + 2 * math.log(3), rel=1e-9)


def test_synflow_does_not_overflow() -> None:
    wide = NetworkConfig(channels=64, neuron="lif", timesteps=4)
    probe = probe_of(plan_of(" / ".join(["0-1:conv7x7 1-2:conv7x7 2-3:conv7x7"] * 2), wide), samples=1)
    for weight in weights(probe.network):
        weight.data.fill_(1e10)
    assert 200 < synflow(probe) < math.inf


def test_jacobian_covariance_equals_numpy_s() -> None:
    probe = probe_of(plan_of(EVERY_OP), samples=5)
    x = probe.images.clone().requires_grad_()
    probe.network(x).sum().backward()
    values = np.linalg.eigvalsh(np.corrcoef(x.grad.flatten(1).double().numpy()))  # type: ignore[union-attr]
    probe.network.zero_grad()
    wanted = -np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5))
    assert jacob_cov(probe) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("spec", [IMAGES, EVENTS])
def test_jacobian_covariance_of_equal_images(spec: InputSpec) -> None:
    plan = plan_of(EVERY_OP, spec=spec)
    one = batch(plan, 1)
    probe = probe_of(plan, images=one.expand(*one.shape[:-4], 4, *one.shape[-3:]))
    wanted = -(3 * (math.log(1e-5) + 1e5) + math.log(4) + 1 / 4)
    assert jacob_cov(probe) == pytest.approx(wanted, rel=1e-3)
    assert jacob_cov(probe_of(plan, samples=4)) > 0.5 * wanted


def test_zico_equals_the_naive_one() -> None:
    probe = probe_of(plan_of(FEEDBACK), samples=8)
    parts = [
        gradients(Probe(probe.network, probe.images[i : i + 2], probe.labels[i : i + 2], 1, 0)) for i in range(0, 8, 2)
    ]
    wanted = 0.0
    for layer in zip(*parts, strict=True):
        g = np.stack([part.numpy() for part in layer])
        std = g.std(0)
        wanted += math.log((np.abs(g).mean(0)[std > 0] / std[std > 0]).sum())
    assert zico(probe) == pytest.approx(wanted, rel=1e-6)


def test_fisher_equals_gradients_of_channel_masks() -> None:
    """A mask of ones on a channel's output, per sample: a g summed is the mask's gradient."""
    probe = probe_of(plan_of(EVERY_OP), samples=4)
    masks = []

    def masked(module: nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        if output.dim() == 3:  # the classifier's [T, B, features]
            mask = torch.ones(1, 4, output.shape[2], requires_grad=True)
            product = output * mask
        else:
            mask = torch.ones(4, output.shape[1], requires_grad=True)
            product = output * mask.repeat(len(output) // 4, 1)[:, :, None, None]
        masks.append(mask)
        return product

    network = copy.deepcopy(probe.network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(masked)
    loss = F.cross_entropy(network(probe.images), probe.labels, reduction="sum")
    found = torch.autograd.grad(loss, masks)
    wanted = sum(0.5 * float(g.reshape(4, -1).double().square().mean(0).sum()) for g in found)
    assert fisher(probe) == pytest.approx(wanted, rel=1e-5)


def test_zen_is_blind_to_the_scale_of_images_and_sees_that_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of("0-3:conv3x3 / 0-3:conv3x3")
    probe = probe_of(plan)
    first = zen(probe)
    assert zen(probe_of(plan, images=5 * probe.images)) == first
    for module in probe.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-12
    first = zen(probe)
    convs = [m for m in probe.network.modules() if isinstance(m, nn.Conv2d)]
    for conv in convs:
        conv.weight.data *= 2
    assert zen(probe) == pytest.approx(first + len(convs) * math.log(2), rel=1e-4)
    monkeypatch.setattr(gradient, "ZEN_STEP", 0.0)
    assert zen(probe) == -math.inf, "nothing changes"


def test_without_weights_nothing_can_be_told() -> None:
    probe = probe_of(plan_of("0-3:conv3x3 / 0-3:conv3x3"))
    for weight in weights(probe.network):
        weight.data.zero_()
    assert snip(probe) == grad_norm(probe) == 0
    assert zico(probe) == synflow(probe) == jacob_cov(probe) == zen(probe) == -math.inf


def test_one_timestep_where_an_op_that_only_feeds_back_never_runs() -> None:
    plan = plan_of(FEEDBACK, NetworkConfig(channels=4, neuron="lif", timesteps=1))
    for score in SCORES:
        assert math.isfinite(score.compute(probe_of(plan))), score.name
