"""Maxima and means over square windows (Serra 1982 calls the maxima dilations), one direction after the other.

torch's own pooling looks at every pixel of a window, which takes tens of times as long for the wide ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def highest(x: Tensor, radius: int) -> Tensor:
    """The maximum [N, C, H, W] over the (2 * radius + 1) square around each pixel, its part inside the picture."""
    wide = F.pad(x, (radius, radius, radius, radius), value=-float("inf"))
    for dim in (2, 3):
        seen, side = 1, 2 * radius + 1
        while seen < side:  # the maxima of twice as many neighbours each time
            step = min(seen, side - seen)
            length = wide.shape[dim] - step
            wide = torch.maximum(wide.narrow(dim, 0, length), wide.narrow(dim, step, length))
            seen += step
    return wide


def lowest(x: Tensor, radius: int) -> Tensor:
    """The minimum [N, C, H, W] over the (2 * radius + 1) square around each pixel, its part inside the picture."""
    return -highest(-x, radius)


def mean(x: Tensor, radius: int) -> Tensor:
    """The mean [N, C, H, W] over the (2 * radius + 1) square around each pixel, its part inside the picture."""
    for dim in (2, 3):
        length = x.shape[dim]
        at = torch.arange(length, device=x.device)
        count = (at + radius).clamp(max=length - 1) - (at - radius).clamp(min=0) + 1
        x = _sums(x, radius, dim) / count.view(-1, *[1] * (3 - dim))
    return x


def _sums(x: Tensor, radius: int, dim: int) -> Tensor:
    """The sum over the 2 * radius + 1 pixels around each along a dimension, made of sums of 1, 2, 4 and so on of them."""
    side, length = 2 * radius + 1, x.shape[dim]
    some = F.pad(x, (radius, radius) if dim == 3 else (0, 0, radius, radius))
    found, done, many = torch.zeros_like(x), 0, 1
    while done < side:
        if side & many:
            found = found + some.narrow(dim, done, length)
            done += many
        if done < side:
            some = some.narrow(dim, 0, some.shape[dim] - many) + some.narrow(dim, many, some.shape[dim] - many)
            many *= 2
    return found
