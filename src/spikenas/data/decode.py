"""Decode image files through Pillow: each is brought to one shape, by stated rules."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from threading import Lock
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from spikenas._util.errors import DataError
from spikenas._util.files import open_regular, read_regular, reason
from spikenas.config import Fit
from spikenas.data.dataset import Array

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png"}
    | {".pbm", ".pgm", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
LARGEST_IMAGE = 64_000_000  # pixels
_SMALL = 64 * 64  # pixels of an image that is kept
_LARGE = 8_000_000  # pixels of an image that is decoded alone, so that threads together take no more memory
PADDING = 128  # grey of the bars where an image is padded


_one_at_a_time = Lock()

# What Pillow warns of is either an error of a file, which is raised, or of no concern; it names no file.
warnings.filterwarnings("ignore", module=r"PIL\.")


class SmallImages:
    """Keeps the pixels of small image files, which are read once for however many shapes; pickled, it is empty."""

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}

    @contextmanager
    def opened(self, item: str | Array | Image.Image) -> Iterator[Image.Image]:
        """Open an image as `opened_image` does."""
        if isinstance(item, str) and item in self._kept:
            yield Image.fromarray(self._kept[item])
            return
        with opened_image(item) as image:
            is_plain = image.mode in ("L", "RGB") and "transparency" not in image.info
            if isinstance(item, str) and is_plain and math.prod(image.size) <= _SMALL:
                self._kept[item] = np.array(image)
            yield image

    def __reduce__(self) -> tuple[type[SmallImages], tuple[()]]:
        return SmallImages, ()


class ImageDecoder:
    """An image decoder brings images of any size and mode to one shape.

    EXIF orientation is applied, and transparent pixels are laid on white.

    Args:
        shape: Shape of the decoded images, (C, H, W) with C = 1 (grey) or 3 (RGB).
        fit: How an image of another aspect ratio is brought to it: `stretch` changes the ratio, `crop` cuts off what is
            too much on both sides, `pad` adds grey bars.
        value_range: Values of pixels of more than 8 bits that become 0 and 255; None refuses such images.
        small: Keeps small files for other shapes; None keeps none.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        shape: tuple[int, int, int],
        fit: Fit = "stretch",
        value_range: tuple[float, float] | None = None,
        small: SmallImages | None = None,
    ) -> None:
        self.shape = shape
        self._opened = small.opened if small else opened_image
        self.fit, self.value_range = fit, value_range
        channels, height, width = shape
        self._size = (width, height)
        self._mode = "L" if channels == 1 else "RGB"

    def __call__(self, item: str | Array | Image.Image) -> Array:
        """Decode one image.

        Args:
            item: A file name, pixels uint8 [C, H, W] with C = 1 or 3, or an image of Pillow.

        Returns:
            Pixels, uint8 of the decoder's shape.

        Raises:
            DataError: The file is not a whole image, or too large; the message names it.
        """
        with self._opened(item) as image:
            pixels = np.asarray(self._converted(image))
        return pixels[None] if self._mode == "L" else pixels.transpose(2, 0, 1)

    def _converted(self, image: Image.Image) -> Image.Image:
        if image.mode == self._mode and image.size == self._size and "transparency" not in image.info:
            return image
        return fitted(to_mode(image, self._mode, self.value_range), self._size, self.fit)


@contextmanager
def opened_image(item: str | Array | Image.Image) -> Iterator[Image.Image]:
    """Open an image, upright, in the mode that it has; a large one keeps others waiting meanwhile.

    Args:
        item: As of `ImageDecoder`.

    Raises:
        DataError: The file is not a whole image, or too large; the message names it.
    """
    if isinstance(item, np.ndarray):
        yield Image.fromarray(item[0] if len(item) == 1 else item.transpose(1, 2, 0))
        return
    what = item if isinstance(item, str) else "the image"
    with naming(what, "image"), ExitStack() as opened:
        image = opened.enter_context(Image.open(BytesIO(read_regular(item)))) if isinstance(item, str) else item
        if math.prod(image.size) > LARGEST_IMAGE:
            raise DataError(_too_large(what))
        if math.prod(image.size) > _LARGE:
            opened.enter_context(_one_at_a_time)
        upright = ImageOps.exif_transpose(image)
        upright.load()
        yield upright


def image_header(path: str) -> tuple[tuple[int, int], str]:
    """Return the size of an image in a file, (width, height) upright, and its mode; its pixels are not decoded.

    Raises:
        DataError: The file is no image; the message names it.
    """
    with naming(path, "image"), open_regular(path) as file, Image.open(file) as image:
        if math.prod(image.size) > LARGEST_IMAGE:
            raise DataError(_too_large(path))
        exif = Image.Exif() if image.format == "PNG" else image.getexif()  # which decodes the pixels of a PNG
        if image.format == "PNG":
            exif.load(image.info.get("exif", b""))
        turned = exif.get(ExifTags.Base.Orientation, 1) >= 5
        return image.size[::-1] if turned else image.size, image.mode


def to_mode(image: Image.Image, mode: str, value_range: tuple[float, float] | None) -> Image.Image:
    """Return an image in another mode, transparency laid on white.

    Args:
        image: Image of any mode.
        mode: `L` or `RGB`.
        value_range: See `ImageDecoder`.

    Raises:
        ValueError: Its values have no known range.
    """
    if is_wide(image.mode):
        if value_range is None:
            raise ValueError("values of more than 8 bits, but data.value_range is not known; set it")
        low, high = value_range
        scaled = np.array(image, dtype=np.float32)
        np.nan_to_num(scaled, copy=False, posinf=high, neginf=low)
        scaled -= low
        scaled *= 255 / (high - low)
        image = Image.fromarray((scaled.clip(0, 255, out=scaled) + 0.5).astype(np.uint8))
    elif is_transparent(image):
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def fitted(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Return an image in another size, (width, height), averaged where it becomes smaller."""
    if image.size == size:
        return image
    width, height = image.size
    scale = size[0] / width, size[1] / height
    if fit == "crop":
        across, down = (one / max(scale) for one in size)
        left, top = (width - across) / 2, (height - down) / 2
        return _resized(image, size, (max(0, left), max(0, top), min(width, left + across), min(height, top + down)))
    if fit == "pad":
        inner = (max(1, round(width * min(scale))), max(1, round(height * min(scale))))
        padded = Image.new(image.mode, size, (PADDING,) * len(image.getbands()))
        padded.paste(_resized(image, inner), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
        return padded
    return _resized(image, size)


def _resized(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Resize the lines and then the columns, in the order of the firmware; that of Pillow differs between versions."""
    left, top, right, bottom = box or (0, 0, *image.size)
    lines = image.resize((size[0], image.height), Image.Resampling.BILINEAR, box=(left, 0, right, image.height))
    return lines.resize(size, Image.Resampling.BILINEAR, box=(0, top, size[0], bottom))


def is_wide(mode: str) -> bool:
    """Say whether the pixels of images of a mode have more than 8 bits."""
    return mode in ("I", "F") or mode.startswith("I;16")


def is_transparent(image: Image.Image) -> bool:
    """Say whether an image may have transparent parts."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


@contextmanager
def naming(item: Any, kind: str) -> Iterator[None]:
    """Turn what a damaged file makes a codec raise, which is nearly anything, into one line."""
    try:
        yield
    except DataError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise DataError(_too_large(item)) from None
    except Exception as error:
        raise DataError(f"{item}: cannot be decoded as {kind} ({_why(error)})") from error


def _too_large(item: Any) -> str:
    return f"{item}: too large; an item has at most {LARGEST_IMAGE // 1_000_000} million pixels or values"


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
