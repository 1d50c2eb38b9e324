"""Make the data set of a configuration: it is opened once, and divided for each seed."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from spikenas.data.dataset import DataSet, Decoder, Split
from spikenas.data.decode import EventDecoder, ImageDecoder
from spikenas.data.listing import Listing
from spikenas.data.sources import find_source
from spikenas.data.statistics import Statistics, channel_statistics

_TEST, _VALIDATION = 0, 1


class OpenedData:
    """Opened data were found and listed; their files are decoded only when they are fetched.

    Args:
        config: Settings of the data: which images, their size and the shares held out.

    Attributes:
        config: Settings that the data were opened with.
        mirrored: Whether a mirrored item is of the same class.

    Raises:
        DataError: The name is unknown, or files and labels cannot be used; the message says which, and what would be
            right.
    """

    def __init__(self, config: DataConfig) -> None:
        source, place = find_source(config.name)
        self.config = config
        self.mirrored = source.mirrored
        self._listing = source().open(place, config)
        self._decoder: Decoder | None = None
        self._readable: dict[str, bool] = {}
        self._divided: dict[int, DataSet] = {}
        self._statistics: dict[int, Statistics] = {}

    def divide(self, seed: int) -> DataSet:
        """Return the data set with the validation share of a seed, and its test share where there is no test set.

        One training item is decoded for its shape, with `skip_broken` every training item; no item of the test set is.

        Raises:
            DataError: A class has too few items, or an item cannot be decoded.
        """
        if seed not in self._divided:
            self._divided[seed] = self._divide(seed)
        return self._divided[seed]

    def statistics(self, seed: int) -> Statistics:
        """Return mean and standard deviation of the channels of the training items, counted once for each seed."""
        if seed not in self._statistics:
            self._statistics[seed] = channel_statistics(self.divide(seed), seed)
        return self._statistics[seed]

    def use_statistics(self, seed: int, statistics: Statistics) -> None:
        """Take statistics that were counted before, instead of counting them."""
        self._statistics[seed] = statistics

    def _divide(self, seed: int) -> DataSet:
        listing, config = self._listing, self.config
        train, test = listing.train, listing.test
        _require(3 if test is None else 2, listing, train.labels)
        if test is None:
            train, test = train.divide(config.test_share, (seed, _TEST), keep=2)
        decoder = self._decoder = self._decoder or _fit(listing, train, config)
        train, held_out = _decoded_by(decoder, train), _decoded_by(decoder, test)
        if config.skip_broken:
            train = train.readable(self._readable)
            _require(2, listing, train.labels)
        train, validation = train.divide(config.validation_share, (seed, _VALIDATION))
        *time, C, H, W = decoder.shape
        return DataSet(
            config.name,
            listing.classes,
            (C, H, W),
            time[0] if time else None,
            train,
            validation,
            partial(held_out.readable, self._readable) if config.skip_broken else partial(_itself, held_out),
        )


def _itself(split: Split) -> Split:
    return split


def _fit(listing: Listing, train: Split, config: DataConfig) -> Decoder:
    if listing.events:
        return EventDecoder.fit(train.items, config)
    return ImageDecoder.fit(train.items, config.but({"channels": config.channels or listing.channels}))


def _require(count: int, listing: Listing, labels: NDArray[np.int64]) -> None:
    """Raise unless there are two classes, each with `count` items or more."""
    if len(listing.classes) < 2:
        raise DataError(f"{listing.place}: one class only, {listing.classes[0]!r}; at least two are needed")
    counts = np.bincount(labels, minlength=len(listing.classes))
    fewest = int(counts.argmin())
    name = listing.classes[fewest]
    kind = "event files" if listing.events else "images"
    if counts[fewest] == 0:
        raise DataError(f"{listing.place}: class {name!r} has no {kind} that can be read")
    if counts[fewest] < count:
        raise DataError(
            f"{listing.place}: class {name!r} has {counts[fewest]} of the training {kind}; "
            f"at least {count} are needed to hold out {'test and ' if count == 3 else ''}validation {kind}"
        )


def _decoded_by(decoder: Decoder, split: Split) -> Split:
    """Return the split with a decoder, unless its items are pixels of the decoder's shape already."""
    return split if split.items.shape[1:] == decoder.shape else Split(split.labels, split.items, decoder)
