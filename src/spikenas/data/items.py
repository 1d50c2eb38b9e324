"""Bring single items, as people have them, to what a network was trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spikenas._util.errors import DataError
from spikenas._util.showing import plain
from spikenas.data.dataset import Array, Split
from spikenas.data.decode import IMAGE_SUFFIXES, ImageDecoder
from spikenas.data.event_files import EVENT_SUFFIXES, EventDecoder, checked_frames
from spikenas.data.folders import class_folder_files, files_below
from spikenas.space.plan import InputSpec


def as_items(what: Any, decode: ImageDecoder | EventDecoder) -> tuple[Array, bool]:
    """Bring one item or several to a network's input, with the preprocessing of its training data.

    Args:
        what: A path, an image of Pillow, an array or tensor, or a sequence of these. Arrays of images are uint8:
            [C, H, W] of the network's own shape, or a picture of any size [H, W] or [H, W, 3], which is converted as a
            file would be; arrays of event frames are [T, C, H, W]. One dimension more is a batch.
        decode: Decoder to the network's input, of `decoder_of`.

    Returns:
        Items, uint8 [N, C, H, W], or float32 [N, T, C, H, W] of event frames; and whether it was one item, N = 1.

    Raises:
        DataError: An item cannot be decoded, or is of another shape or type.
    """
    if isinstance(what, list | tuple):
        if not what:
            raise DataError("nothing to predict: an empty list")
        return np.concatenate([as_items(one, decode)[0] for one in what]), False
    if isinstance(what, str | os.PathLike):
        if os.path.isdir(what):
            raise DataError(f"{os.fspath(what)}: a folder; give files, which 'spikenas predict' finds in folders")
        if not os.path.isfile(what):
            raise DataError(f"{os.fspath(what)}: no such file")
        return np.array(decode(os.fspath(what)))[None], True
    if isinstance(what, Image.Image):
        if not all(what.size):
            raise DataError("nothing to predict: a picture without pixels")
        if isinstance(decode, EventDecoder):
            raise DataError("a picture, but the network sees event frames [T, C, H, W]")
        return np.array(decode(what))[None], True
    try:
        values = np.asarray(what.detach().cpu() if hasattr(what, "detach") else what)
    except (TypeError, RuntimeError, NotImplementedError):
        raise DataError(
            f"a {type(what).__name__} that is no array; give a path, a picture, an array or a list"
        ) from None
    if values.dtype == object or not values.size:
        said = f"shape {list(values.shape)}" if values.dtype != object else type(what).__name__
        raise DataError(f"nothing to predict in an array of {said}; give a path, a picture, an array or a list")
    return _frames(values, decode) if isinstance(decode, EventDecoder) else _pictures(values, decode)


def decoder_of(spec: InputSpec, timesteps: int) -> ImageDecoder | EventDecoder:
    """Return the decoder of what a network is given.

    Args:
        spec: What the network is given.
        timesteps: Number of timesteps T of the network.
    """
    shape = (spec.channels, spec.height, spec.width)
    return ImageDecoder(shape, spec.fit, spec.value_range) if spec.static else EventDecoder((timesteps, *shape))


def labelled_folder(folder: Path, classes: Sequence[str], decode: ImageDecoder | EventDecoder) -> Split | None:
    """List the items of a folder with one folder for each class.

    Args:
        folder: Folder `CLASS/*`, with some or all of the classes.
        classes: Names of the classes; a label is a position in it.
        decode: Decoder to the network's input.

    Returns:
        The items; None where none of the folders in it is a class.

    Raises:
        DataError: Some folders in it are classes and others are not, or there are no items.
    """
    found = class_folder_files(folder, _suffixes(decode))
    found = {plain(name): paths for name, paths in found.items()}
    if not set(found) & set(classes):
        return None
    if unknown := [name for name, paths in found.items() if name not in classes and paths]:
        raise DataError(f"{folder / unknown[0]}: no class of the network, which has {', '.join(classes[:5])}")
    files = [path for paths in found.values() for path in paths]
    if not files:
        raise DataError(f"{folder}: its class folders hold nothing that can be read")
    labels = [classes.index(name) for name, paths in found.items() for _ in paths]
    return Split(np.array(labels, dtype=np.int64), np.array(files, dtype=object), decode)


def files_of(path: Path, decode: ImageDecoder | EventDecoder) -> list[str]:
    """Return the files that a path means: itself, or all below a folder that a network of this input can use.

    Raises:
        DataError: There are none.
    """
    if path.is_file():
        return [str(path)]
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    found = files_below(path, _suffixes(decode))
    if not found:
        raise DataError(f"{path}: holds no {'images' if isinstance(decode, ImageDecoder) else 'event files'}")
    return found


def _suffixes(decode: ImageDecoder | EventDecoder) -> frozenset[str]:
    return IMAGE_SUFFIXES if isinstance(decode, ImageDecoder) else EVENT_SUFFIXES


def _pictures(values: Array, decode: ImageDecoder) -> tuple[Array, bool]:
    if values.dtype != np.uint8:
        raise DataError(f"an array of {values.dtype}; images are uint8, 0 to 255")
    if values.shape[-3:] == decode.shape and values.ndim in (3, 4):
        return values.reshape(-1, *decode.shape), values.ndim == 3
    if values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (1, 3, 4)):
        picture = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
        return np.array(decode(Image.fromarray(picture)))[None], True
    if values.ndim == 4 and values.shape[3] in (1, 3, 4):
        return np.concatenate([_pictures(one, decode)[0] for one in values]), False
    raise DataError(
        f"an array of shape {list(values.shape)}; expected {list(decode.shape)}, a picture [H, W] or [H, W, 3], or a "
        "batch of these"
    )


def _frames(values: Array, decode: EventDecoder) -> tuple[Array, bool]:
    if values.shape[-4:] != decode.shape or values.ndim not in (4, 5) or values.dtype.kind not in "biuf":
        raise DataError(
            f"{values.dtype} of shape {list(values.shape)}; expected event frames {list(decode.shape)}, or a batch"
        )
    frames = [checked_frames(one, "event frames") for one in values.reshape(-1, *decode.shape)]
    return np.stack(frames), values.ndim == 4
