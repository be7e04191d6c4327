"""Weights in 8 or 4 bits: for each output channel of a large tensor whole numbers and one scale (Jacob 2018, section 2).

In 8 bits a file holds such a tensor as I8, within 127, under its own name, and its scales, float32, as NAME:scale: half of a
float16 file. In 4 bits the largest tensors, which hold most numbers and of which a result depends least, are within 7, two
channels to a U8: a third of a float16 file. What is small stays float16. Results hardly differ (DECISIONS.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.store.header import SCALE

LEAST = 1 << 14  # numbers of a tensor that is worth it: the outermost layers are small, and coarse ones there show
MANY = 1 << 18  # numbers of a tensor that 4 bits serve
BYTE, NIBBLE = 127, 7  # the largest whole numbers
# Of so few steps, some are better spent on the many small numbers than on the few large ones, which are cut.
_CUTS = [share / 20 for share in range(20, 7, -1)]


def packed(state: Mapping[str, Tensor], bits: int = 8) -> dict[str, Tensor]:
    """A network's state with its large floating-point tensors [channels, ...] as whole numbers and their scales [channels].

    bits: 8, or 4 for the largest of them (with an even number of channels).
    """
    made = {}
    for key, tensor in state.items():
        if tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= LEAST:
            if bits == 4 and tensor.numel() >= MANY and len(tensor) % 2 == 0:
                whole, scale = _whole(tensor, NIBBLE, _CUTS)
                whole = (whole + 8).to(torch.uint8)
                made[key] = whole[0::2] | whole[1::2] << 4
            else:
                whole, scale = _whole(tensor, BYTE, [1.0])
                made[key] = whole.to(torch.int8)
            made[key + SCALE] = scale
        else:
            made[key] = tensor
    return made


def _whole(tensor: Tensor, most: int, cuts: list[float]) -> tuple[Tensor, Tensor]:
    """Whole numbers within `most` and each channel's scale: of the shares of its largest number the one that errs least."""
    channels = tensor.float().flatten(1)
    full = (channels.abs().amax(1) / most).clamp_min(torch.finfo(torch.float32).tiny)
    scales = torch.stack([full * cut for cut in cuts])
    tries = [(channels / scale[:, None]).round().clamp(-most, most) for scale in scales]
    errors = [(made * scale[:, None] - channels).square().sum(1) for made, scale in zip(tries, scales, strict=True)]
    best, each = torch.stack(errors).argmin(0), torch.arange(len(channels))
    return torch.stack(tries)[best, each].view(tensor.shape), scales[best, each]


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state as it was before packed(), to its whole numbers' steps; float32 where it was packed."""
    made = {}
    for key, tensor in state.items():
        if key + SCALE in state:
            if tensor.dtype == torch.uint8:
                tensor = torch.stack((tensor & 15, tensor >> 4), 1).flatten(0, 1).float() - 8
            made[key] = tensor * state[key + SCALE].float().view(-1, *[1] * (tensor.ndim - 1))
        elif not key.endswith(SCALE):
            made[key] = tensor
    return made
