from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from support import load

SPLIT = {"train/b": 3, "train/a": 3}


def config(folder: Path, kind: str = "") -> DataConfig:
    return DataConfig(name=f"{kind}:{folder}" if kind else str(folder))


def test_val_is_the_test_set_where_there_is_no_test(make_folder):
    data = load(config(make_folder({**SPLIT, "val/b": 2})), 0)
    assert data.classes == ("a", "b")
    assert data.test.labels.tolist() == [1, 1]
    assert data.name.endswith("set")


@pytest.mark.parametrize(
    "names", [("train", "test", "val"), ("Train", "TEST", "Valid"), ("training", "Test", "validation")]
)
def test_names_of_splits_count_in_any_case(make_folder, names):
    train, test, validation = names
    counts = {f"{train}/b": 3, f"{train}/a": 3, f"{validation}/b": 2, f"{test}/a": 1}
    data = load(config(make_folder(counts)), 0)
    assert data.test.labels.tolist() == [0]
    assert data.validation.labels.tolist() == [1, 1]
    assert len(data.train) == 6


def test_one_split_under_two_names_is_refused(make_folder):
    with pytest.raises(DataError, match="val and valid are the same split; leave one of them"):
        load(config(make_folder({**SPLIT, "val/a": 1, "valid/a": 1})), 0)


def test_train_without_test_is_divided(make_folder):
    assert len(load(config(make_folder(SPLIT)), 0).test) == 2


def test_train_may_be_a_class(make_folder):
    assert load(config(make_folder({"train": 3, "car": 3})), 0).classes == ("car", "train")


def test_what_is_not_used_is_named(make_folder, caplog):
    folder = make_folder({"a": 3, "b": 3, ".checkpoints": 1, "a/day2/more": 2, "notes": 0})
    (folder / "a/.hidden.png").write_bytes(b"")
    (folder / "b/Thumbs.db").write_bytes(b"")
    (folder / "README.md").write_text("about")
    (folder / "b/000.png").rename(folder / "b/000.PNG")
    for name in ("000.png", "001.png"):
        Image.new("RGB", (6, 4), (int(name[2]) * 90, 9, 9)).save(folder / "a/day2/more" / name)
    os.mkfifo(folder / "b/pipe.png")
    with caplog.at_level("INFO", "spikenas"):
        data = load(config(folder), 0)
    assert len(data.train) + len(data.validation) + len(data.test) == 8
    notes = "\n".join(caplog.messages)
    assert f"folders without images, not used: 1 ({folder}/notes)" in notes
    assert "files that are no images (hidden, or of another kind), left out: 3" in notes
    assert f"neither files nor folders, left out: 1 ({folder}/b/pipe.png)" in notes


def test_results_in_the_data_are_not_data(make_folder, caplog):
    folder = make_folder({"a": 3, "b": 3, "runs/set": 1})
    for name in ("config.toml", "trials.db"):
        (folder / "runs/set" / name).touch()
    with caplog.at_level("INFO", "spikenas"):
        assert load(config(folder), 0).classes == ("a", "b")
    assert f"folders of results in the data, not used: 1 ({folder}/runs/set)" in "\n".join(caplog.messages)


def test_symlinks_are_followed(make_folder, tmp_path):
    real = make_folder({"a": 3, "b": 3})
    (tmp_path / "links/b").mkdir(parents=True)
    (tmp_path / "links/a").symlink_to(real / "a")
    for path in (real / "b").iterdir():
        (tmp_path / "links/b" / path.name).symlink_to(path)
    (tmp_path / "all").symlink_to(tmp_path / "links")
    assert len(load(config(tmp_path / "all"), 0).train.load()) == 2


def test_home_is_expanded(make_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(make_folder({"a": 3, "b": 3}).parent))
    assert load(DataConfig(name="~/set"), 0).classes == ("a", "b")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, r"set: no class folders; expected train/CLASS/\*"),
        ({"test/a": 1, "test/b": 1}, r"no class folders in .*train; expected"),
        ({"train": 3, "test": 3}, r"no class folders in .*train; expected"),
        ({**SPLIT, "test/c": 1}, r"test/c: not a class of .*train, which has a, b$"),
        ({**SPLIT, "test": 1}, r"test: no images; expected test/CLASS/\*"),
        ({"a": 0, "b": 0}, r"no images in its folders \(a, b\)"),
    ],
)
def test_layouts_that_cannot_be_meant(make_folder, tmp_path, counts, message):
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match=message):
        load(config(make_folder(counts)), 0)


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file: cannot be read as a folder \(Not a directory\)"):
        load(config(tmp_path / "file"), 0)


WNIDS = ("n2", "n1")


@pytest.fixture
def tiny(make_folder) -> Path:
    folder = make_folder({f"train/{wnid}/images": 3 for wnid in WNIDS}, mode="L", suffix="JPEG")
    make_folder({"val/images": 3}, suffix="JPEG")
    (folder / "wnids.txt").write_text("n2\nn1\n")
    (folder / "words.txt").write_text("n0\tthing\nn1\tgoldfish, Carassius auratus\n")
    (folder / "train/n1/n1_boxes.txt").write_text("")
    lines = ("002.JPEG\tn1\t0\t0\t9\t9", "000.JPEG\tn2\t0\t0\t9\t9", "001.JPEG\tn1\t0\t0\t9\t9")
    (folder / "val/val_annotations.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_tinyimagenet(tiny):
    data = load(config(tiny, "tinyimagenet"), 0)
    assert data.classes == ("n2", "goldfish, Carassius auratus")
    assert data.shape == (3, 4, 6)
    assert [Path(item).name for item in data.test.items] == ["000.JPEG", "001.JPEG", "002.JPEG"]
    assert data.test.labels.tolist() == [0, 1, 1]
    assert all(WNIDS[label] in item for label, item in zip(data.train.labels, data.train.items, strict=True))


def test_tinyimagenet_without_words(tiny):
    (tiny / "words.txt").unlink()
    assert load(config(tiny, "tinyimagenet"), 0).classes == WNIDS


def test_tinyimagenet_as_an_image_folder(tiny):
    with pytest.raises(DataError, match=r"name it tinyimagenet:"):
        load(config(tiny), 0)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("wnids.txt", b"", "empty or with a class twice"),
        ("wnids.txt", b"n1\nn1\n", "expected each class once"),
        ("wnids.txt", b"n1\nn3\n", r"train/n3/images: cannot be read as a folder"),
        ("wnids.txt", b"\xff\xfe", "not a text file"),
        ("val/val_annotations.txt", None, r"val_annotations\.txt: cannot be read"),
        ("val/val_annotations.txt", b"\n", "empty; expected a line"),
        ("val/val_annotations.txt", b"000.JPEG\tn2\t0\n001.JPEG n1\n", "line 2 is not"),
        ("val/val_annotations.txt", b"000.JPEG\tn9\t0\n", "line 1 is not .* with a class of wnids"),
        ("val/val_annotations.txt", b"009.JPEG\tn1\t0\n", r"line 1: '009\.JPEG' is not in .*val/images"),
        ("val/val_annotations.txt", b"000.JPEG\tn1\n000.JPEG\tn2\n", r"line 2: .* or listed twice"),
    ],
)
def test_tinyimagenet_that_is_damaged(tiny, file, content, message):
    (tiny / file).unlink()
    if content is not None:
        (tiny / file).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(config(tiny, "tinyimagenet"), 0)


def test_events(make_events):
    folder = make_events({"train/a": 3, "train/b": 3, "test/b": 1})
    data = load(config(folder, "events"), 0)
    assert data.shape == (2, 4, 5)
    assert data.timesteps == 3
    assert not data.static
    assert data.classes == ("a", "b")
    fetched = data.train.fetch([1, 0])
    assert fetched.dtype == np.float32
    with np.load(data.train.items[1]) as archive:
        np.testing.assert_array_equal(fetched[0], archive["arr_0"])
    np.testing.assert_array_equal(data.train.load().fetch([1, 0]), fetched)
    assert data.test.labels.tolist() == [1]


def test_events_without_a_test_set_and_with_a_named_array(make_events):
    folder = make_events({"a": 3, "b": 3})
    rng = np.random.default_rng(1)
    for path in sorted(folder.glob("*/*")):
        frames = rng.integers(0, 2, (3, 2, 4, 5)).astype(bool)
        np.savez_compressed(path, labels=np.arange(3), frames=frames)
    data = load(config(folder, "events"), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 2, 2)
    with np.load(data.train.items[0]) as archive:
        np.testing.assert_array_equal(data.train.fetch([0])[0], archive["frames"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 2, 4, 4))}, r"shape \(3, 2, 4, 4\), but those of the first file \(3, 2, 4, 5\)"),
        ({"x": np.zeros((2, 4, 5))}, r"float64 of shape \(2, 4, 5\); expected numbers \[T, C, H, W\]"),
        ({"x": np.zeros((0, 2, 4, 5))}, r"expected numbers"),
        ({"x": np.full((3, 2, 4, 5), "a")}, r"<U1 of shape"),
        ({"x": np.full((3, 2, 4, 5), np.nan)}, "not finite"),
        ({"x": np.full((3, 2, 4, 5), -1)}, "values below 0; give events of each polarity a channel of their own"),
        ({"x": np.array([None])}, r"cannot be decoded as event frames \(Object arrays cannot be loaded"),
        (
            {"x": np.zeros((3, 2, 4, 5)), "y": np.zeros(1)},
            "holds 2 arrays; expected one, or one called 'frames'",
        ),
        ({}, "holds 0 arrays"),
        (b"not an archive", r"cannot be decoded as event frames \(File is not a zip file\)"),
    ],
)
def test_event_files_that_do_not_fit(make_events, arrays, message):
    folder = make_events({"train/a": 3, "train/b": 3, "test/a": 1})
    path = folder / "test/a/000.npz"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    else:
        np.savez(path, **arrays)
    data = load(config(folder, "events"), 0)
    with pytest.raises(DataError, match=rf"^{path}: .*{message}"):
        data.test.load()


def test_events_are_not_resized(make_events):
    name = f"events:{make_events({'a': 3, 'b': 3}, shape=(2, 1, 4, 4))}"
    assert load(DataConfig(name=name), 0).shape == (1, 4, 4)
    for setting in ({"image_size": 5}, {"channels": 3}):
        with pytest.raises(DataError, match=r"\[2, 1, 4, 4\] are not converted; leave data\.image_size"):
            load(DataConfig(name=name, **setting), 0)


def test_event_class_without_files(make_events):
    with pytest.raises(DataError, match=r"one class only, 'a'.*folders without event files, not used: 1"):
        load(config(make_events({"a": 3, "b": 0}), "events"), 0)


@pytest.mark.data
@pytest.mark.slow
def test_cifar10_as_a_folder(unpack):
    data = load(config(unpack("cifar10.tar.xz")), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (45000, 5000, 10000)
    assert data.shape == (3, 32, 32)
    assert np.bincount(data.train.labels).tolist() == [4500] * 10
    assert data.train.load().items.shape == (45000, 3, 32, 32)


@pytest.mark.data
@pytest.mark.slow
def test_cifar100_as_a_folder(unpack):
    data = load(config(unpack("cifar100-subset.tar.xz")), 0)
    assert len(data.classes) == 100
    two_are_there_twice = 8998
    assert (len(data.train), len(data.validation), len(data.test.load())) == (two_are_there_twice, 1000, 2000)


@pytest.mark.data
@pytest.mark.slow
def test_tinyimagenet_as_distributed(unpack, caplog):
    folder = unpack("tiny-imagenet-200-subset.tar.xz")
    with caplog.at_level("INFO", "spikenas"):
        data = load(config(folder, "tinyimagenet"), 0)
        assert (len(data.train.load()), len(data.validation), len(data.test.load())) == (9000, 1000, 2000)
    assert len(data.classes) == len(set(data.classes)) == 200
    assert data.classes[0] == "Egyptian cat"
    assert data.shape == (3, 32, 32)
    assert not [message for message in caplog.messages if "left out" in message and "boxes" not in message]
