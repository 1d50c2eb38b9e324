"""Decode files of event frames through NumPy."""

from __future__ import annotations

import math
from io import BytesIO
from typing import cast
from zipfile import ZipFile

import numpy as np

from spikenas._util.errors import DataError
from spikenas._util.files import read_regular
from spikenas.data.dataset import Array
from spikenas.data.decode import naming

EVENT_SUFFIXES = frozenset({".npz"})
MOST_VALUES = 32_000_000  # of the frames of one file


class EventDecoder:
    """An event decoder reads event frames, all of one shape.

    Args:
        shape: Shape of the event frames of a file, (T, C, H, W).
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __call__(self, item: str) -> Array:
        """Read one file.

        Returns:
            Event frames, float32 of the decoder's shape.

        Raises:
            DataError: The file does not hold event frames of that shape; the message names it.
        """
        frames = read_frames(item)
        if frames.shape != self.shape:
            raise DataError(f"{item}: frames have shape {frames.shape}, but those of the first file {self.shape}")
        return frames


def read_frames(path: str) -> Array:
    """Return the frames that a file holds, float32 [T, C, H, W].

    Raises:
        DataError: The file holds none, or values that no device can be given; the message names it.
    """
    with (
        naming(path, "event frames"),
        np.lib.npyio.NpzFile(BytesIO(read_regular(path)), own_fid=True, allow_pickle=False) as archive,
    ):
        if "frames" not in archive and len(archive) != 1:
            raise DataError(f"{path}: holds {len(archive)} arrays; expected one, or one called 'frames'")
        name = "frames" if "frames" in archive else archive.files[0]
        _check_size(path, archive, name)
        return checked_frames(archive[name], path)


def checked_frames(frames: Array, what: str) -> Array:
    """Return frames in float32, if they are numbers [T, C, H, W] that a device can be given.

    Raises:
        DataError: They are not; the message begins with `what`.
    """
    if frames.ndim != 4 or frames.size == 0 or frames.dtype.kind not in "biuf":
        raise DataError(f"{what}: {frames.dtype} of shape {frames.shape}; expected numbers [T, C, H, W]")
    with np.errstate(over="ignore"):
        values = frames.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{what}: holds values that are not finite in float32")
    if values.min() < 0:
        raise DataError(f"{what}: holds values below 0; give events of each polarity a channel of their own")
    return values


def _check_size(path: str, archive: np.lib.npyio.NpzFile, name: str) -> None:
    """Raise where the header of an array announces more values than an item can have, before they are read."""
    opened = cast(ZipFile, archive.zip)
    member = name if name in opened.namelist() else f"{name}.npy"
    with opened.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    if math.prod(shape) > MOST_VALUES or kind.itemsize > 64:
        raise DataError(f"{path}: announces {math.prod(shape):,} values; an item has at most {MOST_VALUES:,}")
