"""Open sources that are folders of image or event files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spikenas._util.errors import DataError
from spikenas._util.files import read_text
from spikenas._util.showing import plain
from spikenas.config import DataConfig
from spikenas.data.decode import IMAGE_SUFFIXES
from spikenas.data.event_files import EVENT_SUFFIXES
from spikenas.data.layout import Found, class_folders, labelled, subfolders
from spikenas.data.listing import Listing
from spikenas.data.sources import DataSource


class ImageFolder(DataSource):
    """This source is a folder of images.

    Its layout is `train/CLASS/*` with `test/CLASS/*` and `val/CLASS/*`, one of them or neither, or `CLASS/*` without
    splits; there may be further folders in that of a class.
    """

    in_folder = True

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the images of a folder.

        Raises:
            DataError: The folder has no class folders, its classes do not agree, or it is TinyImageNet as distributed.
        """
        if (place / "wnids.txt").is_file():
            raise DataError(f"{place}: TinyImageNet as it is distributed; name it tinyimagenet:{place}")
        return class_folders(place, IMAGE_SUFFIXES, "images", events=False)


class EventFolder(DataSource):
    """This source is a folder of event frames.

    They are `.npz` files with one array [T, C, H, W], in the layouts of an image folder.
    """

    in_folder = True
    mirrored = False

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the event files of a folder.

        Raises:
            DataError: The folder has no class folders, or its classes do not agree.
        """
        return class_folders(place, EVENT_SUFFIXES, "event files", events=True)


class TinyImageNet(DataSource):
    """This source is TinyImageNet as it is distributed; its annotated validation images are the test set.

    Classes are in the order of wnids.txt and named by words.txt, where that has them.
    """

    in_folder = True

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the images of a folder.

        Raises:
            DataError: A file or folder is missing, or is not as it is distributed.
        """
        wnids = [line.strip() for line in _lines(place / "wnids.txt") if line.strip()]
        if any("\0" in wnid or "/" in wnid for wnid in wnids):
            raise DataError(f"{place / 'wnids.txt'}: a line is no name of a folder")
        if not wnids or len(set(wnids)) != len(wnids):
            raise DataError(f"{place / 'wnids.txt'}: empty or with a class twice; expected each class once, one a line")
        words = place / "words.txt"
        names = dict(line.split("\t", 1) for line in _lines(words) if "\t" in line) if words.is_file() else {}
        files = Found(IMAGE_SUFFIXES, "images")
        train = [files.here(place / "train" / wnid / "images") for wnid in wnids]
        test = _annotated(place / "val", wnids, files)
        return Listing(
            str(place),
            tuple(plain(names.get(wnid, wnid).strip()) for wnid in wnids),
            labelled(train),
            labelled(test),
            channels=3,
            notes=tuple(files.notes),
        )


def _annotated(folder: Path, wnids: Sequence[str], files: Found) -> list[list[str]]:
    annotations = folder / "val_annotations.txt"
    known = {os.path.basename(path): path for path in files.here(folder / "images")}
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    chosen: list[list[str]] = [[] for _ in wnids]
    for number, line in enumerate(_lines(annotations), start=1):
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        wnid = rest.partition("\t")[0].strip()
        if wnid not in labels:
            raise DataError(f"{annotations}: line {number} is not 'IMAGE<tab>WNID...' with a class of wnids.txt")
        if name not in known:
            raise DataError(f"{annotations}: line {number}: {name!r} is not in {folder / 'images'}, or listed twice")
        chosen[labels[wnid]].append(known.pop(name))
    if not any(chosen):
        raise DataError(f"{annotations}: empty; expected a line 'IMAGE<tab>WNID...' for each image")
    return [sorted(paths) for paths in chosen]


def class_folder_files(folder: Path, suffixes: frozenset[str]) -> dict[str, list[str]]:
    """Return the files below each folder in a folder, without those that have other suffixes.

    Raises:
        DataError: A folder cannot be read.
    """
    return {name: Found(suffixes, "items").below(folder / name) for name in subfolders(folder)}


def files_below(folder: Path, suffixes: frozenset[str]) -> list[str]:
    """Return the files of a folder and of those in it, without hidden ones and those that have other suffixes.

    Raises:
        DataError: A folder cannot be read.
    """
    return Found(suffixes, "items").below(folder)


def _lines(path: Path) -> list[str]:
    return read_text(path, DataError).splitlines()
