"""Transparency's own maths: what the network sees under a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 16  # pixels


def bleed(colour: Tensor, alpha: Tensor, reach: int = REACH) -> Tensor:
    """colour [N, C, H, W] with the colours of visible pixels carried up to `reach` pixels outwards under invisible ones.

    alpha [N, 1, H, W] in [0, 1]. Where alpha is 0 the stored colour is arbitrary (often black) and would show as a fringe
    after any filter. Visible pixels keep their values; what lies further than `reach` becomes mid grey, so that a tile's
    result does not depend on what lies outside of it.
    """
    known = (alpha > 0).to(colour.dtype)
    if bool(known.all()):
        return colour
    filled = colour * known
    for _ in range(reach):
        weight = F.avg_pool2d(known, 3, 1, 1)
        fresh = (known == 0) & (weight > 0)
        if not bool(fresh.any()):
            break
        filled = torch.where(fresh, F.avg_pool2d(filled, 3, 1, 1) / weight.clamp_min(1e-6), filled)
        known = torch.where(fresh, torch.ones_like(known), known)
    return torch.where(known > 0, filled, torch.full_like(filled, 0.5))
