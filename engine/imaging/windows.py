"""Maxima and means over square windows (Serra 1982 calls the maxima dilations), one direction after the other.

torch's own pooling looks at every pixel of a window, which takes some hundred times as long for the wide ones.
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
    side = 2 * radius + 1
    columns = F.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(columns, (1, side), 1, (0, radius), count_include_pad=False)
