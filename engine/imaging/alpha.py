"""Transparency's own maths: what the network sees under a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bleed(colour: Tensor, alpha: Tensor, passes: int = 16) -> Tensor:
    """colour [N, C, H, W] with the colours of visible pixels carried outwards under invisible ones.

    alpha [N, 1, H, W] in [0, 1]. Where alpha is 0 the stored colour is arbitrary (often black) and would show as a fringe
    after any filter. Visible pixels keep their values. Each pass reaches one pixel further; what lies beyond the last
    pass becomes the mean visible colour.
    """
    known = (alpha > 0).to(colour.dtype)
    if bool(known.all()) or not bool(known.any()):
        return colour
    mean = (colour * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)
    filled = colour * known
    for _ in range(passes):
        weight = F.avg_pool2d(known, 3, 1, 1, count_include_pad=True)
        spread = F.avg_pool2d(filled, 3, 1, 1, count_include_pad=True) / weight.clamp_min(1e-6)
        fresh = (known == 0) & (weight > 0)
        if not bool(fresh.any()):
            return filled
        filled = torch.where(fresh, spread, filled)
        known = torch.where(fresh, torch.ones_like(known), known)
    return torch.where(known > 0, filled, mean)
