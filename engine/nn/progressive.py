"""Karras 2017, Progressive Growing of GANs: the layers that it adds to convolutions, and the arithmetic of the fade-in."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of LeakyReLU


def filters(level: int, most: int, least: int) -> int:
    """Width at a level: `most` at the first three (4, 8 and 16 pixels), then half of the one before, never below `least`."""
    return max(min(least, most), most >> max(0, level - 2))


def fade(old: Tensor, new: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) * old + alpha * new: a new stage grows into the picture of the one before, already enlarged."""
    return old * (1 - alpha) + new * alpha


class PixelNorm(nn.Module):
    """[N, C, ...] -> the same: every pixel's vector over the channels divided by the root of its mean square."""

    def __init__(self, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + self.epsilon)


class MinibatchDeviation(nn.Module):
    """[N, C, H, W] -> [N, C + 1, H, W]: the deviation over the batch, averaged over channels and pixels, as one more
    channel: a discriminator sees by it whether a batch is all alike.
    """

    def forward(self, x: Tensor) -> Tensor:
        spread = (x.float().var(0, unbiased=False) + 1e-8).sqrt().mean()
        return torch.cat((x, spread.to(x.dtype).expand(len(x), 1, *x.shape[2:])), 1)


class EqualConv(nn.Conv2d):
    """A convolution that keeps the size, whose weights are drawn from N(0, 1) and scaled by He's constant when they are
    used, so that all weights learn at one pace (Karras 2017, section 4.1).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, gain: float = math.sqrt(2)) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        nn.init.normal_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        self.scale = gain / math.sqrt(inputs * kernel * kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.scale, self.bias)


class EqualLinear(nn.Linear):
    """A dense layer with the same scaling of its weights."""

    def __init__(self, inputs: int, outputs: int, gain: float = math.sqrt(2)) -> None:
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)
