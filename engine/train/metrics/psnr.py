"""Timofte 2013, "Anchored Neighborhood Regression for Fast Example-Based Super-Resolution": PSNR as the field takes it.

8-bit values, MATLAB's studio-range luma, a border left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def luma(rgb: Tensor) -> Tensor:
    """[..., 3, H, W] in [0, 1], rounded to 8 bits first -> [..., H, W] MATLAB's rgb2ycbcr luma, 16 to 235."""
    rgb = (rgb.clamp(0, 1) * 255).round() / 255
    weights = rgb.new_tensor((65.481, 128.553, 24.966)).view(3, 1, 1)
    return (rgb * weights).sum(-3) + 16


def cropped(x: Tensor, border: int) -> Tensor:
    """The picture without `border` pixels on each side."""
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


def psnr(result: Tensor, truth: Tensor, peak: float = 1.0) -> float:
    """dB between two tensors of one shape; infinity where they are equal."""
    error = (result.double() - truth.double()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def psnr_y(result: Tensor, truth: Tensor, border: int = 4) -> float:
    """dB of the luma of two [3, H, W] pictures in [0, 1]."""
    return psnr(cropped(luma(result.double()), border), cropped(luma(truth.double()), border), 255.0)


def psnr_rgb(result: Tensor, truth: Tensor) -> float:
    """dB of two [3, H, W] pictures in [0, 1], rounded to 8 bits."""
    return psnr(torch.round(result.clamp(0, 1) * 255), torch.round(truth.clamp(0, 1) * 255), 255.0)
