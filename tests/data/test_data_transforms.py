from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas.data.transforms import augment, normalise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(B: int, C: int, H: int, W: int) -> torch.Tensor:
    """Pixels that are all different and not 0, the colour of the padding."""
    return torch.arange(1, B * C * H * W + 1, dtype=torch.float32).view(B, C, H, W)


def windows(image: torch.Tensor, crop: int) -> list[torch.Tensor]:
    padded = F.pad(image, (crop,) * 4)
    H, W = image.shape[-2:]
    return [padded[..., y : y + H, x : x + W] for y in range(2 * crop + 1) for x in range(2 * crop + 1)]


def test_no_crop_and_no_flip_is_the_identity():
    batch = images(3, 2, 4, 5)
    assert torch.equal(augment(batch, generator(), 0, False), batch)


@settings(deadline=None, max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    crop=st.integers(0, 3),
    flip=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_each_image_becomes_a_window_of_its_padded_self(shape, crop, flip, seed):
    batch = images(*shape)
    result = augment(batch, generator(seed), crop, flip)
    assert result.shape == batch.shape
    for before, after in zip(batch, result, strict=True):
        allowed = windows(before, crop)
        if flip:
            allowed += [window.flip(-1) for window in allowed]
        assert any(torch.equal(after, window) for window in allowed)


def test_every_window_and_both_sides_occur():
    batch = images(1, 1, 3, 3).expand(600, 1, 3, 3)
    results = {tuple(image.flatten().tolist()) for image in augment(batch, generator(), 1, True)}
    assert len(results) == 18


def test_same_generator_state_same_result():
    batch = images(8, 1, 6, 6)
    first, again, other = (augment(batch, generator(seed), 2, True) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bytes_stay_bytes():
    batch = images(2, 3, 4, 4).to(torch.uint8)
    result = augment(batch, generator(), 2, True)
    assert result.dtype == torch.uint8
    assert torch.equal(result.float(), augment(batch.float(), generator(), 2, True))


def test_timesteps_of_a_sample_are_treated_alike():
    batch = images(6, 2, 5, 5)
    frames = batch[:, None].expand(6, 4, 2, 5, 5)
    result = augment(frames, generator(), 2, True)
    assert result.shape == frames.shape
    assert torch.equal(result[:, 0], augment(batch, generator(), 2, True))
    assert all(torch.equal(result[:, t], result[:, 0]) for t in range(4))


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (4, 2, 3, 5, 5)])
def test_normalise_bytes_and_floats(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 1.0)
    column = (-1, 1, 1)
    expected = (pixels / 255 - np.reshape(mean, column)) / np.reshape(std, column)
    result = normalise(torch.from_numpy(pixels), mean, std)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(normalise(torch.from_numpy(pixels / 255), mean, std), expected, rtol=1e-5, atol=1e-6)


def test_listing_data_imports_no_torch():
    code = "import sys, spikenas.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
