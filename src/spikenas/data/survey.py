"""Look at a sample of the data before anything is done with them: sizes, colours, values, what is broken."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from spikenas._util.errors import DataError
from spikenas.data.dataset import Array
from spikenas.data.decode import image_header, is_transparent, is_wide, opened_image, to_mode
from spikenas.data.event_files import read_frames

HEADERS, DECODED, PIXELS = 2000, 200, 60_000_000  # items whose headers, and whose pixels, are looked at; most pixels
_COLOURLESS = 8  # by which the channels of a grey pixel may differ, in 0 to 255
_SMALL = 256  # side that an image is brought to before its colours are looked at
_NEARLY_ALL = 0.9  # share of the images that decide how many bits the values of a sensor have
_DARK = 1 / 16  # share of the range below which an image is nearly black
_KNOWN_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # of float pixels
_BITS = (8, 10, 12, 14, 16)  # of sensors, whose largest value is the smallest that holds what was seen

Size = tuple[int, int]  # width and height in pixels


@dataclass(frozen=True)
class Survey:
    """A survey says what a sample of the data looks like.

    Attributes:
        shape: Shape of the event frames of a file, (T, C, H, W); None of images.
        sizes: Sizes of the images by how many have them, (width, height), in pixels.
        grey: Whether no image has colour.
        value_range: Values of pixels of more than 8 bits that become 0 and 255; None where there are none.
        constant: Names of images that are of one colour all over.
        dark: Names of images of more than 8 bits that are nearly black in the range of all.
        broken: Names of files that cannot be decoded, and why.
        facts: What else was seen, a line each.
        decoded: Number of items that were decoded.
    """

    shape: tuple[int, ...] | None = None
    sizes: Counter[Size] = field(default_factory=Counter)
    grey: bool = False
    value_range: tuple[float, float] | None = None
    constant: tuple[str, ...] = ()
    dark: tuple[str, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    decoded: int = 0

    @property
    def common_size(self) -> Size:
        """The size of all images; where they differ, the median width and height."""
        if len(self.sizes) == 1:
            return next(iter(self.sizes))
        each = list(self.sizes.elements())
        return tuple(round(statistics.median(size[axis] for size in each)) for axis in (0, 1))  # type: ignore[return-value]

    @property
    def sizes_in_words(self) -> str:
        """The sizes of the images, from the smallest to the largest."""
        if self.shape is not None:
            return "frames [T, C, H, W] = " + str(list(self.shape))
        if len(self.sizes) == 1:
            return "{}x{}".format(*self.common_size)
        ordered = sorted(self.sizes, key=lambda size: size[0] * size[1])
        return "{}x{} to {}x{}".format(*ordered[0], *ordered[-1])


def survey_images(items: Array) -> Survey:
    """Look at image files: at the headers of some, and at the pixels of fewer.

    Args:
        items: Names of files, [N], in any order.
    """
    sizes: Counter[Size] = Counter()
    modes: Counter[str] = Counter()
    broken: dict[str, str] = {}
    for path in _sample(items, HEADERS):
        try:
            size, mode = image_header(path)
        except DataError as error:
            broken[path] = str(error)
        else:
            sizes[size] += 1
            modes[mode] += 1
    seen = _Seen()
    for path in _sample(items, DECODED):
        if path in broken:
            continue
        try:
            with opened_image(path) as image:
                seen.look(path, image)
        except DataError as error:
            broken[path] = str(error)
        if seen.pixels > PIXELS:
            break
    looked_at_all = seen.decoded == len(items) - len(broken)
    grey = not seen.colourful and (looked_at_all or (all(map(_is_grey, modes)) and not _any_in_colour(items)))
    return Survey(
        sizes=sizes,
        grey=grey,
        value_range=seen.value_range,
        constant=tuple(seen.constant),
        dark=tuple(seen.dark),
        broken=tuple(broken.items()),
        facts=tuple(_facts(modes, seen)),
        decoded=seen.decoded,
    )


def survey_arrays(items: Array) -> Survey:
    """Look at images that are in memory, uint8 [N, C, H, W]."""
    chosen = items[_chosen(len(items), HEADERS)]
    flat = chosen.reshape(len(chosen), -1)
    constant = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))
    _, C, H, W = items.shape
    return Survey(
        sizes=Counter({(W, H): len(items)}),
        grey=C == 1,
        constant=tuple(f"item {index}" for index in constant),
        decoded=len(chosen),
    )


def survey_events(items: Array) -> Survey:
    """Look at some files of event frames.

    Args:
        items: Names of files, [N].
    """
    shape, constant, broken, largest, decoded = None, [], {}, 0.0, 0
    for path in [*items[:1], *_sample(items[1:], DECODED // 4)]:
        try:
            frames = read_frames(path)
        except DataError as error:
            broken[path] = str(error)
            continue
        decoded += 1
        shape = shape or frames.shape
        largest = max(largest, float(frames.max()))
        if frames.min() == frames.max():
            constant.append(path)
    facts = (f"values from 0 to {largest:g}",) if decoded else ()
    return Survey(shape, constant=tuple(constant), broken=tuple(broken.items()), facts=facts, decoded=decoded)


def _any_in_colour(items: Array) -> bool:
    """Whether a file that is not in the sample of headers is stored in colour."""
    for index in np.setdiff1d(np.arange(len(items)), _chosen(len(items), HEADERS)):
        with suppress(DataError):  # it is said when the file is decoded
            if not _is_grey(image_header(items[index])[1]):
                return True
    return False


def _is_grey(mode: str) -> bool:
    return mode in ("1", "L", "LA", "La") or is_wide(mode)


class _Seen:
    """Gathers what the pixels of a few images show."""

    def __init__(self) -> None:
        self.pixels = self.decoded = self.transparent = self.stored_in_colour = 0
        self.colourful = False
        self.constant: list[str] = []
        self.wide: dict[str, tuple[bool, float, float]] = {}  # whether floats, smallest and largest value, by image

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Range of the pixels of more than 8 bits, of the kind that most images have: integers or floats."""
        if not self.wide:
            return None
        of_floats = 2 * sum(floats for floats, _, _ in self.wide.values()) > len(self.wide)
        ranges = [(low, high) for floats, low, high in self.wide.values() if floats == of_floats]
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        seen = (low, high if high > low else low + 1)
        if of_floats:
            return next((known for known in _KNOWN_RANGES if known[0] <= low and high <= known[1]), seen)
        usual = float(np.quantile([high for _, high in ranges], _NEARLY_ALL, method="lower"))
        whole = next((2**bits - 1 for bits in _BITS if usual < 2**bits), None)
        return (0.0, float(whole)) if low >= 0 and whole else seen

    @property
    def dark(self) -> list[str]:
        """Images that are nearly black in this range."""
        low, high = self.value_range or (0, 1)
        return [path for path, (_, _, largest) in self.wide.items() if (largest - low) / (high - low) < _DARK]

    def look(self, path: str, image: Image.Image) -> None:
        self.decoded += 1
        self.pixels += image.width * image.height
        if is_wide(image.mode):
            values = np.asarray(image)
            values = values[np.isfinite(values)]
            if not values.size:
                raise DataError(f"{path}: no pixel is a finite number")
            low, high = float(values.min()), float(values.max())
            self.wide[path] = values.dtype.kind == "f", low, high
            if low == high:
                self.constant.append(path)
            return
        self.transparent += is_transparent(image)
        colours = to_mode(image, "RGB", None)
        if all(band.getextrema()[0] == band.getextrema()[1] for band in colours.split()):
            self.constant.append(path)
        if _is_grey(image.mode):
            return
        self.stored_in_colour += 1
        colours.thumbnail((_SMALL, _SMALL), Image.Resampling.NEAREST)
        pixels = np.asarray(colours).astype(np.int16)
        self.colourful |= bool((pixels.max(axis=2) - pixels.min(axis=2)).max() > _COLOURLESS)


def _facts(modes: Counter[str], seen: _Seen) -> Iterable[str]:
    if len(modes) > 1:
        yield "kinds of pixels: " + ", ".join(f"{mode} {count:,}" for mode, count in modes.most_common())
    if seen.transparent:
        yield f"transparent parts in {seen.transparent:,} of {seen.decoded:,} that were looked at: laid on white"
    if (found := seen.value_range) is not None:
        yield f"pixels of more than 8 bits: {found[0]:g} to {found[1]:g} become 0 to 255 (data.value_range)"


def _sample(items: Array, count: int) -> Sequence[Any]:
    return [items[index] for index in _chosen(len(items), count)]


def _chosen(total: int, count: int) -> Array:
    """Positions of a sample, always the same of so many items."""
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, count, replace=False))
