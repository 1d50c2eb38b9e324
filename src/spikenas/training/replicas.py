"""Replicas of a network compute the shares of a batch side by side, where a CPU has several cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import Self, TypeVar

import torch

from spikenas._util.threads import threads
from spikenas.snn.network import Network, SharedDropout

LEAST_SHARE = 64  # images of a batch; a BatchNorm takes its statistics of them

R = TypeVar("R")


class Replicas:
    """Copies of a network that have its weights in common, each with gradients and BatchNorm statistics of its own.

    The layers of a small network are too short to be divided among the threads of PyTorch one by one.

    Args:
        network: The network, which is the first of `networks`.
        number: How many there are with it.
    """

    def __init__(self, network: Network, number: int) -> None:
        self.networks = [network, *(_sharing(network) for _ in range(number - 1))]
        self._pool: ThreadPoolExecutor | None = None

    @classmethod
    def of(cls, network: Network, batch: int, device: torch.device, processes: int = 1) -> Self:
        """Make as many as are worth it for batches of so many images on a device.

        There is one on a GPU, where several processes train, which add the gradients of one network each, and where
        dropout draws random numbers, which threads would draw in any order.
        """
        dropped = any(isinstance(module, SharedDropout) and module.p for module in network.modules())
        alone = device.type != "cpu" or processes > 1 or dropped
        return cls(network, 1 if alone else max(1, min(torch.get_num_threads(), batch // LEAST_SHARE)))

    @contextmanager
    def side_by_side(self) -> Iterator[None]:
        """Divide the threads of PyTorch among the replicas while the context is open."""
        number = len(self.networks)
        each = max(1, torch.get_num_threads() // number)
        with threads(each), ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    def each(self, work: Callable[[int], R]) -> list[R]:
        """Call `work` with the number of every replica, at the same time; the first is computed in this thread."""
        if not self._pool:
            raise ValueError("replicas compute in a context of side_by_side() only")
        others = [self._pool.submit(work, number) for number in range(1, len(self.networks))]
        return [work(0), *(other.result() for other in others)]

    def add_gradients(self) -> None:
        """Add the gradients of all to those of the first, which an optimiser steps by."""
        for first, *others in zip(*(network.parameters() for network in self.networks), strict=True):
            for other in others:
                if first.grad is not None and other.grad is not None:
                    first.grad += other.grad
                other.grad = None

    @torch.no_grad()
    def average_statistics(self) -> None:
        """Give all the mean of their running statistics."""
        if len(self.networks) == 1:
            return
        for buffers in zip(*(network.buffers() for network in self.networks), strict=True):
            mean = torch.stack(buffers).double().mean(0)
            for buffer in buffers:
                buffer.copy_(mean)


def _sharing(network: Network) -> Network:
    copy = deepcopy(network)
    for own, other in zip(copy.parameters(), network.parameters(), strict=True):
        own.data = other.data
    return copy
