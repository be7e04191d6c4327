"""Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images" (their M3, on 8-bit values)."""

from __future__ import annotations

import torch
from torch import Tensor


def colorfulness(rgb: Tensor) -> float:
    """M3 of one RGB picture [3, H, W] in [0, 1]: 0 is grey, 15 slightly, 33 moderately, 59 quite, 109 extremely colourful."""
    r, g, b = (rgb.float() * 255.0).unbind(0)
    rg, yb = r - g, (r + g) / 2 - b
    spread = torch.hypot(rg.std(correction=0), yb.std(correction=0))
    return float(spread + 0.3 * torch.hypot(rg.mean(), yb.mean()))
