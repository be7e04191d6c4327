"""Losses as small pure functions: tensors in, one scalar out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def charbonnier(result: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier 1994: the mean of sqrt(d^2 + epsilon^2), an absolute difference that is smooth at zero."""
    return torch.sqrt((result - truth).square() + epsilon * epsilon).mean()


def real_or_fake(logits: Tensor, real: bool) -> Tensor:
    """Goodfellow 2014, binary cross-entropy of a discriminator's logits against "all real" or "all fake"."""
    return F.softplus(-logits if real else logits).mean()


def luma_of(difference: Tensor) -> Tensor:
    """[N, 3, H, W] RGB (or a difference of such) -> [N, 1, H, W] its BT.601 luma."""
    weights = difference.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)
    return (difference * weights).sum(1, keepdim=True)
