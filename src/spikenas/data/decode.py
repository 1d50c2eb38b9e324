"""Decode a file into an array: images through Pillow, event frames through NumPy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from spikenas._util.errors import DataError
from spikenas._util.files import reason
from spikenas.config import DataConfig
from spikenas.data.dataset import Array, broken_item

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png"}
    | {".pbm", ".pgm", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
EVENT_SUFFIXES = frozenset({".npz"})

_GREY_MODES = ("1", "L", "LA", "La", "I", "F")
_First = TypeVar("_First")

log = logging.getLogger("spikenas")


class ImageDecoder:
    """An image decoder brings images of any size and mode to one shape; it logs once if any had to be converted.

    Transparency is dropped, 16-bit greys keep their upper 8 bits, EXIF orientation is applied, and the
    aspect ratio is changed to that of the shape.

    Args:
        shape: Shape of the decoded images, (C, H, W) with C = 1 (grey) or 3 (RGB).
        quiet: Whether nothing is logged.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, int, int], quiet: bool = False) -> None:
        self.shape = shape
        channels, height, width = shape
        self._size = (width, height)
        self._mode = "L" if channels == 1 else "RGB"
        message = f"images are converted to {width}x{height}, {'grey' if channels == 1 else 'RGB'}"
        self._pending_messages = [] if quiet else [message]

    @classmethod
    def fit(cls, items: Iterable[Any], config: DataConfig) -> ImageDecoder:
        """Make the decoder to the configured size and channels; where absent, to those of the first item.

        Raises:
            DataError: The first image cannot be decoded; with `skip_broken`, no image can.
        """
        image = _first(items, _read_image, config.skip_broken)
        width, height = (config.image_size, config.image_size) if config.image_size else image.size
        return cls((config.channels or (1 if _is_grey(image) else 3), height, width))

    def __call__(self, item: str | Array | Image.Image) -> Array:
        """Decode one image.

        Args:
            item: A file name, pixels uint8 [C, H, W] with C = 1 or 3, or an image of Pillow.

        Returns:
            Pixels, uint8 of the decoder's shape.

        Raises:
            DataError: The file is not a whole image; the message names it.
        """
        image = _read_image(item)
        if image.mode != self._mode or image.size != self._size:
            with suppress(IndexError):  # atomic, so that only one thread finds the message
                log.info(self._pending_messages.pop())
            with _naming(item, "image"):
                image = _to_mode(image, self._mode).resize(self._size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if self._mode == "L" else pixels.transpose(2, 0, 1)


class EventDecoder:
    """An event decoder reads event frames, all of one shape.

    Args:
        shape: Shape of the event frames of a file, (T, C, H, W).
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    @classmethod
    def fit(cls, items: Iterable[str], config: DataConfig) -> EventDecoder:
        """Make the decoder to the shape of the first file.

        Raises:
            DataError: The first file cannot be read (with `skip_broken`, no file can), or the configuration asks for
                another size or other channels.
        """
        shape = _first(items, _read_frames, config.skip_broken).shape
        size = config.image_size
        if (size is not None and shape[2:] != (size, size)) or config.channels not in (None, shape[1]):
            raise DataError(
                f"{config.name}: event frames of shape [T, C, H, W] = {shape} are not converted; "
                "leave data.image_size and data.channels out"
            )
        return cls(shape)

    def __call__(self, item: str) -> Array:
        """Read one file.

        Returns:
            Event frames, float32 of the decoder's shape.

        Raises:
            DataError: The file does not hold event frames of that shape; the message names it.
        """
        frames = _read_frames(item)
        if frames.shape != self.shape:
            raise DataError(f"{item}: frames have shape {frames.shape}, but those of the first file {self.shape}")
        return frames


def _first(items: Iterable[Any], read: Callable[[Any], _First], skip_broken: bool) -> _First:
    item = None
    for item in items:
        try:
            return read(item)
        except DataError as error:
            if not skip_broken:
                raise broken_item(error) from error
    raise DataError(f"{item}: broken, and so is every other training file")


def _read_image(item: str | Array | Image.Image) -> Image.Image:
    if isinstance(item, Image.Image):
        with _naming("the image", "image"):
            return ImageOps.exif_transpose(item)
    if isinstance(item, np.ndarray):
        return Image.fromarray(item[0] if len(item) == 1 else item.transpose(1, 2, 0))
    with _naming(item, "image"), open(item, "rb") as file, Image.open(BytesIO(file.read())) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return image


def _read_frames(path: str) -> Array:
    with (
        _naming(path, "event frames"),
        open(path, "rb") as file,
        np.lib.npyio.NpzFile(file, allow_pickle=False) as archive,
    ):
        if "frames" not in archive and len(archive) != 1:
            raise DataError(f"{path}: holds {len(archive)} arrays; expected one, or one called 'frames'")
        frames: Array = archive["frames" if "frames" in archive else archive.files[0]]
        if frames.ndim != 4 or frames.size == 0 or frames.dtype.kind not in "biuf":
            raise DataError(f"{path}: {frames.dtype} of shape {frames.shape}; expected numbers [T, C, H, W]")
        frames = frames.astype(np.float32)
        if not np.isfinite(frames).all():
            raise DataError(f"{path}: holds values that are not finite in float32")
        return frames


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise ValueError("32-bit float pixels have no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _is_grey(image: Image.Image) -> bool:
    return image.mode in _GREY_MODES or image.mode.startswith("I;16")


@contextmanager
def _naming(item: Any, kind: str) -> Iterator[None]:
    """Turn what a damaged file makes a codec raise, which is nearly anything, into one line."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"{item}: cannot be decoded as {kind} ({_why(error)})") from error


def _why(error: Exception) -> str:
    """Return what a codec says, but nothing that Python says of the codec."""
    match error:
        case UnidentifiedImageError():
            return "unknown format"
        case OSError():
            return reason(error)
        case ValueError() | BadZipFile():
            return str(error).partition("\n")[0]
    return "damaged"
