from __future__ import annotations

import numpy as np
import pytest

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from spikenas.data import DataSet, Split, channel_statistics, load, load_statistics, save_statistics


def data_set(items: np.ndarray, timesteps: int | None = None) -> DataSet:
    split = Split(np.zeros(len(items), np.int64), items)
    return DataSet("made", ("a", "b"), items.shape[-3:], timesteps, split, split, lambda: split)


def test_statistics_of_images_agree_with_numpy():
    pixels = np.random.default_rng(0).integers(0, 256, (150, 3, 5, 4), dtype=np.uint8)
    mean, std = channel_statistics(data_set(pixels), 0)
    np.testing.assert_allclose(mean, (pixels / 255).mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(std, (pixels / 255).std(axis=(0, 2, 3)))


def test_statistics_of_events_are_in_their_own_scale():
    frames = np.random.default_rng(0).exponential(5, (20, 3, 2, 4, 4)).astype(np.float32)
    mean, std = channel_statistics(data_set(frames, timesteps=3), 0)
    np.testing.assert_allclose(mean, frames.mean(axis=(0, 1, 3, 4)), rtol=1e-5)
    np.testing.assert_allclose(std, frames.std(axis=(0, 1, 3, 4)), rtol=1e-5)


@pytest.mark.parametrize("value", [0, 37, 255])
def test_constant_channel_has_std_one(value):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 2, 5, 4), dtype=np.uint8)
    pixels[:, 1] = value
    mean, std = channel_statistics(data_set(pixels), 0)
    assert mean[1] == pytest.approx(value / 255)
    assert std[1] == 1
    assert 0 < std[0] < 1


def test_choice_is_seeded_and_limited():
    pixels = np.random.default_rng(0).integers(0, 256, (300, 1, 2, 2), dtype=np.uint8)
    first, again, other = (channel_statistics(data_set(pixels), seed, samples=10) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_statistics_read_the_training_split_alone(make_folder):
    folder = make_folder({"train/a": 4, "train/b": 4, "test/a": 2})
    for path in folder.glob("test/a/*"):
        path.write_bytes(b"broken")
    data = load(DataConfig(name=str(folder)), 0)
    for path in data.validation.items:
        open(path, "wb").close()
    assert len(channel_statistics(data, 0).mean) == 3


def test_statistics_survive_the_file(tmp_path):
    statistics = channel_statistics(load(DataConfig(), 0), 0)
    save_statistics(statistics, tmp_path / "statistics.json")
    assert load_statistics(tmp_path / "statistics.json") == statistics
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.json"]


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", "\xff", '{"mean": [0.5]}', '{"mean": 1, "std": 1}', '{"mean": ["x"], "std": [1]}'),
        *('{"mean": [1, 2], "std": [1]}', '{"mean": [0], "std": [0]}', '{"mean": [NaN], "std": [1]}'),
    ],
)
def test_statistics_that_are_damaged(tmp_path, content):
    path = tmp_path / "statistics.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=r"statistics\.json: "):
        load_statistics(path)


def test_statistics_that_are_missing(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        load_statistics(tmp_path / "none.json")
