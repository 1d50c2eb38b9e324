"""Make the data set of a configuration: it is opened and looked at once, and divided for each seed."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from spikenas._util.errors import DataError
from spikenas._util.units import format_size
from spikenas.config import DataConfig, Fit
from spikenas.data.dataset import BrokenFilesError, DataSet, Decoder, Kept, Progress, Split
from spikenas.data.decode import ImageDecoder, SmallImages
from spikenas.data.event_files import EventDecoder
from spikenas.data.listing import Listing
from spikenas.data.manifest import Manifest
from spikenas.data.sources import find_source
from spikenas.data.statistics import Statistics, channel_statistics
from spikenas.data.survey import Survey, survey_arrays, survey_events, survey_images
from spikenas.data.used import UsedItems

_TEST, _VALIDATION = 0, 1
_UNEQUAL = 3  # times that the largest class has as many items as the smallest, above which it is said
_MOST_OF_MEMORY, _KEPT_OF_MEMORY = 0.5, 0.125  # shares that decoded items may take, and may be kept in

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoding:
    """A decoding says what an item is decoded to.

    Attributes:
        shape: Shape of the network's input, (C, H, W).
        fit: How images of another aspect ratio are brought to it.
        value_range: Values of pixels of more than 8 bits that become 0 and 255.
    """

    shape: tuple[int, int, int]
    fit: Fit = "stretch"
    value_range: tuple[float, float] | None = None


class OpenedData:
    """Opened data were found, listed and looked at; their files are decoded only when they are fetched.

    Of files with the same bytes one is used, and a file in one split only. What is noteworthy is logged once.

    Args:
        config: Settings of the data: which, and the shares held out.
        seed: Seed of the test items, where the data have no test set; it is the same for all divisions.
        manifest: Which file is in which split, of a run that has begun; nothing is drawn anew then.
        several_sizes: Whether images will be brought to several sizes, so that small files are kept as they are.

    Attributes:
        config: Settings that the data were opened with.
        name: Name of the data, with the whole path of their folder.
        mirrored: Whether a mirrored item is of the same class.
        survey: What a look at a sample has found.

    Raises:
        DataError: The name is unknown, files and labels cannot be used, or they are not those of the manifest; the
            message says which, and what would be right.
    """

    def __init__(
        self, config: DataConfig, seed: int = 0, manifest: Manifest | None = None, several_sizes: bool = False
    ) -> None:
        source, place = find_source(config.name)
        self.config, self.seed = config, seed
        self.name = absolute_name(config.name, str(place) if source.in_folder else "")
        self.mirrored = source.mirrored
        self._decoders: dict[Decoding, Decoder] = {}
        self._small, self._several_sizes = SmallImages(), several_sizes
        self._divided: dict[tuple[int, Decoding], DataSet] = {}
        self._statistics: dict[tuple[int, Decoding], Statistics] = {}
        listing = source().open(place, config)
        _require_classes(listing)
        self._used = UsedItems(listing, str(place), manifest)
        _require(1, self._listing, self._listing.train.labels, self._used.notes)
        self.survey = self._look()
        self._said = manifest is not None

    @property
    def _listing(self) -> Listing:
        return self._used.listing

    @property
    def notes(self) -> list[str]:
        """Return what a user should know of the data, a line each."""
        unequal = _note_of_classes(self.classes, self._listing.train.labels)
        return [*self._listing.notes, *self._used.notes, *_notes_of(self.survey), *unequal]

    @property
    def of_files(self) -> bool:
        """Whether each item is a file."""
        return self._listing.of_files

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a label is a position in it."""
        return self._listing.classes

    @property
    def events(self) -> bool:
        """Whether the items are event frames."""
        return self._listing.events

    @property
    def channels(self) -> int:
        """Number of channels that the items have: 1 where no image has colour."""
        if self.survey.shape is not None:
            return self.survey.shape[1]
        return self._listing.channels or (1 if self.survey.grey else 3)

    def counts(self, seed: int, decoding: Decoding) -> dict[str, list[int]]:
        """Return by split the number of items of each class."""
        splits = self.divide(seed, decoding).splits
        return {name: np.bincount(split.labels, minlength=len(self.classes)).tolist() for name, split in splits.items()}

    def divide(self, seed: int, decoding: Decoding) -> DataSet:
        """Return the data set with the validation share of a seed; the test items are those of `self.seed`.

        With `skip_broken` every item is decoded at the first call; else none is.

        Raises:
            DataError: A class has too few items, or decoded items would take more memory than there is.
        """
        if (seed, decoding) not in self._divided:
            self._divided[seed, decoding] = self._divide(seed, decoding)
        return self._divided[seed, decoding]

    def statistics(self, seed: int, decoding: Decoding) -> Statistics:
        """Return mean and standard deviation of the channels of the training items, counted once for each seed."""
        if (seed, decoding) not in self._statistics:
            self._statistics[seed, decoding] = channel_statistics(self.divide(seed, decoding), seed)
        return self._statistics[seed, decoding]

    def use_statistics(self, seed: int, decoding: Decoding, statistics: Statistics) -> None:
        """Take statistics that were counted before, instead of counting them."""
        self._statistics[seed, decoding] = statistics

    def decoded_bytes(self, decoding: Decoding) -> int:
        """Return the bytes that all items take when they are decoded."""
        total = sum(len(split) for split in self._listing.parts.values())
        if self.survey.shape is not None:
            return total * prod(self.survey.shape) * EventDecoder.dtype.itemsize
        return total * prod(decoding.shape)

    def check_files(self, decoding: Decoding, progress: Progress | None = None) -> None:
        """Decode every item that is used.

        Raises:
            BrokenFilesError: Some cannot be decoded; it names all.
        """
        splits = self.divide(self.seed, decoding).splits.values()
        total, done = sum(map(len, splits)), 0
        broken: dict[str, str] = {}

        def advance(number: int, _: int) -> None:
            if progress is not None:
                progress(done + number, total)

        for split in splits:
            broken |= split.broken(advance)
            done += len(split)
        if broken:
            raise BrokenFilesError(broken)

    def manifest(self, decoding: Decoding) -> Manifest:
        """Return which file is in which split, and which are left out; each is read for its digest.

        Raises:
            DataError: A file cannot be read.
        """
        return self._used.manifest(self.divide(self.seed, decoding).splits)

    @cached_property
    def _drawn_test(self) -> tuple[Split, Split]:
        """The items to learn from and the test items, before they have a decoder."""
        listing = self._listing
        if listing.test is not None:
            return listing.train, listing.test
        chosen = self._used.in_manifest("test", listing.train.items)
        if chosen is not None:
            return listing.train.select(~chosen), listing.train.select(chosen)
        _require(3, listing, listing.train.labels)
        return listing.train.divide(self.config.test_share, (self.seed, _TEST), keep=2)

    def _divide(self, seed: int, decoding: Decoding) -> DataSet:
        decoder = self._decoder(decoding)
        if self.config.skip_broken:
            self._used.leave_out_broken(decoder)
        pool, test = self._drawn_test
        _require(1 if self._listing.validation else 2, self._listing, pool.labels)
        held_out = self._used.in_manifest("validation", pool.items) if seed == self.seed else None
        if self._listing.validation is not None:
            train, validation = pool, self._listing.validation
        elif held_out is not None:
            train, validation = pool.select(~held_out), pool.select(held_out)
        else:
            train, validation = pool.divide(self.config.validation_share, (seed, _VALIDATION))
        for note in () if self._said else self.notes:
            _log.warning("%s", note)
        self._said = True
        *time, C, H, W = decoder.shape
        train, validation, test = (_decoded_by(decoder, split) for split in (train, validation, test))
        return DataSet(
            self.config.name,
            self.classes,
            (C, H, W),
            time[0] if time else None,
            train,
            validation,
            partial(_itself, test),
        )

    def _decoder(self, decoding: Decoding) -> Decoder:
        if decoding not in self._decoders:
            needed, there = self.decoded_bytes(decoding), _memory()
            if there and needed > _MOST_OF_MEMORY * there:
                raise DataError(
                    f"{self.config.name}: decoded to {'x'.join(map(str, decoding.shape))} its items take "
                    f"{format_size(needed)} of memory, this machine has {format_size(there)}; a smaller --image-size"
                )
            keeps = self._listing.of_files and (not there or needed < _KEPT_OF_MEMORY * there)
            if self.survey.shape is not None:
                decoder: Decoder = EventDecoder(self.survey.shape)
            else:
                small = self._small if keeps and self._several_sizes else None
                decoder = ImageDecoder(decoding.shape, decoding.fit, decoding.value_range, small)
            self._decoders[decoding] = Kept(decoder) if keeps else decoder
        return self._decoders[decoding]

    def _look(self) -> Survey:
        listing = self._listing
        items = listing.train.items
        if not listing.of_files:
            survey = survey_arrays(items)
        else:
            survey = survey_events(items) if listing.events else survey_images(items)
        if survey.broken and not self.config.skip_broken:
            raise BrokenFilesError(dict(survey.broken))
        if not survey.decoded:
            raise DataError(f"{survey.broken[0][1]}; and so is every other training file that was looked at")
        if len(survey.constant) == survey.decoded:
            raise DataError(
                f"{listing.place}: every one of {survey.decoded:,} items that were looked at has one value all over, "
                f"for example {survey.constant[0]}; there is nothing to learn from"
            )
        return survey


def _itself(split: Split) -> Split:
    return split


def absolute_name(name: str, folder: str) -> str:
    """Return the name of a data set with the whole path of its folder.

    Args:
        name: Name as it was given.
        folder: Its folder; empty where it has none.
    """
    if not folder:
        return name
    kind, colon, _ = name.partition(":")
    whole = os.path.abspath(folder)
    return f"{kind}:{whole}" if colon and not os.path.exists(os.path.expanduser(name)) else whole


def _notes_of(survey: Survey) -> list[str]:
    found = {
        "items with one value all over": survey.constant,
        "images that are nearly black in the range of all (data.value_range)": survey.dark,
    }
    return [
        f"{what}: {len(names):,} of {survey.decoded:,} that were looked at, the first is {names[0]}"
        for what, names in found.items()
        if names
    ]


def _note_of_classes(classes: tuple[str, ...], labels: NDArray[np.int64]) -> list[str]:
    counts = Counter(labels.tolist())
    (most, largest), (fewest, smallest) = counts.most_common(1)[0], min(counts.items(), key=lambda pair: pair[1])
    if largest < _UNEQUAL * smallest:
        return []
    return [
        f"classes are unequal: {largest:,} items of {classes[most]!r}, {smallest:,} of {classes[fewest]!r}; "
        'train.class_weights = "balanced" weighs them equally'
    ]


def _memory() -> int:
    """Bytes of memory that this machine has; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _require_classes(listing: Listing) -> None:
    if len(listing.classes) < 2:
        unused = f" ({listing.notes[0]})" if listing.notes else ""
        raise DataError(f"{listing.place}: one class only, {listing.classes[0]!r}; at least two are needed{unused}")


def _require(count: int, listing: Listing, labels: NDArray[np.int64], notes: Sequence[str] = ()) -> None:
    """Raise unless each class has `count` items or more; the message ends with what was left out."""
    counts = np.bincount(labels, minlength=len(listing.classes))
    fewest = int(counts.argmin())
    name = listing.classes[fewest]
    kind = "event files" if listing.events else "images"
    if counts[fewest] == 0:
        left_out = f" ({'; '.join(notes)})" if notes else ""
        raise DataError(f"{listing.place}: class {name!r} has no {kind} that can be read{left_out}")
    if counts[fewest] < count:
        raise DataError(
            f"{listing.place}: class {name!r} has {counts[fewest]} of the training {kind}; "
            f"at least {count} are needed to hold out {'test and ' if count == 3 else ''}validation {kind}"
        )


def _decoded_by(decoder: Decoder, split: Split) -> Split:
    """Return the split with a decoder, unless its items are pixels of the decoder's shape already."""
    return split if split.items.shape[1:] == decoder.shape else Split(split.labels, split.items, decoder)
