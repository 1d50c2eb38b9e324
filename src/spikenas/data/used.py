"""Decide which listed items are used: each file once, in one split; in a run that has begun those of its manifest."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from spikenas._util.files import digest_file
from spikenas.data.dataset import Decoder, Split, in_parallel
from spikenas.data.duplicates import find_duplicates, note_of_equal_arrays
from spikenas.data.listing import Listing
from spikenas.data.manifest import Entry, Manifest

_log = logging.getLogger(__name__)


class UsedItems:
    """The used items of a listing are what is left of it without duplicates, broken files and what a manifest lacks.

    Args:
        listing: What the source found.
        folder: Folder that the names in a manifest start from.
        manifest: Which file is in which split, of a run that has begun.

    Attributes:
        listing: Items that are used; it shrinks when broken files are left out.
        notes: What was left out, a line each.

    Raises:
        DataError: The items are not those of the manifest.
    """

    def __init__(self, listing: Listing, folder: str, manifest: Manifest | None) -> None:
        self.listing = listing
        self.notes: list[str] = []
        self._folder, self._manifest = folder, manifest
        self._prefix = os.path.join(folder, "")
        self._digests: dict[str, tuple[int, str]] = {}
        self._left_out: dict[str, Split] = {}
        if manifest is not None:
            self._obey(manifest)
        elif not listing.of_files:
            note = note_of_equal_arrays(listing.train, listing.test)
            self.notes += [note] if note else []
        elif not listing.published:
            found = find_duplicates(listing.parts, self._digest)
            self.notes += found.notes
            self._leave_out("duplicates", found.left_out)

    def in_manifest(self, split: str, items: Iterable[str]) -> NDArray[np.bool_] | None:
        """Return which files are in a split by the manifest, a mask; None where no manifest says it."""
        if self._manifest is None or not self.listing.of_files:
            return None
        return self._are_in(set(self._manifest.names(split)), items)

    def leave_out_broken(self, decoder: Decoder) -> None:
        """Leave out the files that cannot be decoded; they are looked for once."""
        if "broken" in self._left_out or not self.listing.of_files:
            return
        parts = self.listing.parts
        broken = {name: replace(split, decode=decoder).broken() for name, split in parts.items()}
        self._leave_out(
            "broken",
            {name: np.array([path in broken[name] for path in split.items], bool) for name, split in parts.items()},
        )
        if files := [path for part in broken.values() for path in part]:
            self.notes.append(f"broken files left out: {len(files):,}, the first is {files[0]}")

    def manifest(self, splits: Mapping[str, Split]) -> Manifest:
        """Return which file is in which split, and which are left out; each is read for its digest.

        Args:
            splits: Items by the name of their split.

        Raises:
            DataError: A file cannot be read.
        """
        if self._manifest is not None:
            out = {self._name(path) for split in self._left_out.values() for path in split.items}
            known = self._manifest.entries.items()
            return Manifest({name: replace(e, split="left out") if name in out else e for name, e in known})
        if not self.listing.of_files:
            return Manifest(_entries_of_arrays(self.listing))
        all_of_them = [*splits.items(), *(("left out", split) for split in self._left_out.values())]
        self._read([path for _, split in all_of_them for path in split.items])
        entries = {
            self._name(path): Entry(name, self.listing.classes[label], *self._digests[path])
            for name, split in all_of_them
            for path, label in zip(split.items, split.labels, strict=True)
        }
        return Manifest(dict(sorted(entries.items())))

    def _obey(self, manifest: Manifest) -> None:
        listing = self.listing
        if not listing.of_files:
            manifest.compare(_entries_of_arrays(listing))
            return
        places = {
            self._name(path): (path, listing.classes[label])
            for split in listing.parts.values()
            for path, label in zip(split.items, split.labels, strict=True)
        }
        self._read([path for name, (path, _) in places.items() if name in manifest.entries])
        new = manifest.compare(
            {name: Entry("", label, *self._digests.get(path, (0, ""))) for name, (path, label) in places.items()}
        )
        if new:
            _log.warning(
                "new files are left out: %s, the first is %s; a run in another --out uses them", f"{len(new):,}", new[0]
            )
        used = {name: manifest.entries[name] for name in manifest.names("train", "validation", "test")}
        labels = {entry.label for entry in used.values()}
        classes = tuple(name for name in listing.classes if name in labels)
        numbers = {label: classes.index(name) for label, name in enumerate(listing.classes) if name in labels}

        def of(split: Split) -> Split | None:
            chosen = split.select(self._are_in(used, split.items))
            if not len(chosen):
                return None
            return Split(np.array([numbers[label] for label in chosen.labels], dtype=np.int64), chosen.items)

        parts = {name: of(split) for name, split in listing.parts.items()}
        self.listing = replace(listing.with_parts(parts), classes=classes)

    def _leave_out(self, why: str, masks: Mapping[str, NDArray[np.bool_]]) -> None:
        parts = self.listing.parts
        removed = [parts[name].select(mask) for name, mask in masks.items()]
        self._left_out[why] = Split(
            np.concatenate([split.labels for split in removed]), np.concatenate([split.items for split in removed])
        )
        kept = {name: parts[name].select(~mask) for name, mask in masks.items()}
        self.listing = self.listing.with_parts(kept)

    def _are_in(self, names: Container[str], items: Iterable[str]) -> NDArray[np.bool_]:
        return np.array([self._name(path) in names for path in items], dtype=bool)

    def _name(self, path: str) -> str:
        return path[len(self._prefix) :] if path.startswith(self._prefix) else os.path.relpath(path, self._folder)

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = digest_file(path)
        return self._digests[path][1]

    def _read(self, paths: list[str]) -> None:
        in_parallel(lambda index: self._digest(paths[index]), len(paths), None)


def _entries_of_arrays(listing: Listing) -> dict[str, Entry]:
    return {f"{name} items": _entry(name, split) for name, split in listing.parts.items()}


def _entry(name: str, split: Split) -> Entry:
    items = np.ascontiguousarray(split.items)
    digest = sha256(items.tobytes() + split.labels.tobytes() + str(items.shape).encode()).hexdigest()
    return Entry(name, "", items.nbytes, digest)
