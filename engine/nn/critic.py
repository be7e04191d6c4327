"""Sauer 2021, Projected GANs: a second discriminator that judges frozen features of pictures, not their pixels.

What a feature network already sees needs not be learned in the game: a short training gets much further with it.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from engine.nn.perceptual import Features
from engine.nn.progressive import SLOPE, MinibatchDeviation

SMALLEST = 32  # below this side there is nothing for features to see
LEAST = 64  # pixels of the side that the feature network needs to see a whole


def seen_side(side: int) -> int:
    """The side to which pictures of this side are enlarged before their features are taken, in pixels.

    Smoothly, and by half at least, so that the feature network's first stride of 2 loses little: an unsmoothed
    enlargement prints that stride's grid on what is drawn.
    """
    return max(LEAST, side * 3 // 2)


class Critic(nn.Module):
    """RGB [N, 3, S, S] or grey [N, 1, S, S] in [0, 1] -> logits [N, 1, h, w] of four heads, one for each feature map.

    path: a feature network's file (see engine/nn/perceptual.py); it is not among this module's tensors. Before the heads,
    fixed random 1x1 convolutions mix the channels, and each map takes up the coarser ones (the paper's CCM and CSM), so that a
    head cannot rest on a few channels. Heads are spectrally normalized and see how much a batch differs within itself.
    """

    def __init__(self, path: str | Path, width: int = 64) -> None:
        super().__init__()
        features = Features(path).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if features.space != "rgb":
            raise ValueError(f"the critic needs features of RGB, not of {features.space}")
        self._frozen = (features,)  # in a tuple, so that it is no submodule
        for level, channels in enumerate(features.channels):
            self.register_buffer(f"mix{level}", torch.randn(width, channels, 1, 1) / math.sqrt(channels))
            self.register_buffer(f"carry{level}", torch.randn(width, width, 1, 1) / math.sqrt(width))
        count = len(features.channels)
        self.heads = nn.ModuleList(_head(width, count - level) for level in range(count))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        return [head(seen).float() for head, seen in zip(self.heads, self._mixed(self.maps(rgb)), strict=True)]

    @property
    def features(self) -> Features:
        """The feature network."""
        return self._frozen[0]

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """The feature maps of pictures, enlarged as they must be, from fine to coarse."""
        side = seen_side(rgb.shape[-1])
        rgb = rgb.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        if rgb.shape[-1] != side:
            rgb = F.interpolate(rgb, (side, side), mode="bilinear", align_corners=False)
        found: list[Tensor] = self.features(rgb)
        return found

    def _mixed(self, maps: list[Tensor]) -> list[Tensor]:
        """The maps, all of one width, each with those coarser than itself added."""
        found: list[Tensor] = []
        for level in range(len(maps) - 1, -1, -1):
            mixed = F.conv2d(maps[level], getattr(self, f"mix{level}"))
            if found:
                larger = F.interpolate(found[-1], mixed.shape[-2:], mode="bilinear", align_corners=False)
                mixed = (mixed + F.conv2d(larger, getattr(self, f"carry{level}"))) / math.sqrt(2)
            found.append(mixed)
        return found[::-1]


def _head(width: int, halvings: int) -> nn.Sequential:
    """[N, width, H, W] -> logits [N, 1, H / 2**halvings, W / 2**halvings], rounded up."""
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [spectral_norm(nn.Conv2d(width, width, 3, 2, 1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, MinibatchDeviation(), spectral_norm(nn.Conv2d(width + 1, 1, 3, 1, 1)))
