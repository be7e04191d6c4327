"""Sauer 2021, Projected GANs: a second discriminator that judges frozen features of pictures, not their pixels.

What a feature network already sees needs not be learned in the game: a short training gets much further with it.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.perceptual import Features
from engine.nn.progressive import SLOPE, EqualConv

SMALLEST = 32  # below this side there is nothing for features to see
# All pictures are judged as 32 pixels enlarged to 64. So the critic has nothing to learn anew when a net grows; and without
# a smooth enlargement the strides of the feature network print their grid on the pictures.
SEEN = 64


class Critic(nn.Module):
    """RGB [N, 3, S, S] or grey [N, 1, S, S] in [0, 1] -> logits [N, 1, h, w] of three heads, each on one feature map.

    path: a feature network's file (see engine/nn/perceptual.py); it is not among this module's tensors: heads alone are
    trained and saved.
    """

    def __init__(self, path: str | Path, width: int = 64) -> None:
        super().__init__()
        features = Features(path)
        if features.space != "rgb":
            raise ValueError(f"the critic needs features of RGB, not of {features.space}")
        self._frozen = (features,)  # in a tuple, so that it is no submodule
        self.heads = nn.ModuleList(
            nn.Sequential(
                *(EqualConv(channels, width, 1), nn.LeakyReLU(SLOPE), EqualConv(width, width), nn.LeakyReLU(SLOPE)),
                EqualConv(width, 1, gain=1.0),
            )
            for channels in features.channels[1:]
        )

    def forward(self, rgb: Tensor) -> list[Tensor]:
        rgb = rgb.expand(-1, 3, -1, -1)
        if rgb.shape[-1] > SMALLEST:
            rgb = F.interpolate(rgb, (SMALLEST, SMALLEST), mode="bilinear", align_corners=False, antialias=True)
        rgb = F.interpolate(rgb, (SEEN, SEEN), mode="bilinear", align_corners=False)
        maps = self._frozen[0](rgb)[1:]
        return [head(found).float() for head, found in zip(self.heads, maps, strict=True)]
