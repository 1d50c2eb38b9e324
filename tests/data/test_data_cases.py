"""What went wrong when people opened their own pictures, each with what is right: nothing is misread without a word."""

from __future__ import annotations

import logging
import os
import re
import resource
import shutil
import signal
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spikenas as sn
from people_pictures import Drawn, draw, write_train_and_valid, write_train_val_test
from spikenas._util.errors import BudgetError, DataError
from spikenas.data import Split

Save = Callable[[Path, np.random.Generator], None]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that was said of the data so far, a message a line."""
    with caplog.at_level(logging.INFO, "spikenas"):
        yield lambda: "\n".join(caplog.messages)


@pytest.fixture
def bounded() -> Iterator[None]:
    """A test that would wait or read for ever fails instead, after a minute or at 12 GB of addresses."""

    def late(*_: object) -> None:
        pytest.fail("it took too long")

    before, (soft, hard) = signal.signal(signal.SIGALRM, late), resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (12 * 10**9, hard))
    signal.alarm(60)
    yield
    signal.alarm(0)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    signal.signal(signal.SIGALRM, before)


def noise(mode: str = "RGB", size: tuple[int, int] = (8, 6), **options: object) -> Save:
    def save(path: Path, rng: np.random.Generator) -> None:
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path, **options)

    return save


COLOURED = noise()


def values(largest: float, dtype: type[np.generic]) -> Save:
    """Grey values of so many bits, from 0 to `largest`."""

    def save(path: Path, rng: np.random.Generator) -> None:
        pixels = rng.uniform(0, largest, (6, 8))
        pixels[0, :2] = 0, largest
        Image.fromarray(pixels.astype(dtype)).save(path)

    return save


def ink_on_nothing(path: Path, rng: np.random.Generator) -> None:
    """A black drawing on transparent ground."""
    image = Image.new("RGBA", (8, 6))
    image.putalpha(Image.fromarray(np.where(rng.random((6, 8)) < 0.5, 255, 0).astype(np.uint8)))
    image.save(path)


def folder_of(root: Path, counts: Mapping[str, int], save: Save = COLOURED, suffix: str = "png") -> Path:
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            save(root / name / f"{number:03}.{suffix}", rng)
    return root


def all_of(task: sn.Task) -> dict[str, Split]:
    return {"train": task.train, "validation": task.validation, "test": task.test}


def names(task: sn.Task) -> list[Path]:
    return [Path(item) for split in all_of(task).values() for item in split.items]


def load_all(task: sn.Task) -> int:
    """Decode everything; return how many there are."""
    return sum(len(split.load()) for split in all_of(task).values())


def spread(task: sn.Task) -> list[int]:
    """The difference of the brightest and the darkest value of each item of the task."""
    items = [split.fetch([place])[0] for split in all_of(task).values() for place in range(len(split))]
    return [int(item.max()) - int(item.min()) for item in items]


@pytest.mark.parametrize("first_is", ["L", "1"])
def test_a_set_is_grey_only_if_all_of_it_is(tmp_path: Path, first_is: str) -> None:
    folder = folder_of(tmp_path, {"a": 6, "b": 6})
    noise(first_is)(folder / "a" / "000.png", np.random.default_rng(1))
    assert sn.Task(folder).input.channels == 3
    assert sn.Task(folder_of(tmp_path / "grey", {"a": 4, "b": 4}, noise("L"))).input.channels == 1


def test_transparent_ground_is_white(tmp_path: Path, said: Callable[[], str]) -> None:
    task = sn.Task(folder_of(tmp_path, {"a": 5, "b": 5}, ink_on_nothing), image_size="8x6")
    for place, path in enumerate(task.train.items):
        with Image.open(path) as image:
            expected = 255 - np.asarray(image)[:, :, 3]
        assert (task.train.fetch([place])[0] == expected).all()
    assert "white" in said() + repr(task)


@pytest.mark.parametrize(
    ("save", "suffix"),
    [
        (values(255, np.uint16), "png"),
        (values(4095, np.uint16), "png"),
        (values(65535, np.uint16), "png"),
        (values(100_000, np.int32), "tif"),
        (values(1, np.float32), "tif"),
    ],
)
def test_values_of_more_than_8_bits_are_scaled_by_their_range(
    tmp_path: Path, said: Callable[[], str], save: Save, suffix: str
) -> None:
    task = sn.Task(folder_of(tmp_path, {"a": 5, "b": 5}, save, suffix))
    assert min(spread(task)) > 140
    assert "255" in said() + repr(task), "what became 255"


def test_pictures_of_several_depths_are_all_seen_or_it_is_said(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 5, "b": 5}, values(1, np.float32), "tif")
    folder_of(folder, {"a": 6, "b": 6}, values(255, np.uint16))
    folder_of(folder, {"a/deep": 5, "b/deep": 5}, values(65535, np.uint16))
    try:
        task = sn.Task(folder)
        seen, text = min(spread(task)) > 100, said() + repr(task)
    except DataError as error:
        seen, text = False, str(error)
    assert seen or re.search(r"\.(tif|png)\b", text), "one that would be black is named"


def test_constant_pictures_are_refused_when_the_data_are_opened(tmp_path: Path) -> None:
    def black(path: Path, rng: np.random.Generator) -> None:
        Image.new("RGB", (8, 6 + int(rng.integers(1000)))).save(path)

    with pytest.raises(DataError, match=r"(?i)constant|one colour|the same value|black") as caught:
        sn.Task(folder_of(tmp_path, {"a": 4, "b": 4}, black))
    assert "\n" not in str(caught.value)


def test_one_constant_picture_is_said(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 5, "b": 5})
    Image.new("RGB", (8, 6), "black").save(folder / "a" / "lens cap.png")
    task = sn.Task(folder)
    assert "lens cap.png" in said() + repr(task)


@pytest.fixture
def two(tmp_path: Path) -> Drawn:
    return write_train_and_valid(tmp_path / "two", 40)


def test_names_of_splits_are_known_in_any_case(two: Drawn) -> None:
    task = sn.Task(two.folder)
    assert set(task.classes) == set(two.counts)
    assert {path.relative_to(two.folder).parts[0] for path in map(Path, task.test.items)} == {"Valid"}
    both = {*task.train.items, *task.validation.items}
    assert {Path(path).relative_to(two.folder).parts[0] for path in both} == {"Train"}


@pytest.mark.parametrize(("train", "test"), [("train", "valid"), ("TRAIN", "Test"), ("Train", "VALIDATION")])
def test_other_names_of_splits(tmp_path: Path, train: str, test: str) -> None:
    folder = folder_of(tmp_path, {f"{train}/a": 5, f"{train}/b": 5, f"{test}/a": 2, f"{test}/b": 1})
    task = sn.Task(folder)
    assert task.classes == ("a", "b")
    assert (len(task.train) + len(task.validation), len(task.test)) == (10, 3)


def test_three_splits_are_the_three_splits(tmp_path: Path) -> None:
    drawn = write_train_val_test(tmp_path / "three", 60)
    task = sn.Task(drawn.folder)
    for name, split in (("train", task.train), ("val", task.validation), ("test", task.test)):
        assert {Path(item).relative_to(drawn.folder).parts[0] for item in split.items} == {name}


def test_folders_within_a_class_belong_to_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"car": 4, "car/day2": 3, "car/day3/left": 2, "bus": 4})
    task = sn.Task(folder)
    assert task.classes == ("bus", "car")
    labels = np.concatenate([split.labels for split in all_of(task).values()])
    assert np.bincount(labels).tolist() == [4, 9]


def test_every_folder_that_is_not_used_is_named(tmp_path: Path, said: Callable[[], str]) -> None:
    counts = {"train/a": 4, "train/b": 4, "test/a": 1, "test/b": 1, "extra": 3, "train/to sort": 0}
    (tmp_path / "train" / "to sort").mkdir(parents=True)
    task = sn.Task(folder_of(tmp_path, counts))
    assert task.classes == ("a", "b")
    for name in ("extra", "to sort"):
        assert name in said() + repr(task)


def test_results_in_the_data_are_no_class(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 4, "b": 4, "runs/first": 1})
    for name in ("config.toml", ".lock", "trials.db", "history.jsonl"):
        (folder / "runs/first" / name).touch()
    task = sn.Task(folder)
    assert task.classes == ("a", "b")
    assert "runs" in said() + repr(task)


def test_unequal_classes_are_said_when_the_data_are_opened(tmp_path: Path, said: Callable[[], str]) -> None:
    task = sn.Task(folder_of(tmp_path, {"many": 300, "few": 6}))
    lines = [line for line in (said() + "\n" + repr(task)).splitlines() if "many" in line]
    assert [line for line in lines if re.search(r"\b98(\.\d+)? ?%|\b300\b.*\b6\b", line)], "shares or counts"


def test_a_picture_is_in_one_split_only_and_what_was_twice_is_counted(two: Drawn, said: Callable[[], str]) -> None:
    task = sn.Task(two.folder)
    contents = [path.read_bytes() for path in names(task)]
    assert len(set(contents)) == len(contents)
    (twice,) = two.double
    assert [line for line in (said() + "\n" + repr(task)).splitlines() if re.search(r"same|duplicate", line)]
    assert twice[1].read_bytes() in contents, "one of the two stays"


def test_the_same_picture_in_two_classes_is_said(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 6, "b": 6})
    (folder / "b" / "again.png").write_bytes((folder / "a" / "003.png").read_bytes())
    task = sn.Task(folder)
    labels = {label for split in all_of(task).values() for item, label in zip(split.items, split.labels, strict=True)
              if Path(item).read_bytes() == (folder / "a" / "003.png").read_bytes()}  # fmt: skip
    assert len(labels) < 2, "one picture has one class, or is left out"
    assert [line for line in (said() + "\n" + repr(task)).splitlines() if "again.png" in line or "003.png" in line]


def photos(root: Path, count: int) -> Path:
    """Photographs of 640x480, of which decoding takes no time."""

    def save(path: Path, rng: np.random.Generator) -> None:
        small = Image.fromarray(draw(path.parent.name == "b", (40, 30), rng).colours)
        small.resize((640, 480)).save(path, quality=50)

    return folder_of(root, {"a": count // 2, "b": count // 2}, save, "jpg")


def test_photographs_of_a_camera_fit_a_device(tmp_path: Path, said: Callable[[], str]) -> None:
    task = sn.Task(photos(tmp_path, 48), target="stm32f405")
    sized = task.sized()
    assert 16 <= min(sized.input.height, sized.input.width) <= 128
    assert re.search(rf"{sized.input.width}x{sized.input.height}", said() + repr(sized))


def test_photographs_of_a_phone_are_never_in_memory_together(tmp_path: Path) -> None:
    def save(path: Path, rng: np.random.Generator) -> None:
        photo = Image.new("RGB", (4000, 3000), tuple(rng.integers(100, 200, 3)))
        photo.paste("navy", (0, 0, 2000, 3000 if path.parent.name == "b" else 1500))
        photo.save(path)

    folder = folder_of(tmp_path, {"a": 3, "b": 3}, save, "jpg")
    tracemalloc.start()
    try:
        statistics = sn.Task(folder, target="stm32f405").statistics
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(0.1 < mean < 0.9 for mean in statistics.mean)
    assert peak < 3 * 36_000_000, "arrays of three of them"


def test_a_size_that_is_too_large_is_answered_with_one_that_fits(tmp_path: Path) -> None:
    folder = photos(tmp_path, 12)
    with pytest.raises(BudgetError) as caught:
        sn.Task(folder, target="stm32f405", image_size="640x480").sized()
    assert "\n" not in str(caught.value)
    named = re.search(r"image.size[= ](\d+(?:x\d+)?)", str(caught.value))
    assert named, str(caught.value)
    sn.Task(folder, target="stm32f405", image_size=named[1]).sized()


def test_an_image_size_has_width_and_height_and_a_fit(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a": 4, "b": 4}, noise(size=(60, 20)))
    for name in ("a", "b"):
        for path in (folder / name).iterdir():
            with Image.open(path) as image:
                left = image.copy()
            left.paste("red", (0, 0, 20, 20))
            left.paste("blue", (40, 0, 60, 20))
            left.save(path)
    shapes = {size: sn.Task(folder, image_size=size).input for size in (24, "24", "24x48")}
    assert {(shapes[size].height, shapes[size].width) for size in (24, "24")} == {(24, 24)}
    assert (shapes["24x48"].width, shapes["24x48"].height) == (24, 48)
    stretched, cropped, padded = (
        sn.Task(folder, image_size=20, fit=fit).train.fetch([0])[0] for fit in ("stretch", "crop", "pad")
    )
    red, blue = np.array([255, 0, 0]), np.array([0, 0, 255])
    assert (stretched[:, 10, 1] == red).all()
    assert (stretched[:, 10, 18] == blue).all()
    assert not (cropped[:, 10, 1] == red).all(), "the sides are cut off"
    assert padded[:, 0].std() == 0, "a bar above, of one colour"
    assert (padded[:, 10, 1] == red).all()


@pytest.mark.usefixtures("bounded")
def test_a_pipe_among_the_pictures_does_not_stop_anything(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 4, "b": 4})
    os.mkfifo(folder / "a" / "pipe.png")
    task = sn.Task(folder)
    assert folder / "a" / "pipe.png" not in names(task)
    assert "pipe.png" in said() + repr(task)


@pytest.mark.usefixtures("bounded")
def test_a_link_to_a_device_is_not_read(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 4, "b": 4})
    (folder / "a" / "zero.png").symlink_to("/dev/zero")
    task = sn.Task(folder)
    assert folder / "a" / "zero.png" not in names(task)
    assert "zero.png" in said() + repr(task)


def claims(path: Path, width: int, height: int) -> None:
    """Write a PNG that says that it is so large, and holds nothing of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_a_header_that_claims_80_gigabytes_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a": 4, "b": 4})
    claims(folder / "a" / "000.png", 200_000, 133_000)
    with pytest.raises(DataError, match=r"000\.png: .*(large|200[,.]?000)") as caught:
        load_all(sn.Task(folder, image_size=8))
    assert "\n" not in str(caught.value)


def test_broken_ones_are_left_out_where_that_is_asked(tmp_path: Path, said: Callable[[], str]) -> None:
    folder = folder_of(tmp_path, {"a": 6, "b": 6})
    (folder / "a" / "broken.png").write_bytes(b"no pixels")
    claims(folder / "b" / "bomb.png", 100_000, 100_000)
    task = sn.Task(folder, settings={"data.skip_broken": True})
    assert load_all(task) == 12
    assert "broken.png" in said() + repr(task) or "bomb.png" in said() + repr(task)


def test_two_classes_with_the_same_files_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a": 4})
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with pytest.raises(DataError, match=r"class 'a' has no images .*the same file in several classes: 8 left out"):
        sn.Task(tmp_path)


def test_narrow_pictures_are_not_made_narrower(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for n in range(4):
            pixels = rng.integers(0, 256, (1, 3000, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{n}.png")
    assert sn.Task(tmp_path).input.height == 16
