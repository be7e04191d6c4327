"""Pech-Pacheco 2000, "Diatom autofocusing in brightfield microscopy": the Laplacian's variance, high in sharp pictures.

A judge without a truth: read beside the truth's own, since noise counts as sharpness.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging.colour import luma


def sharpness(rgb: Tensor) -> float:
    """Variance of the four-neighbour Laplacian of the luma (0 to 255) of one RGB picture [3, H, W] in [0, 1]."""
    y = luma((rgb.double().clamp(0, 1) * 255).round().unsqueeze(0))
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=y.dtype, device=y.device)
    edges = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="replicate"), kernel.view(1, 1, 3, 3))
    return float(edges.var(correction=0))
