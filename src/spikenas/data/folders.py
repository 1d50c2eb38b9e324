"""Open sources that are folders of image or event files."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikenas._util.errors import DataError
from spikenas._util.files import read_text, reason
from spikenas.config import DataConfig
from spikenas.data.dataset import Split
from spikenas.data.decode import EVENT_SUFFIXES, IMAGE_SUFFIXES
from spikenas.data.listing import Listing
from spikenas.data.sources import DataSource

log = logging.getLogger("spikenas")


class ImageFolder(DataSource):
    """This source is a folder of images.

    Its layout is `train/CLASS/*` with `test/CLASS/*` or `val/CLASS/*`, or `CLASS/*` without a test set.
    """

    in_folder = True

    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the images of a folder.

        Raises:
            DataError: The folder has no class folders, its classes do not agree, or it is TinyImageNet as distributed.
        """
        if (place / "wnids.txt").is_file():
            raise DataError(f"{place}: TinyImageNet as it is distributed; name it tinyimagenet:{place}")
        return _class_folders(place, IMAGE_SUFFIXES, events=False)


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
        return _class_folders(place, EVENT_SUFFIXES, events=True)


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
        if not wnids or len(set(wnids)) != len(wnids):
            raise DataError(f"{place / 'wnids.txt'}: empty or with a class twice; expected each class once, one a line")
        words = place / "words.txt"
        names = dict(line.split("\t", 1) for line in _lines(words) if "\t" in line) if words.is_file() else {}
        files = _Files(IMAGE_SUFFIXES)
        train = [files.of(place / "train" / wnid / "images") for wnid in wnids]
        test = _annotated(place / "val", wnids, files)
        files.log_ignored()
        return Listing(
            str(place),
            tuple(names.get(wnid, wnid).strip() for wnid in wnids),
            _split(train),
            _split(test),
            channels=3,
        )


def _annotated(folder: Path, wnids: Sequence[str], files: _Files) -> list[list[str]]:
    annotations = folder / "val_annotations.txt"
    known = {os.path.basename(path): path for path in files.of(folder / "images")}
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


def _class_folders(folder: Path, suffixes: frozenset[str], events: bool) -> Listing:
    files = _Files(suffixes)
    names = _subfolders(folder)
    layout = "train/CLASS/*, with or without test/CLASS/*, or CLASS/*"
    has_train = "train" in names and bool(_subfolders(folder / "train"))
    if not has_train and {"test", "val"} & set(names):
        raise DataError(f"{folder}: no class folders in {folder / 'train'}; expected {layout}")
    root = folder / "train" if has_train else folder
    classes = _subfolders(root)
    if not classes:
        raise DataError(f"{folder}: no class folders; expected {layout}")
    train = _split([files.of(root / name) for name in classes])
    test = None
    test_name = next((name for name in ("test", "val") if has_train and name in names), None)
    if test_name:
        test_root = folder / test_name
        present = _subfolders(test_root)
        unknown = [name for name in present if name not in classes]
        if unknown:
            raise DataError(f"{test_root / unknown[0]}: not a class of {root}, which has {_some(classes)}")
        test = _split([files.of(test_root / name) if name in present else [] for name in classes])
        if not len(test):
            kind = "event files" if events else "images"
            raise DataError(f"{test_root}: no {kind}; expected {test_name}/CLASS/*, or no such folder")
        if test_name == "test" and "val" in names:
            log.info("%s is not used: the validation images are a share of %s", folder / "val", root)
    files.log_ignored()
    return Listing(str(root), tuple(classes), train, test, events)


class _Files:
    """This class lists the files of folders that have one of some suffixes, and counts the others."""

    def __init__(self, suffixes: frozenset[str]) -> None:
        self._suffixes = suffixes
        self._ignored: list[str] = []

    def of(self, folder: Path) -> list[str]:
        chosen: list[str] = []
        for entry in _entries(folder):
            hidden = entry.name.startswith(".")
            fits = not hidden and os.path.splitext(entry.name)[1].lower() in self._suffixes and not entry.is_dir()
            (chosen if fits else self._ignored).append(entry.path)
        return chosen

    def log_ignored(self) -> None:
        if self._ignored:
            log.info(
                "entries ignored (hidden, folders or other kinds of file): %d, the first is %s",
                len(self._ignored),
                self._ignored[0],
            )


def _split(files_of_classes: Sequence[Sequence[str]]) -> Split:
    items = np.array([path for files in files_of_classes for path in files], dtype=object)
    counts = [len(files) for files in files_of_classes]
    return Split(np.repeat(np.arange(len(counts), dtype=np.int64), counts), items)


def class_folder_files(folder: Path, suffixes: frozenset[str]) -> dict[str, list[str]]:
    """Return the files of each folder in a folder, without those that have other suffixes.

    Raises:
        DataError: A folder cannot be read.
    """
    return {name: _Files(suffixes).of(folder / name) for name in _subfolders(folder)}


def files_below(folder: Path, suffixes: frozenset[str]) -> list[str]:
    """Return the files of a folder and of those in it, without hidden ones and those that have other suffixes.

    Raises:
        DataError: A folder cannot be read.
    """
    deeper = [path for name in _subfolders(folder) for path in files_below(folder / name, suffixes)]
    return [*_Files(suffixes).of(folder), *deeper]


def _subfolders(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if not entry.name.startswith(".") and entry.is_dir()]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read as a folder ({reason(error)})") from error


def _lines(path: Path) -> list[str]:
    return read_text(path, DataError).splitlines()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
