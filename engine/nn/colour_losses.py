"""Zhang 2016, "Colorful Image Colorization": rare colours count more in a loss. And noise that stands for something.

Chroma uv is [N, 2, H, W] in the networks' scale, [-1, 1].
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

BINS = 20  # of the colour histogram, along U and along V


def ab_distance(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance [N, H, W] of two ab planes [N, 2, H, W], smooth at zero."""
    return ((one - other).square().sum(1) + 0.01).sqrt()


def colour_bins(uv: Tensor) -> Tensor:
    """The histogram bin of each pixel's colour: uv [N, 2, H, W] -> [N, H, W] in 0..BINS**2 - 1."""
    place = ((uv + 1) * (BINS / 2)).long().clamp(0, BINS - 1)
    return place[:, 0] * BINS + place[:, 1]


def rarity(bins: Tensor, strength: float) -> Tensor:
    """The weight of each of the BINS**2 colours, 1 on average over the given bins (any shape).

    The histogram is smoothed and mixed half and half with an even one; weights are its inverse to the power of strength,
    0 (all colours count the same) to 1 (Zhang's).
    """
    counts = bins.flatten().bincount(minlength=BINS**2).float()
    share = F.avg_pool2d(counts.view(1, 1, BINS, BINS), 3, 1, 1).flatten()
    share = share / share.sum()
    weight = (0.5 * share + 0.5 / (share > 0).sum()) ** -strength
    return weight / (weight * share).sum()


def coupled(noise: Tensor, target: Tensor, block: int, share: float) -> Tensor:
    """Noise [N, 1, H, W] whose means over block x block pixels are correlated by `share` with those of the target.

    The target [N, 1, H, W] should be near standard normal after averaging; the noise stays so.
    """
    own = F.avg_pool2d(noise, block)
    wanted = share * F.avg_pool2d(target, block).clamp(-3, 3) / block + (1 - share**2) ** 0.5 * own
    return noise + (wanted - own).repeat_interleave(block, 2).repeat_interleave(block, 3)
