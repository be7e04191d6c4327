"""Ding 2021, RepVGG: a convolution that is trained as several branches and runs as one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.blocks import conv


class Branched(nn.Module):
    """[N, C, H, W] -> the same: the sum of a 3x3 convolution, a 1x1 convolution and the input itself.

    The sum is one 3x3 kernel. It is that kernel that runs, while training too, so that branches cost next to nothing;
    `merged` gives it for good (see nn/folding.py).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.around = conv(channels, channels)
        self.centre = nn.Parameter(torch.zeros(channels, channels))

    def kernel(self) -> Tensor:
        """The sum of the branches as a kernel [C, C, 3, 3]."""
        itself = torch.eye(len(self.centre), dtype=self.centre.dtype, device=self.centre.device)
        return self.around.weight + F.pad((self.centre + itself)[..., None, None], (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel(), self.around.bias, padding=1)

    def merged(self) -> nn.Conv2d:
        """The one convolution that does the same."""
        result = conv(self.around.in_channels, self.around.out_channels).to(self.centre)
        with torch.no_grad():
            result.weight.copy_(self.kernel())
            result.bias.copy_(self.around.bias)  # type: ignore[union-attr, arg-type]
        return result.train(self.training)
