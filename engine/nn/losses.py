"""Losses as small pure functions: tensors in, one scalar out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def real_or_fake(logits: Tensor, real: bool) -> Tensor:
    """Goodfellow 2014, binary cross-entropy of a discriminator's logits against "all real" or "all fake"."""
    return F.softplus(-logits if real else logits).mean()


def luma_of(difference: Tensor) -> Tensor:
    """[N, 3, H, W] RGB (or a difference of such) -> [N, 1, H, W] its BT.601 luma."""
    weights = difference.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)
    return (difference * weights).sum(1, keepdim=True)


def flatness(rgb: Tensor, side: int = 5, deviation: float = 0.02) -> Tensor:
    """How flat a picture [N, 3, H, W] in [0, 1] is at each pixel: [N, 1, H, W], 1 where the luma is constant over side x side
    pixels, 1/e where its deviation is `deviation`, near 0 in texture and at edges.
    """
    luma = luma_of(rgb)
    mean, square = (F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False) for x in (luma, luma.square()))
    return torch.exp(-(square - mean.square()).clamp_min(0).sqrt() / deviation)
