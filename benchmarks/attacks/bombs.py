"""Small files that claim or unpack to very much."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from attacks.attempt import fresh
from attacks.corpus import QUICK, Corpus

Bomb = Callable[[Path, Corpus], list[str]]
BOMBS: dict[str, Bomb] = {}


def bomb(name: str) -> Callable[[Bomb], Bomb]:
    """Register a function that makes a bomb in a folder and returns the command that meets it."""

    def add(make: Bomb) -> Bomb:
        BOMBS[name] = make
        return make

    return add


def _search(data: str, out: Path) -> list[str]:
    return ["search", "--data", data, *QUICK, "--strategy", "random", "--evaluations", "1", "--out", str(out)]


def _png(width: int, height: int, rows: int | None = None) -> bytes:
    """Return a black PNG of one bit a pixel; with `rows`, its pixels end after so many."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer, row = zlib.compressobj(1), bytes(1 + (width + 7) // 8)
    many = max(1, (1 << 20) // len(row))
    parts, left = [], height if rows is None else rows
    while left:
        parts.append(packer.compress(row * min(many, left)))
        left -= min(many, left)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", b"".join([*parts, packer.flush()]))
        + chunk(b"IEND", b"")
    )


def _pictures(room: Path, corpus: Corpus, name: str, raw: bytes) -> list[str]:
    data = fresh(room / "data", corpus.data / "pictures")
    (data / "a" / name).write_bytes(raw)
    return _search(str(data), room / "out")


@bomb("PNG of 60000x60000")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _pictures(room, corpus, "0.png", _png(60000, 60000))


@bomb("PNG of 13000x13000")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _pictures(room, corpus, "0.png", _png(13000, 13000))


@bomb("PNG that claims 2000000000x2000000000")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _pictures(room, corpus, "0.png", _png(2_000_000_000, 2_000_000_000, 0))


@bomb("PNG of 60000x60000 to predict")
def _(room: Path, corpus: Corpus) -> list[str]:
    (room / "large.png").write_bytes(_png(60000, 60000))
    return ["predict", str(room / "large.png"), "--out", str(corpus.run)]


@bomb("GIF of 3000 frames")
def _(room: Path, corpus: Corpus) -> list[str]:
    frames = [Image.fromarray(np.full((600, 600), k % 256, np.uint8)) for k in range(3000)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "gif", save_all=True, append_images=frames[1:])
    return _pictures(room, corpus, "0.gif", buffer.getvalue())


@bomb("PNG with a text of 1 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    plain = _png(12, 10)
    body = b"Comment\0\0" + zlib.compress(bytes(1 << 30), 1)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return _pictures(room, corpus, "0.png", plain[:33] + chunk + plain[33:])


def _events(room: Path, corpus: Corpus, header: bytes, size: int) -> list[str]:
    data = fresh(room / "data", corpus.data / "events")
    with (
        zipfile.ZipFile(data / "a" / "0.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("frames.npy", "w", force_zip64=True) as file,
    ):
        file.write(header)
        for _k in range(size >> 20):
            file.write(bytes(1 << 20))
    return _search(f"events:{data}", room / "out")


def _npy(shape: tuple[int, ...], dtype: str) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@bomb("events that claim 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _events(room, corpus, _npy((10000, 2, 1000, 1000), "<f4"), 1 << 20)


@bomb("events that unpack to 3 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _events(room, corpus, _npy((768, 1, 1024, 1024), "<f4"), 3 << 30)


@bomb("events with 3 GB behind their array")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _events(room, corpus, _npy((3, 2, 6, 6), "<f4"), 3 << 30)


def _idx(room: Path, corpus: Corpus, shape: tuple[int, int, int], size: int) -> list[str]:
    data = fresh(room / "data", corpus.data / "gz")
    with gzip.open(data / "train-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(struct.pack(">IIII", 0x803, *shape))
        for _k in range(size >> 20):
            file.write(bytes(1 << 20))
    return _search(f"idx:{data}", room / "out")


@bomb("IDX that unpacks to 4 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _idx(room, corpus, (4096, 1024, 1024), 4 << 30)


@bomb("IDX with 4 GB behind its images")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _idx(room, corpus, (20, 6, 6), 4 << 30)


@bomb("IDX that claims 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    return _idx(room, corpus, (80000, 1000, 1000), 1 << 20)


def _damaged(room: Path, corpus: Corpus, name: str, raw: bytes) -> Path:
    run = fresh(room / "run", corpus.run)
    (run / name).write_bytes(raw)
    return run


def _claims(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


@bomb("safetensors that claim 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    raw = _claims({"x": {"dtype": "F32", "shape": [20_000_000_000], "data_offsets": [0, 80_000_000_000]}})
    return ["evaluate", "--out", str(_damaged(room, corpus, "model.safetensors", raw)), "--quiet"]


@bomb("safetensors whose header claims 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    raw = struct.pack("<Q", 80_000_000_000) + b"{}"
    return ["evaluate", "--out", str(_damaged(room, corpus, "model.safetensors", raw)), "--quiet"]


@bomb("sparse safetensors of 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    run = fresh(room / "run", corpus.run)
    with (run / "model.safetensors").open("r+b") as file:
        file.truncate(80 << 30)
    return ["evaluate", "--out", str(run), "--quiet"]


def _sparse(name: str, *command: str) -> None:
    @bomb(f"sparse {name} of 80 GB")
    def _(room: Path, corpus: Corpus) -> list[str]:
        run = fresh(room / "run", corpus.run)
        with (run / name).open("r+b") as file:
            file.truncate(80 << 30)
        return [*command, *([str(run)] if command == ("report",) else ["--out", str(run), "--quiet"])]


for _name in ("config.toml", "best.json", "history.jsonl", "train.csv", "evaluation.json", "trials.db"):
    _sparse(_name, "report")
for _name in ("statistics.json", "quantise.json", "network.nir"):
    _sparse(_name, "run")


@bomb("sparse picture of 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    data = fresh(room / "data", corpus.data / "pictures")
    with (data / "a" / "0.png").open("r+b") as file:
        file.truncate(80 << 30)
    return _search(str(data), room / "out")


@bomb("sparse IDX of 80 GB")
def _(room: Path, corpus: Corpus) -> list[str]:
    data = fresh(room / "data", corpus.data / "idx")
    with (data / "train-images-idx3-ubyte").open("r+b") as file:
        file.truncate(80 << 30)
    return _search(f"idx:{data}", room / "out")


def _nested(name: str, raw: bytes, *command: str) -> None:
    @bomb(f"{name}, nested 100,000 deep")
    def _(room: Path, corpus: Corpus) -> list[str]:
        run = _damaged(room, corpus, name, raw)
        return [*command, *([str(run)] if command == ("report",) else ["--out", str(run), "--quiet"])]


for _name in (
    "best.json",
    "data.json",
    "evaluation.json",
    "space.json",
    "history.jsonl",
    "enhance/analysis/analysis.json",
):
    _nested(_name, b"[" * 100_000, "report")
for _name in ("best.json", "quantise.json", "statistics.json", "firmware/stm32f103/footprint.json"):
    _nested(_name, b'{"a":' * 100_000, "run")
_nested("config.toml", b"a = " + b"[" * 100_000, "run")


@bomb("a configuration nested 3,000 deep")
def _(room: Path, corpus: Corpus) -> list[str]:
    (room / "deep.toml").write_text("a." * 3000 + "b = 1\nc = " + "{d = " * 3000 + "1" + "}" * 3000)
    return ["run", str(room / "deep.toml"), "--out", str(room / "out")]


@bomb("a table with a line of 300 MB")
def _(room: Path, corpus: Corpus) -> list[str]:
    (room / "table.csv").write_bytes(b"genotype,accuracy\n" + b"x" * (300 << 20) + b",0.5\n")
    return [
        "compare",
        "--table",
        str(room / "table.csv"),
        "--data",
        "digits",
        "--by",
        "convs",
        "--out",
        str(room / "out"),
    ]


@bomb("100,000 classes")
def _(room: Path, corpus: Corpus) -> list[str]:
    data = fresh(room / "data", corpus.data / "tiny")
    (data / "wnids.txt").write_text("".join(f"n{k}\n" for k in range(100_000)))
    return _search(f"tinyimagenet:{data}", room / "out")


@bomb("a class with a name of 200 characters, nested 200 deep")
def _(room: Path, corpus: Corpus) -> list[str]:
    data = fresh(room / "data", corpus.data / "pictures")
    deep = data / "a" / "/".join(["d" * 10] * 200)
    deep.mkdir(parents=True)
    shutil.copy(data / "a" / "0.png", deep / "x.png")
    return _search(str(data), room / "out")
