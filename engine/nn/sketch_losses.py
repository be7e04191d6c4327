"""Losses of the UNAM 2022 thesis (section 5.3) on HxHySV [N, 4, H, W], and one of ours."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.nn.perceptual import Features, gram, perceptual

GRAM_FACTOR = 200.0
FEATURE_WEIGHTS = (0.04, 0.12, 0.18, 0.6)
GRAM_WEIGHTS = (0.04, 0.12, 0.14, 0.05)


def colour_error(
    made: Tensor, truth: Tensor, hue_floor: float = 1.0, chroma: float = 0.0, distance: float = 0.0
) -> Tensor:
    """MSE of two HxHySV [N, 4, H, W], plus `chroma` times the squared distance of hue and strength as they are seen, plus
    `distance` times the mean distance itself, value included at half its size.

    hue_floor: the weight of the hue's error where the truth is grey, growing to 1 with its strength; with 1 and chroma 0
    this is the thesis' loss. A grey has no hue, and a net that must guess one learns the convention that it is red.
    """
    weight = hue_floor + (1 - hue_floor) * (2 * truth[:, 2:3] * truth[:, 3:4]).clamp(max=1.0)
    squares = (made - truth).square()
    loss = (squares[:, :2] * weight).mean() / 2 + squares[:, 2:].mean() / 2
    if chroma > 0 or distance > 0:
        seen, wanted = (x[:, :2] * x[:, 2:3] * x[:, 3:4] for x in (made, truth))
        squared = (seen - wanted).square().sum(1)
        loss = loss + chroma * squared.mean()
        value = (made[:, 3] - truth[:, 3]).square()
        loss = loss + distance * torch.sqrt(squared + 0.25 * value + 1e-4).mean()
    return loss


def perceived(features: Features, made: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The thesis' perceptual loss in two parts: four feature maps, and 200 times their Gram matrices.

    made, truth: [N, 3, H, W] in the colour space that the feature network was trained in, features.space.
    """
    maps = features.pair(made, truth)
    return perceptual(*maps, FEATURE_WEIGHTS), GRAM_FACTOR * gram(*maps, GRAM_WEIGHTS)
