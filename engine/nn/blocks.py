"""Building blocks that two or more generators use identically."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normalization(kind: str, channels: int) -> nn.Module:
    """A normalization by its name: "batch" or "none"."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "none":
        return nn.Identity()
    raise ValueError(f"there is no normalization called {kind!r}: batch or none")


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1 (zero padding)."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def in_place() -> bool:
    """Whether sums may overwrite what they add to: nobody asks for gradients. A compiler's graph breaks at that question."""
    return not torch.compiler.is_compiling() and torch.is_inference_mode_enabled()


class Nearest(nn.Module):
    """[N, C, H, W] -> [N, C, factor H, factor W] by repeating pixels."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.factor, mode="nearest")


def checked_limit(limit: float) -> float:
    """A limit for limited() as configs give it, which come from files. Raises ValueError: not a number, or below zero."""
    if not float(limit) >= 0:
        raise ValueError(f"a limit is 0 or above, not {limit!r}")
    return float(limit)


def limited(x: Tensor, limit: float) -> Tensor:
    """x within -limit..limit, in place where nothing is learned; x itself for no limit, 0."""
    return F.hardtanh(x, -limit, limit, in_place()) if limit else x


def added(x: Tensor, branch: Tensor) -> Tensor:
    """x + branch, into x's own memory where nobody asks for gradients: x is not to be used again."""
    return x.add_(branch) if in_place() else x + branch


def enlarged_by(rgb: Tensor, correction: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement of rgb [N, 3, H, W], corrected: float32 [N, 3, scale H, scale W].

    correction: as large as the result, or [N, 3 * scale**2, H, W] as pixel shuffle takes it.
    """
    # The layout matters: it is twice as quick as with channels last.
    large = F.interpolate(rgb.float().contiguous(), scale_factor=scale, mode="bicubic", antialias=True)
    if correction.shape[-2:] != large.shape[-2:]:
        correction = F.pixel_shuffle(correction, scale)
    return added(large, correction)
