"""CIE 1976, chroma of L*a*b*: how strong the colours are, C = sqrt(a^2 + b^2), averaged over a picture."""

from __future__ import annotations

from torch import Tensor

from engine.imaging.colour import rgb_to_lab


def chroma(rgb: Tensor) -> float:
    """Mean chroma of RGB [N, 3, H, W] in [0, 1]; 0 for grey, about 20 for an ordinary photograph."""
    return float(rgb_to_lab(rgb.float())[:, 1:].norm(dim=1).mean())
