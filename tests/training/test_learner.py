from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import nn

from spikenas._util.threads import threads
from spikenas.config import Config
from spikenas.data import Split, Statistics
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training import learner as module
from spikenas.training.learner import Learner, class_weights, item_losses
from spikenas.training.optimiser import make_optimiser

CONFIG = Config.parse({"network": {"channels": 4}, "train": {"spike_penalty": 5.0, "crop": 0, "flip": False}})
PLAN = make_plan(Genotype.parse("0-1:conv3x3 1-3:conv3x3 / 0-3:conv3x3"), CONFIG.network, InputSpec(1, 8, 8, 3))
ITEMS = Split(np.arange(201) % 3, np.random.default_rng(0).integers(0, 256, (201, 1, 8, 8), dtype=np.uint8))


def learner_of(replicas: int, most_gradient: float | None = None, **changes: Any) -> Learner:
    settings = CONFIG.but({f"train.{key}": value for key, value in changes.items()}).train
    network = Network(PLAN, 0)
    network.most_gradient = most_gradient
    optimiser = make_optimiser(network, settings, 128)
    with threads(replicas):
        made = Learner(Accelerator(cpu=True), network, optimiser, PLAN, Statistics((0.5,), (0.3,)), settings, 128, None)
    assert len(made.replicas.networks) == replicas
    return made


def gradients(learner: Learner) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Those of the whole split and of its 201 items, an odd number, with BatchNorms that do not depend on the batch."""
    with learner.replicas.side_by_side():
        learner.begin(0, 0)
        for network in learner.replicas.networks:
            for layer in network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        images, labels = torch.from_numpy(ITEMS.fetch(range(201))), torch.from_numpy(ITEMS.labels)
        sums = learner.add_gradients(images, labels)
    return [p.grad for p in learner.replicas.networks[0].parameters() if p.grad is not None], sums


@pytest.mark.parametrize("penalty", [0.0, 5.0])
def test_the_gradients_of_two_replicas_are_those_of_one(penalty: float) -> None:
    (one, its_sums), (two, sums) = (gradients(learner_of(n, spike_penalty=penalty)) for n in (1, 2))
    assert len(one) == len(two) == len(list(Network(PLAN, 0).parameters()))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=0.02, atol=1e-3)
    torch.testing.assert_close(its_sums, sums, rtol=1e-5, atol=1e-3)
    assert sums[2] == 201


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("most", [None, 1e-3])
def test_a_step_is_as_long_as_bounded_gradients_allow(replicas: int, most: float | None) -> None:
    learner = learner_of(replicas, optimiser="sgd", momentum=0.0, weight_decay=0.0, most_gradient=most)
    weights = [p for p in learner.replicas.networks[0].parameters() if p.dim() > 1]
    before = [weight.detach().clone() for weight in weights]
    with learner.replicas.side_by_side():
        learner.begin(0, 0)
        images, labels = next(learner.batches(ITEMS, np.arange(128)))
        learner.learn(images, labels, 1.0)
    steps = [float((now.detach() - then).norm() / then.norm()) for now, then in zip(weights, before, strict=True)]
    if most is None:
        assert max(steps) > 2e-3
    else:
        assert max(steps) == pytest.approx(most, rel=1e-3)


def test_the_penalty_is_a_part_of_them() -> None:
    without, with_it = (gradients(learner_of(2, spike_penalty=penalty))[0] for penalty in (0.0, 5.0))
    assert not all(map(torch.allclose, without, with_it))


def test_two_replicas_validate_each_image_once_with_the_mean_of_their_statistics() -> None:
    learner = learner_of(2)
    with learner.replicas.side_by_side():
        learner.begin(0, 0)
        for images, labels in learner.batches(ITEMS, np.arange(128)):
            learner.learn(images, labels, 0.05)
        found, balanced = learner.validate(ITEMS)
    first, second = learner.replicas.networks
    assert all(map(torch.equal, first.buffers(), second.buffers()))
    x = (torch.from_numpy(ITEMS.fetch(range(201))).float() / 255 - 0.5) / 0.3
    with torch.no_grad():
        outputs = second.eval()(x)
    labels = torch.from_numpy(ITEMS.labels)
    assert found[1:] == [int((outputs.argmax(1) == labels).sum()), 201]
    assert found[0] == pytest.approx(float(F.cross_entropy(outputs, labels, reduction="sum")), rel=1e-4)
    assert balanced == pytest.approx(found[1] / 201)  # the classes are of one size


def test_each_replica_of_each_epoch_varies_its_images_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def noted(images: torch.Tensor, generator: torch.Generator, crop: int, flip: bool) -> torch.Tensor:
        seeds.append(generator.initial_seed())
        return images

    monkeypatch.setattr(module, "augment", noted)
    learner = learner_of(2)
    with learner.replicas.side_by_side():
        for epoch in (0, 1, 1):
            learner.begin(0, epoch)
            for images, labels in learner.batches(ITEMS, np.arange(128)):
                learner.learn(images, labels, 0.05)
    assert len(seeds) == 6
    assert len(set(seeds)) == 4


def test_class_weights_are_1_in_the_mean_over_all_items() -> None:
    labels = np.repeat(np.arange(10), [40, 3, 17, 25, 9, 30, 1, 12, 33, 20])
    items = Split(labels, np.zeros((len(labels), 1)))
    found = class_weights(items, 11, "balanced", torch.device("cpu"))
    assert found is not None
    counts = np.bincount(labels, minlength=11)
    assert np.ptp(found.numpy()[:10] * counts[:10]) < 1e-4  # each class has the same weight in all
    assert found[torch.from_numpy(labels)].mean() == pytest.approx(1)
    assert class_weights(items, 11, "none", torch.device("cpu")) is None


def test_equal_classes_have_the_same_loss_with_weights() -> None:
    outputs, labels = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 4
    weights = class_weights(Split(labels.numpy(), np.zeros((12, 1))), 4, "balanced", torch.device("cpu"))
    for smoothing in (0.0, 0.1):
        plain, weighed = (item_losses(outputs, labels, w, smoothing) for w in (None, weights))
        assert torch.equal(plain, weighed)
        assert plain.mean() == pytest.approx(float(F.cross_entropy(outputs, labels, label_smoothing=smoothing)))
