"""From the configuration to a data set."""

from __future__ import annotations

import difflib
import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikenas.config import DataConfig
from spikenas.data.arrays import cifar, digits, idx
from spikenas.data.dataset import DataSet, Decoder, Split
from spikenas.data.decode import EventDecoder, ImageDecoder
from spikenas.data.folders import event_folder, image_folder, tinyimagenet
from spikenas.data.listing import Listing
from spikenas.errors import DataError

_BUILT_IN = ("digits", "cifar10", "cifar100")
_IN_FOLDERS = {"tinyimagenet": tinyimagenet, "idx": idx, "events": event_folder}
_TEST, _VALIDATION = 0, 1


def load(config: DataConfig, seed: int) -> DataSet:
    """Find a data set, list it, and divide it.

    Files are listed. One training item is decoded for its shape, with `skip_broken` every training item; no
    item of the test set is.

    Args:
        config: Which images, their size and the shares held out.
        seed: Of the validation share, and of the test share where the data have no test set.
    Raises:
        DataError: an unknown name, or files and labels that cannot be used; says which, and what would be.
    """
    listing = _find(config)
    train, test = listing.train, listing.test
    _require(3 if test is None else 2, listing, train.labels)
    if test is None:
        train, test = train.divide(config.test_share, (seed, _TEST), keep=2)
    decoder: Decoder
    if listing.events:
        decoder = EventDecoder.fit(train.items, config)
    else:
        fixed = config.model_copy(update={"channels": config.channels or listing.channels})
        decoder = ImageDecoder.fit(train.items, fixed)
    train, test = _decoded_by(decoder, train), _decoded_by(decoder, test)
    if config.skip_broken:
        train = train.readable()
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
        partial(_open, test, config.skip_broken),
    )


def check_name(name: str) -> None:
    """See that a name is that of a data set or of a folder, before anything slow is done.

    Raises:
        DataError: it is neither.
    """
    kind, _, place = name.partition(":")
    if kind in _IN_FOLDERS:
        if not place:
            raise DataError(f"data set {name!r} lacks its folder; expected {kind}:FOLDER")
        if not os.path.isdir(os.path.expanduser(place)):
            raise DataError(f"{place}: no such folder; expected {kind}:FOLDER")
    elif name not in _BUILT_IN and not os.path.exists(os.path.expanduser(name)):
        near = difflib.get_close_matches(kind, (*_BUILT_IN, *_IN_FOLDERS), n=1)
        known = ", ".join((*_BUILT_IN, *(f"{known}:FOLDER" for known in _IN_FOLDERS)))
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(f"{name}: no such folder and no known data set; {hint}known: {known}, an image folder")


def _find(config: DataConfig) -> Listing:
    check_name(config.name)
    kind, _, place = config.name.partition(":")
    if kind in _IN_FOLDERS:
        return _IN_FOLDERS[kind](Path(os.path.expanduser(place)))
    if config.name == "digits":
        return digits()
    if config.name in _BUILT_IN:
        return cifar(config)
    return image_folder(Path(os.path.expanduser(config.name)))


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
    """The split with a decoder, unless its items are pixels of the decoder's shape already."""
    return split if split.items.shape[1:] == decoder.shape else Split(split.labels, split.items, decoder)


def _open(test: Split, skip_broken: bool) -> Split:
    return test.readable() if skip_broken else test
