"""A learner takes the steps of a training, and runs the validation images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from spikenas._util.seeding import seed_of
from spikenas.config import TrainConfig
from spikenas.data import Split, Statistics
from spikenas.data.transforms import augment, normalise
from spikenas.snn.network import Network
from spikenas.space.plan import Plan
from spikenas.training.penalty import SpikePenalty
from spikenas.training.replicas import Replicas


class Learner:
    """A learner has the replicas of a network, its optimiser, and what the loss is made of.

    Args:
        accelerator: What the process computes with.
        network: The network, on its device.
        optimiser: What steps its weights.
        plan: The plan of the network.
        statistics: Mean and standard deviation of each channel, for normalisation.
        settings: How it is trained.
        batch: Images of a step of this process.
        weights: Weight of each class in the loss; None where they are equal.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        network: Network,
        optimiser: torch.optim.Optimizer,
        plan: Plan,
        statistics: Statistics,
        settings: TrainConfig,
        batch: int,
        weights: Tensor | None,
    ) -> None:
        self.replicas = Replicas.of(network, batch, accelerator.device, accelerator.num_processes)
        self._accelerator, self._plan, self._statistics = accelerator, plan, statistics
        self._settings, self._weights, self._batch = settings, weights, batch
        strength = settings.spike_penalty
        self._penalties = [SpikePenalty(one, strength) for one in self.replicas.networks if strength]
        self._most_gradient = network.most_gradient
        self.replicas.networks[0], self.optimiser = accelerator.prepare(network, optimiser)
        self._generators: list[torch.Generator] = []

    def begin(self, seed: int, epoch: int) -> None:
        """Make ready for an epoch, whose random numbers follow from the seed, its number, and that of the process."""
        process, number = self._accelerator.process_index, len(self.replicas.networks)
        torch.manual_seed(seed_of(seed, "dropout", epoch, process))
        seeds = [seed_of(seed, "augment", epoch, process * number + replica) for replica in range(number)]
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for network in self.replicas.networks:
            network.train()

    def batches(self, split: Split, indices: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels, a step's at a time."""
        for start in range(0, len(indices), self._batch):
            chosen = indices[start : start + self._batch]
            images, labels = torch.from_numpy(split.fetch(chosen)), torch.from_numpy(split.labels[chosen])
            yield images.to(self._accelerator.device), labels.to(self._accelerator.device)

    def learn(self, images: Tensor, labels: Tensor, lr: float) -> Tensor:
        """Take a step; returns the sum of the losses, the number of right answers, and that of all."""
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        sums = self.add_gradients(images, labels)
        self._shorten_gradients()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return sums

    def add_gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add the gradients of the mean loss of a batch to those of the network; returns what `learn` does."""
        shares = [part.tensor_split(len(self.replicas.networks)) for part in (images, labels)]
        sums = self.replicas.each(lambda number: self._learn(number, shares[0][number], shares[1][number], len(labels)))
        self.replicas.add_gradients()
        return torch.stack(sums).sum(0)

    @torch.no_grad()
    def _shorten_gradients(self) -> None:
        if self._most_gradient is None:
            return
        for weight in self.replicas.networks[0].parameters():
            if weight.dim() > 1 and weight.grad is not None:
                longest = self._most_gradient * weight.norm()
                weight.grad *= (longest / weight.grad.norm().clamp(min=1e-12)).clamp(max=1)

    def _learn(self, number: int, images: Tensor, labels: Tensor, whole: int) -> Tensor:
        settings = self._settings
        varied = augment(images, self._generators[number], settings.crop or 0, bool(settings.flip))
        with self._accelerator.autocast():
            outputs = self.replicas.networks[number](self._prepared(varied))
        losses = item_losses(outputs.float(), labels, self._weights, settings.label_smoothing)
        loss = losses.sum() / whole
        penalty = self._penalties[number].take() * len(labels) / whole if self._penalties else 0.0
        self._accelerator.backward(loss + penalty)
        return _sums(losses.detach().sum(), outputs.detach(), labels)

    def _prepared(self, images: Tensor) -> Tensor:
        """Normalise images [B, C, H, W] or [B, T, C, H, W], and arrange them as the network takes them."""
        x = normalise(images, self._statistics.mean, self._statistics.std)
        return x.contiguous(memory_format=torch.channels_last) if self._plan.input.static else x.transpose(0, 1)

    def validate(self, split: Split) -> tuple[list[float], float]:
        """Run the images of a split in float32; returns the sums, and the mean of the recalls of its classes."""
        self.replicas.average_statistics()
        found = self.replicas.each(lambda number: self._validate(number, split))
        sums, right = (torch.stack(parts).sum(0) for parts in zip(*found, strict=True))
        there = np.bincount(split.labels, minlength=len(right))
        recalls = self._accelerator.reduce(right).cpu().numpy()[there > 0] / there[there > 0]
        return self._accelerator.reduce(sums).tolist(), float(recalls.mean())

    @torch.no_grad()
    def _validate(self, number: int, split: Split) -> tuple[Tensor, Tensor]:
        accelerator, replicas = self._accelerator, len(self.replicas.networks)
        network = accelerator.unwrap_model(self.replicas.networks[number]).eval()
        forward = type(network).forward  # that of the object has been made to compute in another precision
        sums = torch.zeros(3, dtype=torch.float64, device=accelerator.device)
        right = torch.zeros(self._plan.input.classes, dtype=torch.float64, device=accelerator.device)
        first, apart = accelerator.process_index * replicas + number, accelerator.num_processes * replicas
        for images, labels in self.batches(split, np.arange(first, len(split), apart)):
            outputs = forward(network, self._prepared(images))
            sums += _sums(item_losses(outputs, labels, self._weights).sum(), outputs, labels)
            right += torch.bincount(labels[outputs.argmax(1) == labels], minlength=len(right))
        return sums, right


def _sums(loss: Tensor, outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of a batch, the number of its items that are right, and that of all; on its device."""
    correct = (outputs.argmax(1) == labels).sum()
    return torch.stack([loss.double(), correct.double(), loss.new_full((), len(labels), dtype=torch.float64)])


def class_weights(split: Split, classes: int, kind: str, device: torch.device) -> Tensor | None:
    """Return the weight of each class in the loss: its items' inverse share, 1 in the mean over all items."""
    if kind == "none":
        return None
    counts = np.bincount(split.labels, minlength=classes)
    weights = len(split) / (np.maximum(counts, 1) * np.count_nonzero(counts))
    return torch.from_numpy(weights).float().to(device)


def item_losses(outputs: Tensor, labels: Tensor, weights: Tensor | None, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of each item in nats, times the weight of its class."""
    losses = F.cross_entropy(outputs, labels, reduction="none", label_smoothing=smoothing)
    return losses if weights is None else losses * weights[labels]
