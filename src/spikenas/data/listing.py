"""What a source hands to the loader."""

from __future__ import annotations

from dataclasses import dataclass

from spikenas.data.dataset import Split


@dataclass(frozen=True, eq=False)
class Listing:
    """Names and labels of a data set; files are listed, not decoded.

    Args:
        place: Folder or name of the data set, for messages.
        classes: Names; a label is a position in it.
        train: File names [N], or pixels uint8 [N, C, H, W]; without a decoder yet.
        test: The same, or None if the data have no test set.
        events: Whether the files are event frames.
        channels: Of the images, where the format fixes it.
    """

    place: str
    classes: tuple[str, ...]
    train: Split
    test: Split | None
    events: bool = False
    channels: int | None = None
