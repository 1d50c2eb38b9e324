"""A folder of pictures as people have them: every kind and size, odd names, broken and double files, two classes.

`python tests/people_pictures.py FOLDER` draws 800; tests draw fewer, or in another layout. Discs are to be told from
stripes, whatever a picture's kind, size and colours, so that a small network learns it.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROUND, STRIPED = "it's round [1]", "größere Streifen"
SHARE = 620 / 800  # of the larger class
COUNT = 800

Size = tuple[int, int]  # width, height

_SIZES: tuple[Size, ...] = (
    *((24, 18), (32, 32), (40, 30), (48, 64), (64, 48), (72, 96)),
    *((96, 72), (100, 100), (120, 160), (160, 120), (200, 133)),
)
_LARGE: tuple[Size, ...] = ((640, 480), (480, 640), (640, 480), (1600, 1200), (640, 480), (4000, 3000))
_EVERY = 23  # so many pictures of other sizes before a large one, and none with the period of the kinds
_DRAWN_SIDE = 320  # a larger one is drawn with this longer side, and made larger
_SUBFOLDER, _PICTURES_OF_IT = "day2", 10
_ORIENTATION = 0x0112


@dataclass
class Drawn:
    """What was written.

    Attributes:
        folder: The data.
        counts: Pictures of each class that can be read, without hidden ones, over all splits.
        broken: Files with a picture's suffix that hold none.
        double: Groups of files with equal content.
        constant: Pictures of one colour.
        ignored: Files that are no pictures, and hidden ones.
    """

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)
    broken: list[Path] = field(default_factory=list)
    double: list[tuple[Path, Path]] = field(default_factory=list)
    constant: list[Path] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """A drawing: where its ink is, and how it looks in colour with noise.

    Attributes:
        mask: bool [H, W].
        colours: uint8 [H, W, 3].
    """

    mask: NDArray[np.bool_]
    colours: NDArray[np.uint8]

    @property
    def image(self) -> Image.Image:
        return Image.fromarray(self.colours)

    def greys(self, largest: float) -> NDArray[np.float64]:
        return np.asarray(self.image.convert("L"), dtype=np.float64) * (largest / 255)


def draw(striped: bool, size: Size, rng: np.random.Generator) -> Picture:
    """Draw discs or stripes in random colours that differ in brightness, with noise."""
    width, height = size
    y, x = (axis / min(size) for axis in np.mgrid[:height, :width])
    if striped:
        angle, period, phase = rng.uniform(0, np.pi), rng.uniform(0.2, 0.36), rng.uniform(0, 2 * np.pi)
        mask = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period) + phase) > 0
    else:
        mask = np.zeros((height, width), bool)
        for _ in range(rng.integers(1, 3)):
            centre_x, centre_y = rng.uniform(0.3, 0.7, 2) * (width, height) / min(size)
            mask |= np.hypot(x - centre_x, y - centre_y) < rng.uniform(0.18, 0.34)
    dark, bright = rng.uniform(0, 90, 3), rng.uniform(165, 255, 3)
    ink, ground = (dark, bright) if rng.random() < 0.5 else (bright, dark)
    noisy = np.where(mask[..., None], ink, ground) + rng.normal(0, 12, (height, width, 1))
    return Picture(mask, noisy.clip(0, 255).astype(np.uint8))


def _converted(mode: str, **options: object) -> Callable[[Picture, Path], None]:
    return lambda picture, path: picture.image.convert(mode).save(path, **options)


def _deep(largest: float, dtype: type[np.generic]) -> Callable[[Picture, Path], None]:
    return lambda picture, path: Image.fromarray(picture.greys(largest).astype(dtype)).save(path)


def _orientated(orientation: int) -> Callable[[Picture, Path], None]:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return lambda picture, path: picture.image.save(path, exif=exif, quality=90)


def _on_transparent_ground(mode: str) -> Callable[[Picture, Path], None]:
    """Black ink, so that what is left without its transparency is black everywhere."""

    def save(picture: Picture, path: Path) -> None:
        image = Image.new(mode, picture.image.size)
        image.putalpha(Image.fromarray(picture.mask))
        image.save(path)

    return save


def _palette_with_transparency(picture: Picture, path: Path) -> None:
    image = Image.fromarray(picture.mask.astype(np.uint8))
    image.putpalette([20, 40, 60] * 2)
    image.save(path, transparency=0)


def _animated(picture: Picture, path: Path) -> None:
    later = [Image.fromarray(np.roll(picture.colours, by, axis=1)) for by in (1, 2)]
    picture.image.save(path, save_all=True, append_images=later, duration=100, loop=0)


KINDS: Mapping[str, tuple[str, Callable[[Picture, Path], None]]] = {
    "grey": ("png", _converted("L")),
    "JPEG": ("jpg", _converted("RGB", quality=88)),
    "1-bit": ("png", _converted("1")),
    "palette": ("png", lambda picture, path: picture.image.quantize(32).save(path)),
    "palette with transparency": ("png", _palette_with_transparency),
    "RGB": ("png", _converted("RGB")),
    "JPEG of a camera": ("JPG", _converted("RGB", quality=75, subsampling=2)),
    "drawing on transparent ground": ("png", _on_transparent_ground("RGBA")),
    "grey with transparency": ("png", _on_transparent_ground("LA")),
    "16 bits, up to 255": ("png", _deep(255, np.uint16)),
    "16 bits, up to 4095": ("png", _deep(4095, np.uint16)),
    "16 bits": ("png", _deep(65535, np.uint16)),
    "grey JPEG": ("jpeg", _converted("L")),
    "32-bit integers": ("tif", _deep(100_000, np.int32)),
    "float": ("tiff", _deep(1, np.float32)),
    "CMYK": ("jpg", _converted("CMYK", quality=90)),
    "WebP": ("webp", _converted("RGB", quality=80)),
    "animated": ("gif", _animated),
    "BMP": ("bmp", _converted("RGB")),
    "LZW": ("tif", _converted("RGB", compression="tiff_lzw")),
    "PPM": ("ppm", _converted("RGB")),
    "PGM": ("pgm", _converted("L")),
    "progressive": ("jpg", _converted("RGB", progressive=True)),
    **{f"orientation {number}": ("jpg", _orientated(number)) for number in range(1, 9)},
}
_OF_LARGE = ("JPEG", "CMYK", "orientation 6")  # those that are written quickly


def draw_class(folder: Path, striped: bool, count: int, seed: int) -> list[Path]:
    """Write so many pictures into a folder and one within it; return their paths."""
    (folder / _SUBFOLDER).mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        rng = np.random.default_rng((seed, striped, number))
        round_, place = divmod(number, _EVERY)
        large = place == _EVERY - 1
        size = _LARGE[round_ % len(_LARGE)] if large else _SIZES[rng.integers(len(_SIZES))]
        kinds = _OF_LARGE if large else tuple(KINDS)
        suffix, save = KINDS[kinds[(round_ if large else number) % len(kinds)]]
        path = folder / (_SUBFOLDER if number % _PICTURES_OF_IT == 1 else "") / f"IMG_{number:04}.{suffix}"
        save(_draw_of_size(striped, size, rng), path)
        paths.append(path)
    return paths


def _draw_of_size(striped: bool, size: Size, rng: np.random.Generator) -> Picture:
    factor = max(1.0, max(size) / _DRAWN_SIDE)
    picture = draw(striped, (round(size[0] / factor), round(size[1] / factor)), rng)
    if factor == 1:
        return picture
    mask = np.asarray(Image.fromarray(picture.mask).resize(size, Image.Resampling.NEAREST))
    return Picture(mask, np.asarray(picture.image.resize(size, Image.Resampling.BILINEAR)))


def write_split(folder: Path, count: int, seed: int = 0) -> dict[str, list[Path]]:
    """Write the two classes of a folder, with unequal shares; return the paths of their pictures."""
    larger = round(count * SHARE)
    return {
        ROUND: draw_class(folder / ROUND, False, larger, seed),
        STRIPED: draw_class(folder / STRIPED, True, count - larger, seed),
    }


def write_classes(folder: Path, count: int = COUNT, seed: int = 0) -> Drawn:
    """Write CLASS/*, with all that is odd; at least 40 pictures."""
    drawn = Drawn(folder)
    written = write_split(folder, count, seed)
    drawn.counts = {name: len(paths) for name, paths in written.items()}
    _add_odd_names(written[ROUND])
    _add_double(drawn, written, seed + 1)
    _add_constant(drawn, written)
    _add_broken(drawn, written)
    _add_others(drawn)
    return drawn


def write_train_and_valid(folder: Path, count: int = COUNT, seed: int = 0) -> Drawn:
    """Write Train/CLASS/* and Valid/CLASS/*; one picture of Valid is in Train too."""
    return _write_splits(folder, {"Train": count - count // 5, "Valid": count // 5}, seed)


def write_train_val_test(folder: Path, count: int = COUNT, seed: int = 0) -> Drawn:
    """Write train/CLASS/*, val/CLASS/* and test/CLASS/*; one picture of each of the last two is in train too."""
    fifth = count // 5
    return _write_splits(folder, {"train": count - 2 * fifth, "val": fifth, "test": fifth}, seed)


def _write_splits(folder: Path, counts: Mapping[str, int], seed: int) -> Drawn:
    drawn = Drawn(folder, dict.fromkeys((ROUND, STRIPED), 0))
    train: dict[str, list[Path]] = {}
    for number, (split, count) in enumerate(counts.items()):
        written = write_split(folder / split, count, seed + number)
        train = train or written
        for name, paths in written.items():
            drawn.counts[name] += len(paths)
        if number:
            copy = folder / split / ROUND / f"again{train[ROUND][0].suffix}"
            _add_copy(drawn, train[ROUND][0], copy, ROUND)
    return drawn


def _add_copy(drawn: Drawn, path: Path, copy: Path, name: str) -> None:
    shutil.copyfile(path, copy)
    drawn.double.append((path, copy))
    drawn.counts[name] += 1


def _add_odd_names(paths: list[Path]) -> None:
    """Rename a few pictures: with a line break, in Latin-1, of 250 bytes, with what shells and markup read."""
    odd = (b"two\nlines", b"caf\xe9", b"x" * 240, b"a[b]c $HOME 'q' \"d\" #1 100%", "日本語 🦆".encode())
    for place, name in enumerate(odd, start=2):
        path = paths[place]
        paths[place] = Path(os.fsdecode(os.fsencode(path.parent) + b"/" + name + os.fsencode(path.suffix)))
        path.rename(paths[place])


def _add_double(drawn: Drawn, written: dict[str, list[Path]], other_seed: int) -> None:
    """Copy a picture into its own class and one into the other class; a link leads to a hidden picture."""
    first, second = written[ROUND][0], written[ROUND][1]
    _add_copy(drawn, first, drawn.folder / ROUND / f"copy of IMG_0000{first.suffix}", ROUND)
    _add_copy(drawn, second, drawn.folder / STRIPED / f"IMG_9001{second.suffix}", STRIPED)
    hidden = drawn.folder / ".originals"
    hidden.mkdir()
    (original,) = draw_class(hidden, True, 1, other_seed)
    drawn.ignored.append(original)
    (drawn.folder / STRIPED / f"link{original.suffix}").symlink_to(original.resolve())
    drawn.counts[STRIPED] += 1


def _add_constant(drawn: Drawn, written: dict[str, list[Path]]) -> None:
    for name in written:
        path = drawn.folder / name / "lens cap.png"
        Image.new("RGB", (90 + len(name), 60)).save(path)
        drawn.constant.append(path)
        drawn.counts[name] += 1


def _add_broken(drawn: Drawn, written: dict[str, list[Path]]) -> None:
    jpeg = next(path for path in written[ROUND] if path.suffix == ".jpg").read_bytes()
    png = bytearray(next(path for path in written[ROUND] if path.suffix == ".png").read_bytes())
    png[29] ^= 1  # the first byte of the header's check sum
    contents = {
        "cut.jpg": jpeg[: len(jpeg) // 3],
        "empty.png": b"",
        "text.png": b"These are no pixels.\n",
        "checksum.png": bytes(png),
    }
    for name, content in contents.items():
        path = drawn.folder / ROUND / name
        path.write_bytes(content)
        drawn.broken.append(path)
    archive = drawn.folder / STRIPED / "archive.jpg"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("notes.txt"), "no picture")  # without the time of day
    drawn.broken.append(archive)


def _add_others(drawn: Drawn) -> None:
    """Add notes, what systems leave behind, an empty folder, and the results of a run."""
    folder = drawn.folder
    texts = {
        folder / "README.txt": "Pictures of last summer.\n",
        folder / ROUND / "notes.txt": "The third is blurred.\n",
        folder / ROUND / "Thumbs.db": "\0",
        folder / STRIPED / ".DS_Store": "\0",
        folder / STRIPED / "._IMG_0000.png": "\0\5\26\7",
        folder / "runs/first/config.toml": 'seed = 0\n\n[data]\nname = "."\n',
        folder / "runs/first/.lock": "",
        folder / "runs/first/history.jsonl": "{}\n",
        folder / "runs/first/best.json": "{}\n",
        folder / "runs/first/report.html": "<!doctype html>\n",
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        drawn.ignored.append(path)
    plot = folder / "runs/first/effects.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(plot)
    drawn.ignored.append(plot)
    (folder / "to sort").mkdir()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/people_pictures.py FOLDER")
    done = write_classes(Path(sys.argv[1]))
    print(f"{done.folder}: {done.counts}, {len(done.broken)} broken")
