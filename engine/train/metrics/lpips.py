"""Zhang 2018, LPIPS, in its baseline form (no learnt weights): how far apart two pictures are to a frozen network.

With SqueezeNet v1.1 the seven maps of the paper; with another feature network its four, which gives other numbers. Neither can
be compared with published LPIPS.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.imaging.hsv import rgb_to_xyv
from engine.nn.perceptual import Features
from engine.nn.squeezenet import SqueezeNet

SEVEN = ("conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")


@torch.no_grad()
def distance(features: Features, result: Tensor, truth: Tensor) -> float:
    """The sum over the maps of the mean squared distance of their unit vectors; RGB pictures [3, H, W] in [0, 1]."""
    pictures = torch.stack((result, truth)).float()
    if isinstance(features.net, SqueezeNet):
        maps = features.net(pictures, SEVEN)
    else:
        maps = features(rgb_to_xyv(pictures) if features.space == "xyv" else pictures)
    unit = [m / (m.square().sum(1, keepdim=True) + 1e-10).sqrt() for m in maps]
    return float(sum((u[0] - u[1]).square().sum(0).mean() for u in unit))


def title(features: Features) -> str:
    """What the figure is called."""
    return f"perceptual {features.title} distance"
