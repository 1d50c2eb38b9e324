"""A data set: three splits of labelled items that are decoded only when they are fetched."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DataError

Array = NDArray[Any]
Progress = Callable[[int, int], None]

_ITEMS_PER_TASK = 16

log = logging.getLogger("spikenas")


class Decoder(Protocol):
    """Turns an item, a file name or raw pixels, into an array of always the same shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[C, H, W] of images, [T, C, H, W] of event frames."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of event frames."""

    def __call__(self, item: Any) -> Array:
        """Decode one item.

        Raises:
            DataError: the item cannot be decoded; names it.
        """


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled items.

    Args:
        labels: Class of each item, int64 [N].
        items: What `decode` takes, [N, ...]; without `decode` the decoded items, [N, C, H, W] or
            [N, T, C, H, W].
        decode: Turns one of `items` into an array.
    """

    labels: NDArray[np.int64]
    items: Array
    decode: Decoder | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> Array:
        """Decode some items.

        Args:
            indices: Positions in the split, [n], in any order.
        Returns:
            uint8 [n, C, H, W], or float32 [n, T, C, H, W] for event frames; a new array.
        Raises:
            DataError: an item cannot be decoded; names the first.
        """
        chosen = self.items[np.asarray(indices, dtype=np.int64)]
        return chosen if self.decode is None else _decode(chosen, self.decode, None)

    def load(self, progress: Progress | None = None) -> Split:
        """The same split, fully decoded in memory.

        Args:
            progress: Called now and then, and at the end, with the number of items done and of all items.
        Raises:
            DataError: an item cannot be decoded; names the first.
        """
        if self.decode is None:
            return self
        return Split(self.labels, _decode(self.items, self.decode, progress))

    def select(self, mask: NDArray[np.bool_]) -> Split:
        """The items where `mask`, [N], is true."""
        return Split(self.labels[mask], self.items[mask], self.decode)

    def divide(self, share: float, seed: Sequence[int], keep: int = 1) -> tuple[Split, Split]:
        """Hold out a stratified share; at least one item of each class.

        Args:
            share: Share held out of each class, rounded to whole items.
            seed: Entropy of the choice; non-negative integers.
            keep: Items of each class that are never held out; each class has more.
        Returns:
            The rest and the share held out, both in the order of this split.
        """
        rng = np.random.default_rng(seed)
        held_out = np.zeros(len(self), dtype=bool)
        for label in np.unique(self.labels):
            members = rng.permutation(np.flatnonzero(self.labels == label))
            count = max(1, round(share * len(members)))
            held_out[members[: min(count, len(members) - keep)]] = True
        return self.select(~held_out), self.select(held_out)

    def readable(self, known: dict[str, bool]) -> Split:
        """Return the items that can be decoded; how many are left out is logged. Decodes every item.

        Args:
            known: By file whether it can be decoded; items that are in it are not decoded again, others are added.
        """
        decode = self.decode
        if decode is None:
            return self
        new = [index for index, item in enumerate(self.items) if item not in known]

        def check(position: int) -> None:
            item = self.items[new[position]]
            try:
                decode(item)
                known[item] = True
            except DataError:
                known[item] = False

        _in_parallel(check, len(new), None)
        mask = np.array([known[item] for item in self.items], dtype=bool)
        broken = self.items[~mask]
        if len(broken) and new:
            log.info("broken files left out: %d, the first is %s", len(broken), broken[0])
        return self.select(mask)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Items of a few classes.

    Args:
        name: As in the configuration.
        classes: Names; a label is a position in it.
        shape: (C, H, W) of an image or an event frame.
        timesteps: T of event frames; None for images.
        train: Training items without the validation share.
        validation: The share of the training items that is held out.
        open_test: Returns the test split; called when `test` is first read.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    timesteps: int | None
    train: Split
    validation: Split
    open_test: Callable[[], Split]

    @property
    def static(self) -> bool:
        """Whether the items are images, the same at each timestep."""
        return self.timesteps is None

    @cached_property
    def test(self) -> Split:
        """The test items, for evaluation alone."""
        return self.open_test()


def _decode(items: Array, decode: Decoder, progress: Progress | None) -> Array:
    decoded = np.empty((len(items), *decode.shape), decode.dtype)

    def fill(index: int) -> None:
        decoded[index] = decode(items[index])

    _in_parallel(fill, len(items), progress)
    return decoded


def _in_parallel(work: Callable[[int], None], total: int, progress: Progress | None) -> None:
    def run(indices: range) -> int:
        for index in indices:
            work(index)
        return indices.stop

    tasks = [range(start, min(start + _ITEMS_PER_TASK, total)) for start in range(0, total, _ITEMS_PER_TASK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(run, tasks):
            if progress is not None:
                progress(done, total)
