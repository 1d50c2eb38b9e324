"""Define what a source hands to the loader."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    place: str
    classes: tuple[str, ...]
    train: Split
    test: Split | None
    events: bool = False
    channels: int | None = None
