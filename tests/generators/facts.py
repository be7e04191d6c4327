"""What the theses and papers say in numbers, measured on networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def receptive_field(net: Callable[[Tensor], Tensor], channels: int, side: int) -> tuple[int, int]:
    """Height and width in input pixels that the middle output of a map [1, channels, side, side] -> [1, C, h, w] depends on.

    Measured by the gradient on one random picture, so the net must be in eval mode; ReLUs may hide a pixel, hence four.
    """
    rng = torch.Generator().manual_seed(0)
    touched = torch.zeros(side, side)
    for _ in range(4):
        x = torch.randn(1, channels, side, side, generator=rng).requires_grad_()
        out = net(x)
        out[..., out.shape[-2] // 2, out.shape[-1] // 2].sum().backward()
        touched += x.grad.abs().sum((0, 1))
    rows, columns = touched.sum(1).nonzero().flatten(), touched.sum(0).nonzero().flatten()
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
