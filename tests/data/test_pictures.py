import numpy as np
import pytest
from PIL import Image

from spikenas.data.pictures import LARGEST_SIDE, cut, strip


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_is_cut_into_what_it_is_made_of(channels: int) -> None:
    items = np.random.default_rng(0).integers(0, 256, (5, channels, 6, 4), dtype=np.uint8)
    pictures = cut(strip(items), 5)
    assert len(pictures) == 5
    for item, picture in zip(items, pictures, strict=True):
        assert (np.asarray(picture).transpose(2, 0, 1) == np.broadcast_to(item, (3, 6, 4))).all()


def test_events_are_summed_over_time_in_red_and_blue() -> None:
    frames = np.zeros((1, 3, 2, 4, 4), dtype=np.float32)
    frames[0, :, 0, 1, 2] = 1
    frames[0, 0, 1, 3, 3] = 1
    (picture,) = cut(strip(frames), 1)
    pixels = np.asarray(picture)
    assert pixels[1, 2].tolist() == [255, 0, 0]
    assert pixels[3, 3].tolist() == [0, 0, 85]


def test_large_ones_are_made_smaller() -> None:
    picture = strip(np.zeros((2, 3, 300, 200), dtype=np.uint8))
    assert picture.size == (2 * (200 * LARGEST_SIDE // 300), LARGEST_SIDE)
    assert isinstance(picture, Image.Image)
