"""What attacks begin from: a run, an analysis, a comparison, and data of every kind; made once for a campaign."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NETWORK = ("--data", "digits", "--channels", "4", "--cells", "1")
QUICK = (
    *("--set", "space.nodes=3", "--set", "fidelity.channels=4", "--set", "fidelity.batch=8"),
    *("--set", "fidelity.repeats=1", "--set", "threads=1", "--quiet"),
)
ENHANCED = ("--set", "enhancement.seeds=5", "--set", "enhancement.draws=2")
SHORT = ("--epochs", "2", "--set", "search.refine=1", "--front", "flash")
COMMANDS = {
    "run": ("run", *NETWORK, *QUICK, *ENHANCED, *SHORT, "--target", "stm32f103"),
    "analyze": ("analyze", *NETWORK, *QUICK, "--ops", "none,skip,conv3x3", "--seeds", "5", "--draws", "2"),
    "compare": (
        *("compare", *NETWORK, *QUICK, "--by", "cmrr,convs", "--strategies", "random,evolution"),
        *("--flash", "5KiB,16KiB", "--seeds", "2", "--evaluations", "3", "--workers", "1"),
    ),
}
TABLE = "genotype,accuracy,seconds,params\n" + "".join(
    f"nodes=3 0-1:{a} 0-2:{b} 1-2:{c},{0.4 + k / 50:.2f},10,{1000 + k}\n"
    for k, (a, b, c) in enumerate(
        (a, b, c) for a in ("skip", "conv3x3") for b in ("none", "skip") for c in ("skip", "conv3x3")
    )
)
BENCH_TABLE = "arch_id,params,epochs,test_acc,train_seconds,firing_rates,val_acc_1,val_acc_last\n" + "".join(
    f"{k * 31},250000,300,{70 + k}.125,3600.5,{' '.join(['0.125'] * 16)},31.5,{69 + k}.25\n" for k in range(4)
)
LOG = (
    "architecture id: {id}\nmodel parameters: 250000\nepoch,loss,val_acc\n0,2.1,31.5\n1,1.9,44.25\n"
    "test accuracy: 44.0, loss 1.9\nfiring rate of layers: " + ",".join(["0.125"] * 16) + "\n"
    "Elapsed time: 1hour2minute3.5second"
)
TARGET = """\
title = "My board"
source = "its data sheet"
core = "cortex-m4"
flash = "256KiB"
ram = "64KiB"
runtime_flash = 4096
runtime_ram = 1024
"""


def spikenas(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "spikenas", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, errors="replace", **options)


class Corpus:
    """The corpus of a campaign.

    Args:
        folder: Folder in which it is, or is made.

    Attributes:
        seconds: Time of each command that was run now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}

    def make(self) -> None:
        """Make what is not there."""
        for name, command in COMMANDS.items():
            if not (self.folder / name).exists():
                print(f"corpus: {name}", flush=True)
                partial = self.folder / f"{name}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                began = time.perf_counter()
                done = spikenas(*command, "--out", str(partial))
                self.seconds[name] = time.perf_counter() - began
                if done.returncode:
                    raise SystemExit(f"corpus: {name} failed: {done.stderr}")
                partial.rename(self.folder / name)
        if not (self.folder / "data").exists():
            partial = self.folder / "data.partial"
            shutil.rmtree(partial, ignore_errors=True)
            _write_data(partial)
            partial.rename(self.folder / "data")

    @property
    def run(self) -> Path:
        """Folder of a finished run."""
        return self.folder / "run"

    @property
    def data(self) -> Path:
        """Folder of the data sets: pictures, events, idx, gz, tiny, logs and tables."""
        return self.folder / "data"


def pictures() -> dict[str, bytes]:
    """Return one picture of each format and mode, by file name."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 10, 4)).astype(np.uint8)
    colour, grey = Image.fromarray(pixels[..., :3].copy()), Image.fromarray(pixels[..., 0].copy())
    deep = Image.fromarray(rng.integers(0, 65536, (12, 10)).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    made: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "colour.png": (colour, {}),
        "grey.png": (grey, {}),
        "deep.png": (deep, {}),
        "alpha.png": (Image.fromarray(pixels.copy()), {}),
        "palette.png": (colour.quantize(8), {"transparency": 0}),
        "bits.png": (grey.convert("1"), {}),
        "colour.jpg": (colour, {"exif": exif}),
        "grey.jpg": (grey, {}),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
        "progressive.jpeg": (colour, {"progressive": True}),
        "colour.gif": (colour.quantize(16), {}),
        "moving.gif": (colour.quantize(4), {"save_all": True, "append_images": [colour.quantize(4).rotate(90)]}),
        "lossy.webp": (colour, {}),
        "exact.webp": (colour, {"lossless": True}),
        "colour.tif": (colour, {}),
        "lzw.tiff": (colour, {"compression": "tiff_lzw"}),
        "deflate.tif": (deep, {"compression": "tiff_adobe_deflate"}),
        "float.tif": (Image.fromarray(rng.random((12, 10)).astype(np.float32)), {}),
        "colour.bmp": (colour, {}),
        "colour.ppm": (colour, {}),
        "grey.pgm": (grey, {}),
        "colour.tga": (colour, {"compression": "tga_rle"}),
        "colour.jp2": (colour, {}),
        "colour.avif": (colour, {}),
    }
    found = {}
    for name, (picture, settings) in made.items():
        buffer = io.BytesIO()
        try:
            picture.save(buffer, format=Image.registered_extensions()[Path(name).suffix], **settings)
        except (OSError, KeyError):  # a codec that this Pillow was built without
            continue
        found[name] = buffer.getvalue()
    return found


def _write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "pictures" / name).mkdir(parents=True)
        (folder / "events" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (12, 10, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{number}.png")
            frames = rng.poisson(1.0, (3, 2, 6, 6)).astype(np.float32)
            save = np.savez if number % 2 else np.savez_compressed
            save(folder / "events" / name / f"{number}.npz", frames=frames)
    for name in ("idx", "gz"):
        (folder / name).mkdir()
        for part, count in (("train", 20), ("t10k", 8)):
            images = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 6, 0, 0, 0, 6]) + rng.bytes(count * 36)
            labels = bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes(k % 2 for k in range(count))
            for kind, raw in (("images-idx3", images), ("labels-idx1", labels)):
                path = folder / name / f"{part}-{kind}-ubyte"
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(raw)) if name == "gz" else path.write_bytes(
                    raw
                )
    tiny = folder / "tiny"
    wnids = ("n001", "n002")
    (tiny / "val" / "images").mkdir(parents=True)
    (tiny / "wnids.txt").write_text("\n".join(wnids) + "\n")
    (tiny / "words.txt").write_text("n001\tcat\nn002\tdog, hound\n")
    annotations = []
    for number in range(4):
        shutil.copy(folder / "pictures" / "a" / f"{number}.png", tiny / "val" / "images" / f"val_{number}.png")
        annotations.append(f"val_{number}.png\t{wnids[number % 2]}\t0\t0\t9\t9\n")
    (tiny / "val" / "val_annotations.txt").write_text("".join(annotations))
    for wnid, name in zip(wnids, "ab", strict=True):
        shutil.copytree(folder / "pictures" / name, tiny / "train" / wnid / "images")
    for id in (0, 31):
        (folder / "logs" / "cifar10" / str(id)).mkdir(parents=True)
        (folder / "logs" / "cifar10" / str(id) / "train_process.txt").write_text(LOG.format(id=id))
    (folder / "table.csv").write_text(TABLE)
    (folder / "bench.csv").write_text(BENCH_TABLE)
    (folder / "board.toml").write_text(TARGET)
