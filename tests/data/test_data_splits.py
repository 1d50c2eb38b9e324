from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from spikenas.data import BrokenFilesError, Split
from spikenas.task import Task
from support import load

TWELVE = {"cat": 12, "dog": 12, "emu": 12}


def names(split: Split) -> list[str]:
    return ["/".join(Path(item).parts[-2:]) for item in split.items]


def test_three_splits_are_disjoint_complete_and_stratified(make_folder):
    data = load(DataConfig(name=str(make_folder(TWELVE)), validation_share=0.2, test_share=0.25), 0)
    parts = [data.train, data.validation, data.test]
    assert [np.bincount(part.labels).tolist() for part in parts] == [[7] * 3, [2] * 3, [3] * 3]
    everything = [name for part in parts for name in names(part)]
    assert sorted(everything) == [f"{name}/{i:03}.png" for name in TWELVE for i in range(12)]
    for part in parts:
        assert names(part) == sorted(names(part))
        assert [data.classes[label] for label in part.labels] == [name.split("/")[0] for name in names(part)]
        assert part.labels.dtype == np.int64


def test_split_depends_on_the_seed_alone(make_folder):
    config = DataConfig(name=str(make_folder(TWELVE)))
    first, again, other = (load(config, seed) for seed in (1, 1, 2))
    for part in ("train", "validation", "test"):
        assert names(getattr(first, part)) == names(getattr(again, part))
    assert names(first.test) != names(other.test)
    assert names(first.validation) != names(other.validation)


def test_given_test_set_is_kept_whole(make_folder):
    folder = make_folder({"train/cat": 4, "train/dog": 4, "train/emu": 4, "test/emu": 2, "test/cat": 1})
    data = load(DataConfig(name=str(folder)), 3)
    assert data.test.labels.tolist() == [0, 2, 2]
    assert (len(data.train), len(data.validation)) == (9, 3)


@given(
    counts=st.lists(st.integers(3, 30), min_size=2, max_size=5),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
    keep=st.integers(1, 2),
)
def test_divide_keeps_and_holds_out_of_each_class(counts, share, seed, keep):
    labels = np.repeat(np.arange(len(counts)), counts)
    split = Split(labels, np.arange(len(labels)))
    rest, held_out = split.divide(share, (seed, 0), keep)
    assert sorted([*rest.items, *held_out.items]) == split.items.tolist()
    for kept, out, count in zip(np.bincount(rest.labels), np.bincount(held_out.labels), counts, strict=True):
        assert kept >= keep
        assert out >= 1
        assert kept == keep or out == 1 or abs(out - share * count) <= 0.5


def test_fetch_and_load_agree_in_any_order(make_folder):
    train = load(DataConfig(name=str(make_folder(TWELVE))), 0).train
    loaded = train.load()
    assert loaded.items.dtype == np.uint8
    assert loaded.items.shape == (len(train), 3, 4, 6)
    for indices in ([5, 0, 5], np.arange(len(train)), []):
        np.testing.assert_array_equal(train.fetch(indices), loaded.fetch(indices))
    assert train.fetch([]).shape == (0, 3, 4, 6)
    assert loaded.load() is loaded
    assert loaded.labels.tolist() == train.labels.tolist()


def test_fetch_returns_a_copy(make_folder):
    loaded = load(DataConfig(name=str(make_folder(TWELVE))), 0).train.load()
    before = loaded.items.copy()
    loaded.fetch([0, 1])[:] = 0
    np.testing.assert_array_equal(loaded.items, before)


def test_load_reports_progress(make_folder):
    train = load(DataConfig(name=str(make_folder({"a": 30, "b": 30}))), 0).train
    seen: list[tuple[int, int]] = []
    train.load(lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(train), len(train))


def test_broken_test_image_disturbs_evaluation_alone(make_folder):
    folder = make_folder({"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 2})
    (folder / "test/b/000.png").write_bytes(b"broken")
    data = load(DataConfig(name=str(folder)), 0)
    assert len(data.train.load()) == 4
    assert len(data.test.fetch([0, 2])) == 2
    with pytest.raises(DataError, match=r"test/b/000\.png: cannot be decoded as image"):
        data.test.fetch([1])
    with pytest.raises(DataError, match=r"test/b/000\.png"):
        data.test.load()


def test_skip_broken_leaves_files_out_and_says_so_once(make_folder, caplog):
    folder = make_folder({"train/a": 6, "train/b": 6, "test/a": 2, "test/b": 2})
    broken = ("train/a/000.png", "train/b/005.png", "test/b/001.png")
    for name in broken:
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    with pytest.raises(DataError, match=r"a/000\.png.* and 1 more files; .*with --skip-broken"):
        Task(folder)
    with caplog.at_level("INFO", "spikenas"):
        task = Task(folder, settings={"data.skip_broken": True})
        assert len(task.train.load()) + len(task.validation.load()) == 10
        assert len(task.test.load()) == 3
    said = [message for message in caplog.messages if "broken" in message]
    assert said == [f"broken files left out: 3, the first is {folder}/train/a/000.png"]
    assert sorted(task.manifest().names("left out")) == sorted(broken)


def test_skip_broken_needs_a_readable_image_of_each_class(make_folder):
    folder = make_folder({"a": 3, "b": 3})
    for number, path in enumerate(folder.glob("b/*")):
        path.write_bytes(b"%d" % number)
    with pytest.raises(DataError, match=r"class 'b' has no images that can be read"):
        load(DataConfig(name=str(folder), skip_broken=True), 0)
    for number, path in enumerate(folder.glob("a/*")):
        path.write_bytes(b"a %d" % number)
    with pytest.raises(DataError, match="every other training file"):
        load(DataConfig(name=str(folder), skip_broken=True), 0)


def test_many_broken_files_are_all_known(make_folder):
    folder = make_folder({"a": 30, "b": 30})
    task = Task(folder)
    for number, path in enumerate(sorted(folder.glob("a/*"))[:20]):
        path.write_bytes(b"%d" % number)
    with pytest.raises(BrokenFilesError, match="and 19 more files; replace them") as caught:
        task.check_files()
    assert len(caught.value.files) == 20


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 3, "b": 2}, r"class 'b' has 2 of the training images; at least 3 .* test and validation"),
        (
            {"train/a": 3, "train/b": 1, "test/b": 1},
            r"train: class 'b' has 1 .* at least 2 .* hold out validation",
        ),
        ({"a": 3, "b": 0}, r"one class only, 'a'; .*folders without images, not used: 1"),
        ({"a": 3}, r"one class only, 'a'; at least two"),
    ],
)
def test_too_few_images_or_classes(make_folder, counts, message):
    with pytest.raises(DataError, match=message):
        load(DataConfig(name=str(make_folder(counts))), 0)


def test_three_images_of_a_class_are_enough(make_folder):
    data = load(DataConfig(name=str(make_folder({"a": 3, "b": 3})), test_share=0.9, validation_share=0.9), 0)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar-10",
            r"did you mean 'cifar10'\?.*known: cifar10, cifar100, digits, events:FOLDER, idx:FOLDER",
        ),
        ("tinyimagnet:there", r"did you mean 'tinyimagenet'"),
        ("no/such/folder", r"^no/such/folder: no such folder"),
        ("idx", "expected idx:FOLDER"),
        ("events:", "expected events:FOLDER"),
        ("events:no/such", "no/such: no such folder; expected events:FOLDER"),
        ("tinyimagenet:no/such", "no/such: no such folder; expected tinyimagenet:FOLDER"),
        ("idx:.", r"train-images-idx3-ubyte: not there"),
    ],
)
def test_names_that_cannot_be_found(name, message):
    with pytest.raises(DataError, match=message) as caught:
        load(DataConfig(name=name), 0)
    assert "\n" not in str(caught.value)


def test_data_set_survives_pickling(make_folder):
    data = load(DataConfig(name=str(make_folder(TWELVE))), 0)
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again.train.fetch([0]), data.train.fetch([0]))
    assert names(again.test) == names(data.test)


def test_items_have_names() -> None:
    labels = np.array([0, 1, 1])
    files = np.array(["/data/a/1.png", "b/2.png", "b/caf\udce9.png"], dtype=object)
    assert [Split(labels, files).name_of(n) for n in range(3)] == ["/data/a/1.png", "b/2.png", "b/caf\\xe9.png"]
    assert Split(labels, np.zeros((3, 1, 2, 2), np.uint8)).name_of(2) == "item 2"
    assert Split(labels, files).select(labels == 1).name_of(0) == "b/2.png"
