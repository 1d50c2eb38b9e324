from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from spikenas.data.decode import ImageDecoder
from support import load

RED, TRANSPARENT_RED = (255, 0, 0), (255, 0, 0, 0)


def test_first_image_gives_size_and_channels(make_folder, caplog):
    folder = make_folder({"a": 3}, size=(6, 4), mode="L")
    make_folder({"b": 3}, size=(9, 9))
    with caplog.at_level("INFO", "spikenas"):
        data = load(DataConfig(name=str(folder)), 0)
        assert data.shape == (1, 4, 6)
        assert data.static
        assert data.timesteps is None
        assert data.train.fetch([0, 1]).shape == (2, 1, 4, 6)
        data.train.load()
        data.test.load()
    assert caplog.messages == ["images are converted to 6x4, grey"]


def test_nothing_is_said_where_nothing_is_converted(make_folder, caplog):
    with caplog.at_level("INFO", "spikenas"):
        load(DataConfig(name=str(make_folder({"a": 3, "b": 3}))), 0).train.load()
    assert not caplog.messages


def test_configured_shape_wins(make_folder):
    folder = make_folder({"a": 3, "b": 3}, mode="L")
    data = load(DataConfig(name=str(folder), image_size=5, channels=3), 0)
    assert data.shape == (3, 5, 5)
    pixels = data.train.load().items
    assert pixels.shape == (2, 3, 5, 5)
    np.testing.assert_array_equal(pixels[:, 0], pixels[:, 2])


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "rgb", "grey"),
    [
        ("1", 1, "png", (255, 255, 255), 255),
        ("L", 200, "png", (200, 200, 200), 200),
        ("LA", (200, 10), "png", (200, 200, 200), 200),
        ("P", RED, "gif", RED, 76),
        ("RGB", RED, "bmp", RED, 76),
        ("RGBA", TRANSPARENT_RED, "webp", RED, 76),
        ("CMYK", (0, 255, 255, 0), "tif", RED, 76),
        ("I;16", 200 * 256 + 17, "png", (200, 200, 200), 200),
        ("I", 200 * 256 + 17, "tif", (200, 200, 200), 200),
    ],
)
def test_modes(tmp_path, mode, colour, suffix, rgb, grey):
    path = str(tmp_path / f"image.{suffix}")
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    Image.new(mode, (3, 2), colour).save(path, **options)
    colours = ImageDecoder((3, 2, 3))(path)
    assert colours.dtype == np.uint8
    np.testing.assert_array_equal(colours, np.broadcast_to(np.array(rgb)[:, None, None], (3, 2, 3)))
    np.testing.assert_array_equal(ImageDecoder((1, 2, 3))(path), np.full((1, 2, 3), grey))


def test_palette_with_transparency(tmp_path):
    path = tmp_path / "image.png"
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(path, transparency=b"\x00\x80")
    np.testing.assert_array_equal(ImageDecoder((3, 2, 2))(str(path))[:, 0, 0], RED)


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = RED
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path, exif=exif)
    decoder = ImageDecoder.fit([str(path)], DataConfig())
    assert decoder.shape == (3, 3, 2)
    np.testing.assert_array_equal(decoder(str(path)), np.rot90(pixels, -1).transpose(2, 0, 1))


def test_sixteen_bit_images_are_grey(tmp_path):
    path = tmp_path / "image.png"
    Image.new("I;16", (3, 2), 9).save(path)
    assert ImageDecoder.fit([str(path)], DataConfig()).shape == (1, 2, 3)


def test_float_pixels_are_refused(tmp_path):
    path = tmp_path / "image.tif"
    Image.new("F", (3, 2), 0.5).save(path)
    with pytest.raises(DataError, match=r"image\.tif: .*no known range; save it with 8 or 16 bits"):
        ImageDecoder((1, 2, 3))(str(path))


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp", "tif"])
@pytest.mark.parametrize("share", [0, 0.1, 0.6])
def test_truncated_files_are_named(tmp_path, suffix, share):
    path = tmp_path / f"image.{suffix}"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=rf"^{path}: cannot be decoded as image \(.+\)$") as caught:
        ImageDecoder((3, 20, 20))(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png: cannot be decoded as image \(No such file or directory\)$"):
        ImageDecoder((3, 2, 2))(str(tmp_path / "gone.png"))


@pytest.mark.parametrize("error", [IndexError("list index out of range"), struct.error("unpack requires"), KeyError(3)])
def test_what_a_codec_stumbles_over_is_not_shown(tmp_path, monkeypatch, error):
    def stumble(_):
        raise error

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Image, "open", stumble)
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded as image \(damaged\)$"):
        ImageDecoder((3, 2, 2))(str(tmp_path / "a.png"))
