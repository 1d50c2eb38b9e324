import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikenas.data import Split
from spikenas.training.learner import class_weights, item_losses


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
