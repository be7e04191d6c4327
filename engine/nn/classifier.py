"""Simonyan 2014, VGG, small: the classifier of our own whose features serve perceptual losses, as in the UNAM 2022 thesis (3).

The thesis trains such a net in XYV colour space; here the space is the trainer's choice and stands in the file.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = 4


def _stage(inside: int, outside: int) -> nn.Sequential:
    """[N, inside, H, W] -> [N, outside, H, W], above 0: twice a 3x3 convolution, batch norm and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inside, outside):
        layers += [nn.Conv2d(channels, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers)


class Classifier(nn.Module):
    """Pictures [N, 3, H, W] -> logits [N, classes]; sides from 16 pixels on.

    base: filters of the first of four stages, doubling with each. classes: how many kinds it can tell apart (more than
    there are do no harm). space: "rgb", pictures in [0, 1], or "xyv": (s cos, s sin, v), the first two in [-1, 1].
    `scale` [4] holds the root mean square of each stage's map on the training pictures, 1 until it has been measured.
    """

    scale: Tensor

    def __init__(self, base: int = 32, classes: int = 64, space: str = "rgb") -> None:
        super().__init__()
        if space not in ("rgb", "xyv"):
            raise ValueError(f"there is no feature space {space!r}: rgb or xyv")
        self.space = space
        widths = [3, *(base * 2**level for level in range(STAGES))]
        self.stages = nn.ModuleList(_stage(a, b) for a, b in pairwise(widths))
        self.head = nn.Linear(widths[-1], classes)
        self.register_buffer("scale", torch.ones(STAGES))

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """What each stage makes of the pictures: [N, base * 2**i, H / 2**i, W / 2**i] for i = 0..3, from 0 up."""
        x = 2.0 * pictures - 1.0 if self.space == "rgb" else pictures
        found: list[Tensor] = []
        for index, stage in enumerate(self.stages):
            x = stage(F.max_pool2d(x, 2) if index else x)
            found.append(x)
        return found

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.head(self.maps(pictures)[-1].mean((2, 3)))
        return logits
