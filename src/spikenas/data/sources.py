"""Define what a data source is, and find sources by name. Packages register them in the group `spikenas.data`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from spikenas._util.errors import DataError
from spikenas._util.registry import Registry
from spikenas._util.words import nearest
from spikenas.config import DataConfig
from spikenas.data.listing import Listing

IMAGES = "images"  # the source of what is named by its folder alone


class DataSource(ABC):
    """A data source lists labelled items; nothing of them is decoded yet.

    A data set is named `SOURCE` or, where a source has a place, `SOURCE:FOLDER`.

    Attributes:
        in_folder: Whether the name of a folder stands behind a colon.
        mirrored: Whether a mirrored item is of the same class, so that training may mirror.
    """

    in_folder: ClassVar[bool] = False
    mirrored: ClassVar[bool] = True

    @abstractmethod
    def open(self, place: Path, config: DataConfig) -> Listing:
        """List the items.

        Args:
            place: Folder of the data, where the source has one.
            config: Settings of the data.

        Raises:
            DataError: The data cannot be used; the message says why, and what would be right.
        """


SOURCES: Registry[type[DataSource]] = Registry("spikenas.data", "data source", DataError)


def find_source(name: str) -> tuple[type[DataSource], Path]:
    """Return the source and the place that the name of a data set means, before anything slow is done.

    Raises:
        DataError: The name means neither a source nor a folder.
    """
    kind, colon, place = name.partition(":")
    if kind not in SOURCES or (not colon and kind == IMAGES):
        folder = Path(os.path.expanduser(name))
        if not folder.exists():
            if folder.is_absolute():
                raise DataError(f"{name}: no such folder; data that were moved are named by --data")
            near = nearest(kind, SOURCES)
            maybe = f"did you mean {near!r}? " if near else ""
            raise DataError(f"{name}: no such folder and no known data set; {maybe}known: {known_data()}")
        return SOURCES.find(IMAGES), folder
    source = SOURCES.find(kind)
    if not source.in_folder:
        if colon:
            raise DataError(f"data set {name!r}: {kind} has no folder; expected {kind}")
        return source, Path()
    if not place:
        raise DataError(f"data set {name!r} lacks its folder; expected {kind}:FOLDER")
    folder = Path(os.path.expanduser(place))
    if not folder.is_dir():
        moved = "; data that were moved are named by --data" if folder.is_absolute() else ""
        raise DataError(f"{place}: no such folder; expected {kind}:FOLDER{moved}")
    return source, folder


def known_data() -> str:
    """List what a data set can be, for messages and help."""
    placed = {}
    for kind in SOURCES:
        try:
            placed[kind] = SOURCES.find(kind).in_folder
        except DataError:  # of a package that cannot be imported, which is said when it is asked for
            placed[kind] = False
    named = [kind for kind, in_folder in placed.items() if not in_folder]
    return ", ".join(
        (*named, *(f"{kind}:FOLDER" for kind in placed if placed[kind] and kind != IMAGES), "an image folder")
    )
