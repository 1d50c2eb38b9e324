"""Find items that are there twice, so that each is used in one split only."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from spikenas.data.dataset import Split

_ORDER = ("test", "validation", "train")  # whose item stays, where two are the same


@dataclass(frozen=True)
class Duplicates:
    """Duplicates are items with the same bytes.

    Attributes:
        left_out: Items that are not used, of each split a mask [N].
        notes: What was found, a line each.
    """

    left_out: Mapping[str, NDArray[np.bool_]]
    notes: tuple[str, ...]


def find_duplicates(parts: Mapping[str, Split], digest: Callable[[str], str]) -> Duplicates:
    """Find files with the same bytes; one of them stays, that of the test set before that of the others.

    Files of the training set that are the same, but of different classes, are all left out.

    Args:
        parts: Splits of files by name.
        digest: Function that returns the digest of a file; it is called where two files have the same size.
    """
    by_size: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for name in _ORDER:
        for index, path in enumerate(parts[name].items if name in parts else ()):
            with suppress(OSError):  # it cannot be read, which is said where it is
                by_size[os.stat(path).st_size].append((name, index))
    left_out = {name: np.zeros(len(split), dtype=bool) for name, split in parts.items()}
    same: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for places in by_size.values():
        groups: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, index in places if len(places) > 1 else ():
            groups[digest(parts[name].items[index])].append((name, index))
        for group in groups.values():
            _leave_out(group, parts, left_out, same, examples)
    notes = (f"{what}: {count:,} left out, for example {examples[what]}" for what, count in same.items())
    return Duplicates(left_out, tuple(notes))


def _leave_out(
    group: list[tuple[str, int]],
    parts: Mapping[str, Split],
    left_out: Mapping[str, NDArray[np.bool_]],
    same: Counter[str],
    examples: dict[str, str],
) -> None:
    first = group[0]
    labels = {int(parts[name].labels[index]) for name, index in group}
    keeps_first = len(labels) == 1 or first[0] != "train"
    for place in group[1:] if keeps_first else group:
        name, index = place
        left_out[name][index] = True
        if len(labels) > 1:
            what = "the same file in several classes"
        else:
            what = "the same file twice" if name == first[0] else f"the same file in {first[0]} and {name}"
        same[what] += 1
        other, position = first if place != first else group[1]
        examples.setdefault(what, f"{parts[name].items[index]}, the same as {parts[other].items[position]}")


def note_of_equal_arrays(train: Split, test: Split | None) -> str | None:
    """Say how many training items are in the test set too, or where there is none twice, pixel for pixel; else None."""
    each = [sha256(item.tobytes()).digest() for item in train.items]
    if test is None:
        count, where = len(each) - len(set(each)), "there twice, so that test items may have been trained on"
    else:
        known = {sha256(item.tobytes()).digest() for item in test.items}
        count, where = sum(one in known for one in each), "in the test set too"
    return f"items that are {where}, and stay, as the data were published: {count:,}" if count else None
