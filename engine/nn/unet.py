"""Ronneberger 2015, U-Net, in parts: the levels, heads and bottleneck that the colorizers are put together from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """[N, C, H, W] -> the same: two 3x3 convolutions with batch norm, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.norm1(self.conv1(x)), 0.2)
        return F.leaky_relu(x + self.norm2(self.conv2(inner)), 0.2)


class Down(nn.Module):
    """[N, C, H, W] -> [N, C', H/2, W/2]: convolution of stride 2, batch norm (not in the outermost), LeakyReLU, residuals."""

    def __init__(self, inside: int, out: int, norm: bool, residual: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out, 4, 2, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()
        self.blocks = nn.Sequential(*[Residual(out) for _ in range(residual)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.leaky_relu(self.norm(self.conv(x)), 0.2))


class UpTranspose(nn.Module):
    """[N, C, H, W], skip [N, S, 2H, 2W] -> [N, C' + S, 2H, 2W]: transposed convolution, batch norm, ReLU, concat."""

    def __init__(self, inside: int, skip: int, out: int, dropout: float) -> None:
        super().__init__()
        self.channels = out + skip
        self.conv = nn.ConvTranspose2d(inside, out, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat((F.relu(self.dropout(self.norm(self.conv(x)))), skip), 1)


class UpBilinear(nn.Module):
    """[N, C, H, W], skip [N, S, 2H, 2W] -> [N, C', 2H, 2W]: 1x1 convolution, bilinear, concatenation, 3x3, batch norm, ReLU."""

    def __init__(self, inside: int, skip: int, out: int, dropout: float) -> None:
        super().__init__()
        self.channels = out
        self.reduce = nn.Conv2d(inside, out, 1)
        self.conv = nn.Conv2d(out + skip, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
        return F.relu(self.dropout(self.norm(self.conv(torch.cat((x, skip), 1)))))


class HeadTranspose(nn.Module):
    """The thesis' last layer: [N, C, H, W] -> [N, 2, 2H, 2W] by one transposed convolution; the input is not used again."""

    def __init__(self, inside: int, start: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inside, 2, 4, 2, 1)

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        return self.conv(x)


class HeadBilinear(nn.Module):
    """[N, C, H, W], the network's input [N, start, 2H, 2W] -> [N, 2, 2H, 2W], with few channels at full size."""

    def __init__(self, inside: int, start: int, width: int = 16) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inside, width, 1)
        self.conv = nn.Conv2d(width + start, width, 3, padding=1)
        self.out = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(F.relu(self.conv(torch.cat((x, start), 1))))


class Context(nn.Module):
    """[N, C, H, W] -> the same plus one vector for the whole picture, made from its mean (Iizuka 2016's global features)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dense1 = nn.Linear(channels, channels)
        self.dense2 = nn.Linear(channels, channels)
        self.noise = nn.Conv2d(1, channels, 1, bias=False)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        vector = self.dense2(F.relu(self.dense1(x.mean((2, 3)))))
        return x + vector[:, :, None, None] + self.noise(noise)


@torch.no_grad()
def tame(net: nn.Module) -> None:
    """Divide convolutions by the deviation that their batch norm remembers, where it is above 1, and the norm's memory too.

    What the net computes stays the same, but every stored number then fits in half precision.
    """
    for module in net.modules():
        for end in ("", "1", "2"):
            conv, norm = getattr(module, f"conv{end}", None), getattr(module, f"norm{end}", None)
            if (
                isinstance(norm, nn.BatchNorm2d)
                and isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
                and conv.bias is None
            ):
                assert norm.running_mean is not None and norm.running_var is not None
                factor = norm.running_var.sqrt().clamp_min(1.0)
                conv.weight /= factor.view((-1, 1, 1, 1) if isinstance(conv, nn.Conv2d) else (1, -1, 1, 1))
                norm.running_mean /= factor
                norm.running_var /= factor.square()
