"""Define what a source hands to the loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spikenas.data.dataset import Split


@dataclass(frozen=True, eq=False)
class Listing:
    """A listing holds the names and labels of a data set; files are listed, not decoded.

    Args:
        place: Folder or name of the data set, for messages.
        classes: Names of the classes; a label is a position in it.
        train: Training items as file names [N], or pixels uint8 [N, C, H, W]; without a decoder yet.
        test: Test items in the same form, or None if the data have no test set.
        events: Whether the files are event frames.
        channels: Number of channels of the images, where the format fixes it.
        validation: Validation items in the same form, or None if they are to be held out of the training items.
        published: Whether many use the data as they are, so that duplicates in them are told but stay.
        notes: What was found in the folder and is not used, a line each.
    """

    place: str
    classes: tuple[str, ...]
    train: Split
    test: Split | None
    events: bool = False
    channels: int | None = None
    validation: Split | None = None
    published: bool = True
    notes: tuple[str, ...] = ()

    @property
    def of_files(self) -> bool:
        """Whether each item is a file."""
        return self.train.items.dtype == object

    @property
    def parts(self) -> dict[str, Split]:
        """Return the splits that the data have themselves, by name; `train` holds what is not divided yet."""
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in given.items() if split is not None}

    def with_parts(self, parts: Mapping[str, Split | None]) -> Listing:
        """Return the listing with other splits; those that are not named are left out, but `train` becomes empty."""
        train = parts.get("train") or Split(self.train.labels[:0], self.train.items[:0])
        return replace(self, train=train, validation=parts.get("validation"), test=parts.get("test"))
