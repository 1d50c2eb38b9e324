"""Transform batches of decoded items between the data set and the network, as torch tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def normalise(batch: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Subtract the mean and divide by the standard deviation, for each channel.

    Args:
        batch: uint8 [..., C, H, W], taken as 0 to 1, or floating point [..., C, H, W], taken as it is.
        mean: Mean of each channel, [C], in the scale the batch is taken in.
        std: Standard deviation of each channel, [C], in the same scale.

    Returns:
        The normalised batch, float32 of the shape of `batch`, on its device.
    """
    scale = 1 / 255 if batch.dtype == torch.uint8 else 1.0
    centre = torch.tensor(mean, dtype=torch.float32, device=batch.device).view(-1, 1, 1)
    spread = torch.tensor(std, dtype=torch.float32, device=batch.device).view(-1, 1, 1)
    return (batch.float() * scale - centre) / spread


def augment(batch: Tensor, generator: torch.Generator, crop: int, flip: bool) -> Tensor:
    """Shift each sample by a random crop from zero padding, and mirror half of the samples, chosen at random.

    All timesteps of a sample are treated alike. With a generator on the CPU the result is the same on every
    device.

    Args:
        batch: [B, C, H, W] or [B, T, C, H, W], of any type.
        generator: Source of the randomness; it is advanced by the same amount whatever `crop` and `flip` are.
        crop: Padding of each side in pixels; 0 for no shift.
        flip: Whether to mirror left and right.

    Returns:
        The augmented batch, with the shape, type and device of `batch`.
    """
    B, H, W = batch.shape[0], *batch.shape[-2:]
    shifts = torch.randint(2 * crop + 1, (2, B), generator=generator, device=generator.device)
    mirrored = torch.randint(2, (B, 1), generator=generator, device=generator.device).to(batch.device) == 1
    top, left = shifts.to(batch.device)
    rows = top[:, None] + torch.arange(H, device=batch.device)
    columns = left[:, None] + torch.arange(W, device=batch.device)
    if flip:
        columns = torch.where(mirrored, columns.flip(1), columns)
    planes = F.pad(batch.reshape(B, -1, H, W), (crop, crop, crop, crop))
    first = torch.arange(planes.shape[0] * planes.shape[1], device=batch.device) * planes[0, 0].numel()
    pixels = rows[:, None, :, None] * planes.shape[-1] + columns[:, None, None, :]
    return planes.take(first.view(B, -1, 1, 1) + pixels).view(batch.shape)
