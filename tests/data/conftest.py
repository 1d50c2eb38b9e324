from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write images into tmp_path/NAME from {folder: number of images}; each image has pixels of its own."""

    def make(
        counts: dict[str, int],
        name: str = "set",
        size: tuple[int, int] = (6, 4),
        mode: str = "RGB",
        suffix: str = "png",
    ) -> Path:
        rng = np.random.default_rng(0)
        for folder, count in counts.items():
            (tmp_path / name / folder).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(tmp_path / name / folder / f"{number:03}.{suffix}")
        return tmp_path / name

    return make


@pytest.fixture
def make_events(tmp_path: Path) -> MakeFolder:
    """Write event frames into tmp_path/NAME from {folder: number of files}."""

    def make(counts: dict[str, int], name: str = "events", shape: tuple[int, ...] = (3, 2, 4, 5)) -> Path:
        rng = np.random.default_rng(0)
        for folder, count in counts.items():
            (tmp_path / name / folder).mkdir(parents=True)
            for number in range(count):
                np.savez(tmp_path / name / folder / f"{number:03}.npz", rng.integers(0, 9, shape, dtype=np.int16))
        return tmp_path / name

    return make
