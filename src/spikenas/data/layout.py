"""Find the splits and classes of a folder: which folders hold which items, and what in it is not used."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikenas._util.errors import DataError
from spikenas._util.files import reason
from spikenas._util.run_files import CONFIG, HISTORY, TRIALS
from spikenas._util.showing import plain
from spikenas.data.dataset import Split
from spikenas.data.listing import Listing

LAYOUT = "train/CLASS/*, with or without test/CLASS/* and val/CLASS/*, or CLASS/*"
DEEPEST = 32  # folders in one another, which ends a circle of links
_TRAIN, _TEST = ("train", "training"), ("test", "testing")
_VALIDATION = ("val", "valid", "validation")
_SHOWN = 5  # names in one message


class Found:
    """Files found below folders, by suffix, and what was passed over on the way.

    Args:
        suffixes: Endings of the files that can be items, in small letters.
        kind: Word for the items, for messages.
    """

    def __init__(self, suffixes: frozenset[str], kind: str) -> None:
        self._suffixes, self._kind = suffixes, kind
        self._ignored: list[str] = []
        self._runs: list[str] = []
        self._irregular: list[str] = []

    def here(self, folder: Path) -> list[str]:
        """Return the files of a folder, sorted by name.

        Raises:
            DataError: The folder cannot be read.
        """
        return self._items(folder, entries(folder))

    def below(self, folder: Path, depth: int = 0) -> list[str]:
        """Return the files of a folder and of those in it, but of hidden ones and of run folders.

        Raises:
            DataError: A folder cannot be read, or folders lie in one another without end.
        """
        if depth > DEEPEST:
            raise DataError(f"{folder}: more than {DEEPEST} folders in one another; a link may lead back")
        listed = entries(folder)
        if _is_run({entry.name for entry in listed}):
            self._runs.append(str(folder))
            return []
        deeper = [
            path
            for entry in listed
            if not entry.name.startswith(".") and _is_folder(entry)
            for path in self.below(Path(entry.path), depth + 1)
        ]
        return [*self._items(folder, listed), *deeper]

    def pass_over(self, folder: Path) -> None:
        """Count the files that lie beside the folders in a folder."""
        self._ignored += [entry.path for entry in entries(folder) if not _is_folder(entry)]

    @property
    def notes(self) -> list[str]:
        """Say what was passed over, a line for each reason."""
        return [
            *_named(self._runs, "folders of results in the data, not used"),
            *_named(self._irregular, "neither files nor folders, left out"),
            *_named(self._ignored, f"files that are no {self._kind} (hidden, or of another kind), left out"),
        ]

    def _items(self, folder: Path, listed: Sequence[os.DirEntry[str]]) -> list[str]:
        chosen: list[str] = []
        for entry in listed:
            if _is_folder(entry):
                continue
            fits = not entry.name.startswith(".") and os.path.splitext(entry.name)[1].lower() in self._suffixes
            if fits and _is_irregular(entry):
                self._irregular.append(entry.path)
            else:
                (chosen if fits else self._ignored).append(entry.path)
        return chosen


def class_folders(folder: Path, suffixes: frozenset[str], kind: str, events: bool) -> Listing:
    """List the items of a folder with one folder for each class, in splits or not.

    Names of splits count in any case: `train`, `test`, `val`, `valid` and `validation`. Beside a test set the
    validation folder is the validation set; without one it is the test set. A folder without items is no class.

    Args:
        folder: The folder.
        suffixes: Endings of the files that can be items, in small letters.
        kind: Word for the items, for messages.
        events: Whether they are event frames.

    Raises:
        DataError: There are no class folders, or the splits have other classes.
    """
    found = Found(suffixes, kind)
    folders = subfolders(folder)
    splits = {
        name: _split_folder(folder, folders, names)
        for name, names in (("train", _TRAIN), ("test", _TEST), ("validation", _VALIDATION))
    }
    train = splits["train"]
    if train is None or not subfolders(folder / train):
        if splits["test"] or splits["validation"]:
            raise DataError(f"{folder}: no class folders in {folder / (train or 'train')}; expected {LAYOUT}")
        splits, root, used = {"train": None, "test": None, "validation": None}, folder, []
    else:
        root, used = folder / train, [name for name in splits.values() if name]
        found.pass_over(folder)
    if not subfolders(root):
        raise DataError(f"{folder}: no class folders; expected {LAYOUT}")
    files = {name: found.below(root / name) for name in subfolders(root)}
    found.pass_over(root)
    classes = [name for name, paths in files.items() if paths]
    empty = [str(root / name) for name in files if name not in classes]
    if not classes:
        raise DataError(f"{root}: no {kind} in its folders ({_some([*files])}); expected {LAYOUT}")

    def listed(name: str | None) -> Split | None:
        if name is None:
            return None
        present = subfolders(folder / name)
        paths = {one: found.below(folder / name / one) for one in present}
        found.pass_over(folder / name)
        for one in present:
            if one not in classes and paths[one]:
                raise DataError(f"{folder / name / one}: not a class of {root}, which has {_some(classes)}")
        empty.extend(str(folder / name / one) for one in present if not paths[one])
        split = labelled([paths.get(one, []) for one in classes])
        if not len(split):
            raise DataError(f"{folder / name}: no {kind}; expected {name}/CLASS/*, or no such folder")
        return split

    test, validation = listed(splits["test"]), listed(splits["validation"])
    if test is None:
        test, validation = validation, None
    unused = [str(folder / name) for name in folders if used and name not in used]
    notes = [
        *_named(unused, "folders beside the splits, not used"),
        *_named(empty, f"folders without {kind}, not used"),
        *found.notes,
    ]
    return Listing(
        str(root),
        tuple(map(plain, classes)),
        labelled([files[name] for name in classes]),
        test,
        events,
        validation=validation,
        published=False,
        notes=tuple(notes),
    )


def labelled(files_of_classes: Sequence[Sequence[str]]) -> Split:
    """Return the split of files in the order of their classes."""
    items = np.array([path for files in files_of_classes for path in files], dtype=object)
    counts = [len(files) for files in files_of_classes]
    return Split(np.repeat(np.arange(len(counts), dtype=np.int64), counts), items)


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones.

    Raises:
        DataError: The folder cannot be read.
    """
    return [entry.name for entry in entries(folder) if not entry.name.startswith(".") and _is_folder(entry)]


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted by name.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read as a folder ({reason(error)})") from error


def _split_folder(folder: Path, names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the folder that is called like a split, in any case.

    Raises:
        DataError: There are several.
    """
    found = [name for name in names if name.lower() in wanted]
    if len(found) > 1:
        raise DataError(f"{folder}: {' and '.join(found)} are the same split; leave one of them")
    return found[0] if found else None


def _is_run(names: set[str]) -> bool:
    return CONFIG in names and bool({HISTORY, TRIALS, ".lock"} & names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links, for example
        return False


def _is_irregular(entry: os.DirEntry[str]) -> bool:
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a link that leads nowhere is an item that cannot be read, and is said so
        return False


def _named(paths: Sequence[str], what: str) -> list[str]:
    if not paths:
        return []
    return [f"{what}: {len(paths):,} ({_some(paths)})"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
