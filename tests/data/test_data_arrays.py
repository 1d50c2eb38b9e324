from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from support import load


def test_digits():
    data = load(DataConfig(), 0)
    assert data.classes == tuple("0123456789")
    assert data.shape == (1, 8, 8)
    assert len(data.train) + len(data.validation) + len(data.test) == 1797
    pixels = data.train.load().items
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)
    originals = {image.tobytes() for image in np.rint(load_digits().images * 255 / 16).astype(np.uint8)}
    assert all(image.tobytes() in originals for image in pixels)


def test_arrays_are_converted_like_files(caplog):
    with caplog.at_level("INFO", "spikenas"):
        data = load(DataConfig(image_size=16, channels=3), 0)
        pixels = data.train.fetch([0, 1])
        data.validation.fetch([0])
    assert pixels.shape == (2, 3, 16, 16)
    assert caplog.messages == []


def write_idx(path: Path, array: np.ndarray, magic: int | None = None) -> None:
    code = 0x0800 + array.ndim if magic is None else magic
    header = b"".join(number.to_bytes(4, "big") for number in (code, *array.shape))
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_pair(folder: Path, part: str, labels: list[int], suffix: str = "") -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 3, 4))
    write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", pixels)
    write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", np.array(labels))
    return pixels


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(tmp_path, suffix):
    write_pair(tmp_path, "train", [7, 2, 7, 2, 7, 2], suffix)
    pixels = write_pair(tmp_path, "t10k", [2, 7, 7], suffix)
    data = load(DataConfig(name=f"idx:{tmp_path}"), 0)
    assert data.classes == ("2", "7")
    assert data.shape == (1, 3, 4)
    assert (len(data.train), len(data.validation)) == (4, 2)
    assert data.test.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(data.test.fetch([0, 1, 2])[:, 0], pixels)


def test_idx_without_a_test_set(tmp_path):
    write_pair(tmp_path, "train", [0, 1] * 5)
    data = load(DataConfig(name=f"idx:{tmp_path}", test_share=0.4), 0)
    assert np.bincount(data.test.labels).tolist() == [2, 2]


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (IMAGES, lambda raw: raw[:-1], rf"{IMAGES}: the header announces \(6, 3, 4\), but 71 bytes follow"),
        (IMAGES, lambda raw: raw + b"0", "but 73 bytes follow"),
        (IMAGES, lambda raw: raw[:10], "not an IDX file"),
        (IMAGES, lambda raw: b"", "magic 0x00000000, expected 0x00000803"),
        (
            LABELS,
            lambda raw: b"\0\0\x08\x03" + raw[4:],
            rf"{LABELS}: .*magic 0x00000803, expected 0x00000801",
        ),
        (LABELS, lambda raw: b"\0\0\x08\x01\0\0\0\x05" + raw[8:-1], "6 train images but 5 train labels"),
        (LABELS, None, rf"{LABELS}: not there, nor compressed as {LABELS}\.gz"),
    ],
)
def test_idx_that_is_damaged(tmp_path, file, damage, message):
    write_pair(tmp_path, "train", [0, 1] * 3)
    raw = (tmp_path / file).read_bytes()
    (tmp_path / file).unlink()
    if damage is not None:
        (tmp_path / file).write_bytes(damage(raw))
    with pytest.raises(DataError, match=message):
        load(DataConfig(name=f"idx:{tmp_path}"), 0)


def test_idx_archive_that_is_damaged(tmp_path):
    write_pair(tmp_path, "train", [0, 1] * 3, ".gz")
    path = tmp_path / f"{IMAGES}.gz"
    for content in (path.read_bytes()[:-9], b"not compressed"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{IMAGES}\.gz: cannot be read as a \.gz file; it is truncated"):
            load(DataConfig(name=f"idx:{tmp_path}"), 0)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz: not a regular file$"):
        load(DataConfig(name=f"idx:{tmp_path}"), 0)


def test_idx_test_set_with_an_unknown_label_or_half_of_it(tmp_path):
    write_pair(tmp_path, "train", [0, 1] * 3)
    write_pair(tmp_path, "t10k", [0, 2])
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: label 2 is not among"):
        load(DataConfig(name=f"idx:{tmp_path}"), 0)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: not there"):
        load(DataConfig(name=f"idx:{tmp_path}"), 0)


def test_cifar_without_files(tmp_path):
    pytest.importorskip("torchvision")
    with pytest.raises(DataError, match=rf"^{tmp_path}: no cifar10, or not all of it; --download fetches it$"):
        load(DataConfig(name="cifar10", root=str(tmp_path)), 0)


@pytest.fixture
def fake_cifar(monkeypatch):
    """Stand-in for torchvision's CIFAR100 that has the files after a download, or fails to fetch them."""
    datasets = pytest.importorskip("torchvision.datasets")
    state = SimpleNamespace(present=False, failure=None)

    def make(root, train, download=False):
        if download and state.failure:
            raise state.failure
        state.present |= download
        if not state.present:
            raise RuntimeError("Dataset not found")
        pixels = np.arange(8 * 32 * 32 * 3).reshape(8, 32, 32, 3).astype(np.uint8)
        return SimpleNamespace(data=pixels, targets=[0, 1] * 4, classes=["apple", "bear"])

    monkeypatch.setattr(datasets, "CIFAR100", make)
    return state


def test_cifar_is_downloaded_when_asked(fake_cifar, tmp_path):
    data = load(DataConfig(name="cifar100", root=str(tmp_path), download=True), 0)
    assert data.classes == ("apple", "bear")
    assert data.shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 8)
    assert data.test.fetch([0])[0, :, 0, 1].tolist() == [3, 4, 5]


def test_cifar_download_that_fails(fake_cifar, tmp_path):
    fake_cifar.failure = OSError("no network\nat all")
    with pytest.raises(DataError, match=r"cifar100 cannot be downloaded \(no network\)$"):
        load(DataConfig(name="cifar100", root=str(tmp_path), download=True), 0)
