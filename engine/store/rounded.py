"""Weights in 8 bits: for each output channel of a large tensor whole numbers within 127 and one scale (Jacob 2018, section 2).

A file holds such a tensor as I8 under its own name and its scales, float32, as NAME:scale. It is half of a float16 file; a
colorizer's results differ by less than their noise (DECISIONS.md). What is small stays float16.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.store.header import SCALE

LEAST = 1 << 14  # numbers of a tensor that is worth it: the outermost layers are small, and coarse ones there show
MOST = 127


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's state with its large floating-point tensors [channels, ...] as int8 and their scales [channels]."""
    made = {}
    for key, tensor in state.items():
        if tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= LEAST:
            channels = tensor.float().flatten(1)
            scale = (channels.abs().amax(1) / MOST).clamp_min(torch.finfo(torch.float32).tiny)
            made[key] = (channels / scale[:, None]).round().to(torch.int8).view(tensor.shape)
            made[key + SCALE] = scale
        else:
            made[key] = tensor
    return made


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state as it was before packed(), to half a step of each channel's scale; float32 where it was int8."""
    made = {}
    for key, tensor in state.items():
        if key + SCALE in state:
            made[key] = tensor * state[key + SCALE].float().view(-1, *[1] * (tensor.ndim - 1))
        elif not key.endswith(SCALE):
            made[key] = tensor
    return made
