"""Show items of a split as pictures that people can look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from spikenas._util.files import require_regular, write_atomically
from spikenas.data.dataset import Array

_OF = "network"  # key of the text in the file
LARGEST_SIDE = 96  # of a picture, in pixels; larger ones are made smaller


def strip(items: Array) -> Image.Image:
    """Put items side by side in one picture.

    Args:
        items: Items from `Split.fetch`, at least one: uint8 [n, C, H, W] or event frames float32 [n, T, C, H, W].

    Returns:
        A picture, grey or colour; events of the first channel are red, of the second blue, over all time.
    """
    pixels = _bytes(items) if items.ndim == 5 else items.astype(np.uint8)
    channels = pixels.shape[1]
    if channels == 2:
        pixels = np.stack([pixels[:, 0], np.zeros_like(pixels[:, 0]), pixels[:, 1]], axis=1)
    elif channels != 3:
        pixels = np.repeat(pixels[:, :1], 3, axis=1)
    row = np.concatenate(list(pixels.transpose(0, 2, 3, 1)), axis=1)
    picture = Image.fromarray(np.ascontiguousarray(row))
    height, width = pixels.shape[2:]
    if (side := max(height, width)) <= LARGEST_SIDE:
        return picture
    small = (max(1, width * LARGEST_SIDE // side), max(1, height * LARGEST_SIDE // side))
    return picture.resize((small[0] * len(pixels), small[1]), Image.Resampling.BOX)


def save_strip(picture: Image.Image, path: Path, of: str) -> None:
    """Write a strip as PNG, whole or not at all.

    Args:
        picture: Strip of pictures.
        path: The file.
        of: Digest of the network whose mistakes they are, which the file keeps.
    Raises:
        RunError: The file cannot be written.
    """
    text = PngInfo()
    text.add_text(_OF, of)
    write_atomically(path, lambda partial: picture.save(partial, format="png", pnginfo=text))


def pictured(path: Path) -> str | None:
    """Return the digest of the network whose mistakes a strip shows; None where the file does not say it.

    Raises:
        OSError: The file is no picture.
        RunError: The file is no regular file.
    """
    require_regular(path)
    with Image.open(path) as picture:
        found = picture.info.get(_OF)
    return found if isinstance(found, str) else None


def cut(picture: Image.Image, count: int) -> list[Image.Image]:
    """Cut a strip into its pictures.

    Args:
        picture: Strip of pictures of equal width.
        count: Number of pictures in the strip.
    """
    width = picture.width // count
    return [picture.crop((n * width, 0, (n + 1) * width, picture.height)) for n in range(count)]


def _bytes(frames: Array) -> NDArray[np.uint8]:
    sums = frames.sum(1)
    largest = np.maximum(sums.max(axis=(1, 2, 3), keepdims=True), 1e-12)
    scaled: NDArray[np.uint8] = (255 * sums / largest).astype(np.uint8)
    return scaled
