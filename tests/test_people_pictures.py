"""What the drawn folder holds, so that a test that uses it tests what it says."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from people_pictures import KINDS, ROUND, STRIPED, Drawn, write_classes, write_train_and_valid, write_train_val_test

COUNT = 60


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return write_classes(tmp_path_factory.mktemp("people") / "set", COUNT)


def pictures(folder: Path) -> list[Path]:
    suffixes = {f".{suffix}".lower() for suffix, _ in KINDS.values()}
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and not any(part.startswith(".") or part == "runs" for part in path.relative_to(folder).parts)
    ]


def test_every_file_is_counted_and_the_broken_ones_alone_cannot_be_read(drawn: Drawn) -> None:
    unreadable = set()
    for path in pictures(drawn.folder):
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, UnidentifiedImageError):
            unreadable.add(path)
    assert unreadable == set(drawn.broken)
    for name in (ROUND, STRIPED):
        there = [path for path in pictures(drawn.folder / name) if path not in unreadable]
        assert len(there) == drawn.counts[name]
    assert sum(drawn.counts.values()) == COUNT + len(drawn.double) + len(drawn.constant) + 1, "and a link"


def test_equal_ones_are_those_that_are_said(drawn: Drawn) -> None:
    whole = [path for path in pictures(drawn.folder) if path.stat().st_size]
    assert len({sha256(path.read_bytes()).digest() for path in whole}) == len(whole) - len(drawn.double)
    for first, second in drawn.double:
        assert first.read_bytes() == second.read_bytes()


def test_kinds_are_what_their_names_say(drawn: Drawn) -> None:
    modes, largest = set(), set()
    for path in pictures(drawn.folder):
        if path in drawn.broken:
            continue
        with Image.open(path) as image:
            modes.add(image.mode)
            if image.mode == "I;16":
                largest.add(int(np.asarray(image).max()).bit_length())
            if image.mode in ("RGBA", "LA"):
                assert not np.asarray(image.convert("RGB")).any(), "all black without its transparency"
    assert modes == {"1", "L", "P", "RGB", "RGBA", "LA", "I", "I;16", "F", "CMYK"}
    assert largest == {8, 12, 16}


def test_the_same_seed_draws_the_same(drawn: Drawn, tmp_path: Path) -> None:
    again = write_classes(tmp_path / "again", COUNT)
    paths, others = pictures(drawn.folder), pictures(again.folder)
    assert [path.relative_to(drawn.folder) for path in paths] == [path.relative_to(again.folder) for path in others]
    assert all(path.read_bytes() == other.read_bytes() for path, other in zip(paths, others, strict=True))


def test_splits(tmp_path: Path) -> None:
    two = write_train_and_valid(tmp_path / "two", 20)
    three = write_train_val_test(tmp_path / "three", 20)
    for drawn, names, again in ((two, ["Train", "Valid"], 1), (three, ["test", "train", "val"], 2)):
        assert sorted(path.name for path in drawn.folder.iterdir()) == names
        assert sum(drawn.counts.values()) == len(pictures(drawn.folder)) == 20 + again == 20 + len(drawn.double)
