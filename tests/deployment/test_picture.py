"""Pictures in C: the bytes that Python makes of them, for all sizes, colours and fits."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from spikenas.config import Fit
from spikenas.data.decode import ImageDecoder
from spikenas.deployment.toolchain import FIRMWARE

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")

FITS: tuple[Fit, ...] = ("stretch", "crop", "pad")
STRICT = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


class Frame(ctypes.Structure):
    _fields_ = [
        ("height", ctypes.c_uint16),
        ("width", ctypes.c_uint16),
        ("channels", ctypes.c_uint8),
        ("fit", ctypes.c_uint8),
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("picture") / "picture.so"
    flags = (*STRICT, "-fsanitize=undefined,bounds", "-fno-sanitize-recover", "-static-libubsan")
    subprocess.run(["gcc", *flags, "-shared", "-fPIC", str(FIRMWARE / "picture.c"), "-o", path], check=True)
    return ctypes.CDLL(str(path))


def in_c(library: ctypes.CDLL, pixels: NDArray[np.uint8], shape: tuple[int, int, int], fit: Fit) -> NDArray[np.uint8]:
    """The input [C, H, W] of a picture [H, W, C]."""
    channels, height, width = shape
    found = np.zeros((height, width, channels), np.uint8)
    given_ = np.ascontiguousarray(pixels)
    pointers = (one.ctypes.data_as(ctypes.c_void_p) for one in (given_, found))
    first, second = pointers
    frame = Frame(height, width, channels, FITS.index(fit))
    rows, columns, colours = pixels.shape
    assert library.snn_fit_picture(ctypes.byref(frame), first, columns, rows, colours, second) == 0
    return found.transpose(2, 0, 1)


def in_python(pixels: NDArray[np.uint8], shape: tuple[int, int, int], fit: Fit) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    return ImageDecoder(shape, fit)(image)


def picture(rows: int, columns: int, colours: int, seed: int) -> NDArray[np.uint8]:
    """Noise, or smooth with edges, which round otherwise."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return rng.integers(0, 256, (rows, columns, colours), dtype=np.uint8)
    steps = np.add.outer(np.arange(rows) * rng.integers(0, 9), np.arange(columns) * rng.integers(0, 9))
    return ((steps[:, :, None] + np.arange(colours) * 50) % 256).astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 3]), st.sampled_from([1, 3]),
    st.integers(5, 60), st.integers(5, 60), st.sampled_from(FITS), st.integers(0, 99),
)  # fmt: skip
@example(480, 640, 3, 3, 32, 32, "stretch", 1)
@example(7, 9, 1, 3, 33, 32, "crop", 1)
@example(32, 32, 3, 3, 32, 32, "pad", 1)
@example(8, 3, 3, 1, 8, 8, "pad", 1)
def test_any_picture(
    library: ctypes.CDLL, rows: int, columns: int, colours: int, channels: int, height: int, width: int, fit: Fit,
    seed: int,
) -> None:  # fmt: skip
    pixels, shape = picture(rows, columns, colours, seed), (channels, height, width)
    np.testing.assert_array_equal(in_c(library, pixels, shape, fit), in_python(pixels, shape, fit))


@pytest.mark.slow
def test_a_thousand_pictures_from_9x7_to_640x480(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    for number in range(1000):
        rows, columns = int(rng.integers(7, 481)), int(rng.integers(9, 641))
        pixels = picture(rows, columns, int(rng.choice([1, 3])), number)
        shape = (int(rng.choice([1, 3])), int(rng.integers(12, 65)), int(rng.integers(12, 97)))
        fit = FITS[number % 3]
        assert np.array_equal(in_c(library, pixels, shape, fit), in_python(pixels, shape, fit)), (
            pixels.shape,
            shape,
            fit,
        )


@pytest.mark.parametrize(
    ("width", "height", "fit", "fits"),
    [
        *((32 * 128, 32 * 128, fit, True) for fit in FITS),
        *((32 * 128 + 1, 9, fit, False) for fit in ("stretch", "pad")),
        (9, 32 * 128, "stretch", True),
        (32 * 128, 446, "pad", False),  # 3 rows are left, of 446
        (32 * 128, 512, "pad", True),
        (32 * 128 + 1, 32 * 128 + 1, "crop", False),
    ],
)
def test_the_largest(tmp_path: Path, width: int, height: int, fit: Fit, fits: bool) -> None:
    """What is as large as the tables allow, under a sanitizer that sees every step beyond them."""
    (tmp_path / "main.c").write_text(
        '#include "picture.h"\n'
        f"static uint8_t pixels[{width * height}], input[32 * 32];\n"
        f"int main(void) {{ snn_frame_t frame = {{32, 32, 1, {FITS.index(fit)}}};\n"
        f"return snn_fit_picture(&frame, pixels, {width}, {height}, 1, input) == 0; }}\n"
    )
    flags = ("-g", "-O1", "-fsanitize=address,undefined", f"-I{FIRMWARE}")
    subprocess.run(["gcc", *flags, "main.c", str(FIRMWARE / "picture.c"), "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run(["./main"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", int(fits))


@pytest.mark.parametrize(("width", "height", "channels"), [(8 * 128 + 1, 8, 3), (8, 8, 4), (0, 8, 1), (8, 0, 1)])
def test_a_picture_that_cannot_be_one_is_refused(library: ctypes.CDLL, width: int, height: int, channels: int) -> None:
    frame, target = Frame(8, 8, 1, 0), ctypes.create_string_buffer(64)
    pixels = ctypes.create_string_buffer(max(1, width * height * channels))
    assert library.snn_fit_picture(ctypes.byref(frame), pixels, width, height, channels, target) == -1
