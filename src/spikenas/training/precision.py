"""The precision that a network is trained in."""

from __future__ import annotations

import torch

from spikenas._util.errors import RunError
from spikenas.config import Neuron, Precision


def precision_of(asked: Precision, device: torch.device, neuron: Neuron) -> str:
    """Return the precision of Accelerate for a setting: `no`, `bf16` or `fp16`.

    Args:
        asked: `auto` is bf16 where the device computes in it and the network is one step of integer-valued neurons or
            ReLU, which it is as good for; else float32.
        device: What computes.
        neuron: The network's neurons.

    Raises:
        RunError: The device does not compute in the precision that is asked for.
    """
    if asked == "auto":
        return "bf16" if neuron != "lif" and has_bf16(device) else "no"
    if asked == "bf16" and not has_bf16(device):
        raise RunError(f"train.precision: {_named(device)} does not compute in bf16; use 'auto' or 'no'")
    if asked == "fp16" and device.type != "cuda":
        raise RunError(f"train.precision: {_named(device)} does not train in fp16, only CUDA does; use 'auto' or 'no'")
    return asked


def has_bf16(device: torch.device) -> bool:
    """Say whether a device has arithmetic of bfloat16 of its own."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _named(device: torch.device) -> str:
    return "this processor" if device.type == "cpu" else str(device)
