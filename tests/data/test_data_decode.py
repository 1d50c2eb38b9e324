from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from spikenas._util.errors import DataError
from spikenas.config import DataConfig
from spikenas.data.decode import ImageDecoder, SmallImages, image_header
from spikenas.task import Task
from support import load

RED, TRANSPARENT_RED, WHITE = (255, 0, 0), (255, 0, 0, 0), (255, 255, 255)
SIXTEEN_BITS = (0.0, 65535.0)


@pytest.mark.parametrize("first", ["grey", "coloured"])
def test_colour_is_that_of_all_images_not_of_the_first(make_folder, first):
    folder = make_folder({"a" if first == "grey" else "b": 3}, size=(9, 9), mode="L")
    make_folder({"b" if first == "grey" else "a": 3}, size=(9, 9))
    data = load(DataConfig(name=str(folder)), 0)
    assert data.shape == (3, 9, 9)
    assert data.static
    assert data.timesteps is None
    assert data.train.fetch([0, 1]).shape == (2, 3, 9, 9)


def test_images_that_are_grey_in_colour_files_are_grey(make_folder):
    folder = make_folder({"a": 3, "b": 3}, mode="L")
    for path in folder.glob("*/*"):
        Image.open(path).convert("RGB").save(path)
    assert load(DataConfig(name=str(folder)), 0).shape[0] == 1


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
        ("LA", (200, 51), "png", (244, 244, 244), 244),
        ("P", RED, "gif", RED, 76),
        ("RGB", RED, "bmp", RED, 76),
        ("RGBA", TRANSPARENT_RED, "webp", WHITE, 255),
        ("RGBA", (*RED, 255), "png", RED, 76),
        ("CMYK", (0, 255, 255, 0), "tif", RED, 76),
        ("I;16", 200 * 257, "png", (200, 200, 200), 200),
        ("I", 200 * 257, "tif", (200, 200, 200), 200),
    ],
)
def test_modes(tmp_path, mode, colour, suffix, rgb, grey):
    path = str(tmp_path / f"image.{suffix}")
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    Image.new(mode, (3, 2), colour).save(path, **options)
    colours = ImageDecoder((3, 2, 3), value_range=SIXTEEN_BITS)(path)
    assert colours.dtype == np.uint8
    np.testing.assert_array_equal(colours, np.broadcast_to(np.array(rgb)[:, None, None], (3, 2, 3)))
    np.testing.assert_array_equal(ImageDecoder((1, 2, 3), value_range=SIXTEEN_BITS)(path), np.full((1, 2, 3), grey))


def test_palette_with_transparency_is_laid_on_white(tmp_path):
    path = tmp_path / "image.png"
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(path, transparency=b"\x00\x80")
    np.testing.assert_array_equal(ImageDecoder((3, 2, 2))(str(path))[:, 0, 0], (255, 127, 127))


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = RED
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path, exif=exif)
    assert image_header(str(path)) == ((2, 3), "RGB")
    np.testing.assert_array_equal(ImageDecoder((3, 3, 2))(str(path)), np.rot90(pixels, -1).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("mode", "largest", "value_range"),
    [
        ("I;16", 255, (0, 255)),
        ("I;16", 4000, (0, 4095)),
        ("I;16", 60000, (0, 65535)),
        ("I", 100_000, (0, 100_000)),
        ("F", 0.9, (0, 1)),
        ("F", 200.5, (0, 255)),
        ("F", 1e4, (0, 1e4)),
    ],
)
def test_pixels_of_more_than_8_bits_are_scaled_by_the_range_seen(make_folder, mode, largest, value_range):
    folder = make_folder({"a": 3, "b": 3})
    ramp = np.linspace(0, largest, 64).reshape(8, 8)
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    for n, path in enumerate(sorted(folder.glob("*/*.png"))):
        path.unlink()
        Image.fromarray(np.roll(ramp, n).astype(kind)).save(path.with_suffix(".tif"))
    task = Task(folder)
    assert task.config.data.value_range == (value_range and pytest.approx(value_range, rel=0.01))
    pixels = task.train.fetch([0])
    assert pixels.max() >= 127
    assert pixels.min() == 0
    assert len(np.unique(pixels)) > 32


def test_float_pixels_without_a_range_are_refused(tmp_path):
    path = tmp_path / "image.tif"
    Image.new("F", (3, 2), 5).save(path)
    with pytest.raises(DataError, match=r"image\.tif: .*data\.value_range is not known; set it"):
        ImageDecoder((1, 2, 3))(str(path))


@pytest.mark.parametrize(("fit", "left", "middle"), [("stretch", 255, 0), ("crop", 0, 0), ("pad", 255, 0)])
def test_fit_changes_the_ratio_or_cuts_or_adds_bars(fit, left, middle):
    wide = Image.fromarray(np.repeat(np.array([[255] * 8 + [0] * 16 + [255] * 8], np.uint8), 8, axis=0))
    pixels = ImageDecoder((1, 8, 8), fit)(wide)[0]
    assert (pixels[4, 0], pixels[4, 4]) == (left, middle)
    assert (pixels[0, 4] == 128) == (fit == "pad")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(DataError, match=r"large\.png: too large; an item has at most 64 million"):
        ImageDecoder((1, 8, 8))(str(path))


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
    with pytest.raises(DataError, match=r"gone\.png: cannot be read \(No such file or directory\)$"):
        ImageDecoder((3, 2, 2))(str(tmp_path / "gone.png"))


@pytest.mark.parametrize("error", [IndexError("list index out of range"), struct.error("unpack requires"), KeyError(3)])
def test_what_a_codec_stumbles_over_is_not_shown(tmp_path, monkeypatch, error):
    def stumble(_):
        raise error

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Image, "open", stumble)
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded as image \(damaged\)$"):
        ImageDecoder((3, 2, 2))(str(tmp_path / "a.png"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_a_small_file_is_read_once_and_gives_the_same_pixels(tmp_path, mode):
    path, large = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    noise = np.random.default_rng(0).integers(0, 255, (70, 66, 4), dtype=np.uint8)
    Image.fromarray(noise[:20, :24]).convert(mode).save(path)
    Image.fromarray(noise).convert(mode).save(large)
    small = SmallImages()
    for shape, fit in [((3, 20, 24), "stretch"), ((1, 8, 8), "pad"), ((3, 9, 11), "crop"), ((3, 8, 8), "stretch")]:
        for file in (path, large):
            own = ImageDecoder(shape, fit, small=small)(file)
            np.testing.assert_array_equal(own, ImageDecoder(shape, fit)(file))
    Image.new("L", (2, 2)).save(path)
    read_again = (ImageDecoder((1, 4, 4), small=small)(path) == 0).all()
    assert read_again == (mode not in ("L", "RGB"))
