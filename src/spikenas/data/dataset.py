"""Divide a data set into three splits of labelled items, which are decoded only when they are fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikenas._util.cores import usable_cores
from spikenas._util.errors import DataError
from spikenas._util.showing import plain

Array = NDArray[Any]
Progress = Callable[[int, int], None]

_ITEMS_PER_TASK = 16


class Decoder(Protocol):
    """A decoder turns an item, a file name or raw pixels, into an array of always the same shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded item: [C, H, W] of images, [T, C, H, W] of event frames."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a decoded item: uint8 of images, float32 of event frames."""

    def __call__(self, item: Any) -> Array:
        """Decode one item.

        Raises:
            DataError: The item cannot be decoded; the message names it.
        """


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """A split holds labelled items.

    Args:
        labels: Class of each item, int64 [N].
        items: Items that `decode` takes, [N, ...]; without `decode` the decoded items, [N, C, H, W] or
            [N, T, C, H, W].
        decode: Decoder that turns one of `items` into an array.
    """

    labels: NDArray[np.int64]
    items: Array
    decode: Decoder | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split of {len(self):,} items, {len(np.unique(self.labels))} classes"

    def name_of(self, index: int) -> str:
        """Return the path of an item that is a file, bytes that are not UTF-8 as `\\xe9`; else its number."""
        item = self.items[index]
        if not isinstance(item, str):
            return f"item {index}"
        return plain(item)

    def fetch(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> Array:
        """Decode some items.

        Args:
            indices: Positions in the split, [n], in any order.

        Returns:
            A new array, uint8 [n, C, H, W], or float32 [n, T, C, H, W] for event frames.

        Raises:
            DataError: An item cannot be decoded; the message names the first.
        """
        chosen = self.items[np.asarray(indices, dtype=np.int64)]
        return chosen if self.decode is None else _decode(chosen, self.decode, None)

    def load(self, progress: Progress | None = None) -> Split:
        """Return the same split, fully decoded in memory.

        Args:
            progress: Function that is called now and then, and at the end, with the numbers of items done and in all.

        Raises:
            DataError: An item cannot be decoded; the message names the first.
        """
        if self.decode is None:
            return self
        return Split(self.labels, _decode(self.items, self.decode, progress))

    def select(self, mask: NDArray[np.bool_]) -> Split:
        """Return the items where `mask`, [N], is true."""
        return Split(self.labels[mask], self.items[mask], self.decode)

    def some(self, count: int, seed: Sequence[int]) -> Split:
        """Return about as many items, stratified; all where there are no more.

        Args:
            count: Number of items.
            seed: Entropy of the choice, as non-negative integers.
        """
        return self.divide(count / len(self), seed, keep=0)[1] if count < len(self) else self

    def divide(self, share: float, seed: Sequence[int], keep: int = 1) -> tuple[Split, Split]:
        """Hold out a stratified share, with at least one item of each class.

        Args:
            share: Share held out of each class, rounded to whole items.
            seed: Entropy of the choice, as non-negative integers.
            keep: Number of items of each class that are never held out; each class has more.

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

    def broken(self, progress: Progress | None = None) -> dict[str, str]:
        """Decode every item, and return the names of the files that cannot be decoded, with the reason of each.

        Args:
            progress: As of `load`.
        """
        decode, found = self.decode, {}
        if decode is None:
            return {}

        def check(index: int) -> None:
            try:
                decode(self.items[index])
            except DataError as error:
                found[index] = str(error)

        in_parallel(check, len(self), progress)
        return {self.items[index]: found[index] for index in sorted(found)}


class Kept:
    """A decoder that keeps what it has decoded, so that a file is decoded once; pickled, it is empty.

    Args:
        decode: Decoder of the items.
    """

    def __init__(self, decode: Decoder) -> None:
        self._decode = decode
        self._kept: dict[str, Array] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded item."""
        return self._decode.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a decoded item."""
        return self._decode.dtype

    def __call__(self, item: Any) -> Array:
        """Return a decoded item, which is not to be changed."""
        if item not in self._kept:
            self._kept[item] = np.array(self._decode(item))
        return self._kept[item]

    def __reduce__(self) -> tuple[type[Kept], tuple[Decoder]]:
        return Kept, (self._decode,)


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set holds the labelled items of a few classes, in three splits.

    Args:
        name: Name in the configuration.
        classes: Names of the classes; a label is a position in it.
        shape: Shape of an image or an event frame, (C, H, W).
        timesteps: Number of timesteps T of event frames; None for images.
        train: Training items without the validation share.
        validation: Share of the training items that is held out.
        open_test: Function that returns the test split; it is called when `test` is first read.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    timesteps: int | None
    train: Split
    validation: Split
    open_test: Callable[[], Split]

    @classmethod
    def untested(
        cls, name: str, classes: tuple[str, ...], timesteps: int | None, train: Split, validation: Split
    ) -> DataSet:
        """Make a data set of decoded items for trainings that are judged by validation items alone."""
        shape = train.items.shape[-3], train.items.shape[-2], train.items.shape[-1]
        return cls(name, classes, shape, timesteps, train, validation, lambda: validation)

    @property
    def static(self) -> bool:
        """Whether the items are images, the same at each timestep."""
        return self.timesteps is None

    @cached_property
    def test(self) -> Split:
        """Test items, for evaluation alone."""
        return self.open_test()

    @property
    def splits(self) -> dict[str, Split]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class BrokenFilesError(DataError):
    """Files of a data set cannot be decoded.

    Args:
        files: Reason of each, which begins with its name, by name.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        first, *others = files.values()
        more = f", and {len(others):,} more files" if others else ""
        it = "them" if others else "it"
        super().__init__(
            f"{first}{more}; replace {it}, or leave broken files out with --skip-broken (data.skip_broken = true)"
        )


def _decode(items: Array, decode: Decoder, progress: Progress | None) -> Array:
    decoded = np.empty((len(items), *decode.shape), decode.dtype)

    def fill(index: int) -> None:
        try:
            decoded[index] = decode(items[index])
        except DataError as error:
            raise BrokenFilesError({str(items[index]): str(error)}) from error

    in_parallel(fill, len(items), progress)
    return decoded


def in_parallel(work: Callable[[int], object], total: int, progress: Progress | None) -> None:
    """Do work for each position of so many, side by side on the cores that may be used.

    Args:
        work: Function that is called with each position, from 0 on.
        total: Number of positions.
        progress: As of `Split.load`.
    """

    def run(indices: range) -> int:
        for index in indices:
            work(index)
        return indices.stop

    tasks = [range(start, min(start + _ITEMS_PER_TASK, total)) for start in range(0, total, _ITEMS_PER_TASK)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done in pool.map(run, tasks):
            if progress is not None:
                progress(done, total)
