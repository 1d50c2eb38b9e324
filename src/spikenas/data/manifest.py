"""The manifest of a run says which file is in which split, so that nothing is trained on that tests it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spikenas._util.errors import DataError
from spikenas._util.files import read_text, write_text

COLUMNS = ("split", "class", "file", "bytes", "sha256")
_END = "end"  # the last row has the number of entries, and the digest of all rows before
_ODD = re.compile(r"[\\\x00-\x1f\x7f\udc80-\udcff]")
_WRITTEN_OUT = re.compile(r"\\u([0-9a-f]{4})")
SPLITS = ("train", "validation", "test", "left out")


@dataclass(frozen=True)
class Entry:
    """An entry is a file of the data, or of data that are no files all items of a part.

    Attributes:
        split: One of `SPLITS`.
        label: Name of its class; empty where it is a whole part.
        size: Number of its bytes.
        digest: Their SHA-256, in hexadecimal.
    """

    split: str
    label: str
    size: int
    digest: str


class Manifest:
    """A manifest holds the entries of a data set by the names of their files, from the folder of the data on.

    Args:
        entries: Entries by name.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = dict(entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = {name: sum(entry.split == name for entry in self.entries.values()) for name in SPLITS}
        return "Manifest: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())

    def names(self, *splits: str) -> list[str]:
        """Return the names of the files in some splits."""
        return [name for name, entry in self.entries.items() if entry.split in splits]

    def compare(self, found: Mapping[str, Entry]) -> tuple[str, ...]:
        """Check that every entry is there with the same content and class, whatever its split.

        Args:
            found: What is there now, by name; what the manifest lacks is new.

        Returns:
            The names of what is new.

        Raises:
            DataError: Entries are missing or have changed; the message counts them and names the first.
        """
        missing = [name for name in self.entries if name not in found]
        changed = [
            name
            for name, entry in self.entries.items()
            if name in found
            and (entry.label, entry.size, entry.digest) != (found[name].label, found[name].size, found[name].digest)
        ]
        for what, names in (("missing", missing), ("changed", changed)):
            if names:
                raise DataError(
                    f"{names[0]}: {what}" + (f", and {len(names) - 1:,} more" if len(names) > 1 else "")
                    + "; the run was made with other data"
                )  # fmt: skip
        return tuple(name for name in found if name not in self.entries)

    def save(self, path: Path) -> None:
        """Write the entries as CSV, whole or not at all.

        Raises:
            RunError: The file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((e.split, e.label, _escaped(name), e.size, e.digest) for name, e in self.entries.items())
        writer.writerow((_END, "", "", len(self.entries), sha256(text.getvalue().encode()).hexdigest()))
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read what `save` wrote.

        Raises:
            DataError: The file is not there, or is no manifest.
        """
        text = read_text(path, DataError)
        content, _, end = text.rstrip("\n").rpartition("\n")
        try:
            _, _, _, count, digest = next(csv.reader([end]))
            _, *rows = csv.reader(content.split("\n"))
            entries = {_unescaped(name): Entry(split, label, int(size), of) for split, label, name, size, of in rows}
            if digest != sha256(f"{content}\n".encode()).hexdigest() or len(entries) != int(count):
                raise ValueError("cut off or changed")
        except (ValueError, StopIteration, csv.Error):
            raise DataError(
                f"{path}: not the manifest of a run, or damaged; which items were trained on is not known any more: "
                "choose another --out"
            ) from None
        return cls(entries)


def _escaped(name: str) -> str:
    """Return a name without control characters and bytes that are not UTF-8, which are written out."""
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", name)


def _unescaped(text: str) -> str:
    return _WRITTEN_OUT.sub(lambda match: chr(int(match[1], 16)), text)
