"""Open sources that hold their images in one piece: digits, CIFAR and IDX files."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from spikenas._util.errors import DataError
from spikenas._util.files import LARGEST_FILE, read_regular
from spikenas.config import DataConfig
from spikenas.data.dataset import Array, Split
from spikenas.data.listing import Listing
from spikenas.data.sources import DataSource

_IDX_MAGIC = {"images": 0x0803, "labels": 0x0801}  # unsigned bytes, as many dimensions as the last digit says


class Digits(DataSource):
    """This source is the 1,797 grey 8x8 digits that come with scikit-learn, 0..16 scaled to 0..255."""

    mirrored = False

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the digits; they need no place and have no test set."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        pixels = np.rint(bunch.images[:, None] * (255 / 16)).astype(np.uint8)
        classes = tuple(str(name) for name in bunch.target_names)
        return Listing("digits", classes, Split(bunch.target.astype(np.int64), pixels), None)


class _CIFAR(DataSource):
    """This source is CIFAR through torchvision, from `data.root`."""

    name: ClassVar[str]

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the images, which are downloaded where the settings allow it; they need no place.

        Raises:
            DataError: The images are not there, or cannot be downloaded.
        """
        from torchvision import datasets

        root = os.path.expanduser(config.root)
        make = getattr(datasets, self.name.upper())
        try:
            train = make(root, train=True)
        except (RuntimeError, OSError) as error:
            if not config.download:
                raise DataError(f"{root}: no {self.name}, or not all of it; --download fetches it") from error
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    train = make(root, train=True, download=True)
            except (RuntimeError, OSError) as failure:
                message = str(failure).partition("\n")[0]
                raise DataError(f"{root}: {self.name} cannot be downloaded ({message})") from failure
        test = make(root, train=False)
        return Listing(self.name, tuple(train.classes), _channels_first(train), _channels_first(test))


class CIFAR10(_CIFAR):
    """This source is CIFAR-10: 32x32 colour images of ten classes."""

    name = "cifar10"


class CIFAR100(_CIFAR):
    """This source is CIFAR-100: 32x32 colour images of a hundred classes."""

    name = "cifar100"


class IDX(DataSource):
    """This source is a folder of IDX files as MNIST and Fashion-MNIST have them; each may be compressed (.gz).

    The files are `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and `t10k-...` where there is a test set.
    """

    in_folder = True
    mirrored = False

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the images of a folder.

        Raises:
            DataError: A file cannot be read, or the files do not go together.
        """
        train_pixels, train_numbers = _idx_pair(place, "train")
        numbers = np.unique(train_numbers)
        test = None
        if any(_idx_path(place, "t10k", kind).exists() for kind in _IDX_MAGIC):
            test_pixels, test_numbers = _idx_pair(place, "t10k")
            unknown = np.setdiff1d(test_numbers, numbers)
            if len(unknown):
                raise DataError(
                    f"{_idx_path(place, 't10k', 'labels')}: label {unknown[0]} is not among the training labels"
                )
            test = Split(np.searchsorted(numbers, test_numbers).astype(np.int64), test_pixels)
        train = Split(np.searchsorted(numbers, train_numbers).astype(np.int64), train_pixels)
        return Listing(str(place), tuple(str(number) for number in numbers), train, test)


def _channels_first(source: Any) -> Split:
    pixels = np.ascontiguousarray(source.data.transpose(0, 3, 1, 2))
    return Split(np.array(source.targets, dtype=np.int64), pixels)


def _idx_pair(folder: Path, part: str) -> tuple[Array, Array]:
    images, labels = (_read_idx(_idx_path(folder, part, kind), magic) for kind, magic in _IDX_MAGIC.items())
    if len(images) != len(labels):
        raise DataError(f"{folder}: {len(images)} {part} images but {len(labels)} {part} labels")
    return images[:, None], labels


def _idx_path(folder: Path, part: str, kind: str) -> Path:
    plain = folder / f"{part}-{kind}-idx{_IDX_MAGIC[kind] & 0xFF}-ubyte"
    compressed = plain.with_name(plain.name + ".gz")
    return compressed if compressed.exists() and not plain.exists() else plain


def _read_idx(path: Path, magic: int) -> Array:
    if not path.exists():
        raise DataError(f"{path}: not there, nor compressed as {path.name}.gz")
    raw = read_regular(path)
    if path.suffix == ".gz":
        try:
            with gzip.open(BytesIO(raw)) as file:
                raw = file.read(LARGEST_FILE + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read as a .gz file; it is truncated or another kind of file") from error
        if len(raw) > LARGEST_FILE:
            raise DataError(f"{path}: more than {LARGEST_FILE:,} bytes when it is decompressed")
    dimensions = magic & 0xFF
    found = int.from_bytes(raw[:4], "big")
    header = 4 + 4 * dimensions
    if len(raw) < header or found != magic:
        raise DataError(f"{path}: not an IDX file of unsigned bytes; magic 0x{found:08x}, expected 0x{magic:08x}")
    shape = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4))
    if math.prod(shape) != len(raw) - header or 0 in shape:
        raise DataError(f"{path}: the header announces {shape}, but {len(raw) - header} bytes follow")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
