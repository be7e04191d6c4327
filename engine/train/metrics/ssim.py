"""Wang 2004, Image Quality Assessment: From Error Visibility to Structural Similarity: the Gaussian form, 11x11, 1.5."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.train.metrics.psnr import cropped, luma

SIDE = 11  # pixels of the window: smaller pictures have no structural similarity


def ssim(result: Tensor, truth: Tensor, peak: float = 1.0) -> float:
    """Mean structural similarity of two [C, H, W] tensors over the windows that fit inside (population covariance)."""
    along = torch.arange(SIDE, dtype=torch.float64, device=result.device) - SIDE // 2
    gauss = torch.exp(-(along**2) / (2 * 1.5**2))
    gauss = gauss / gauss.sum()

    def blurred(x: Tensor) -> Tensor:
        x = F.conv2d(x, gauss.view(1, 1, -1, 1))
        return F.conv2d(x, gauss.view(1, 1, 1, -1))

    a, b = result.double().unsqueeze(1), truth.double().unsqueeze(1)
    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def ssim_y(result: Tensor, truth: Tensor, border: int = 4) -> float:
    """Structural similarity of the luma of two [3, H, W] pictures in [0, 1]."""
    a, b = (cropped(luma(x.double()), border).unsqueeze(0) for x in (result, truth))
    return ssim(a, b, 255.0)


def ssim_rgb(result: Tensor, truth: Tensor) -> float:
    """Structural similarity of two [3, H, W] pictures in [0, 1], rounded to 8 bits: the mean of the three channels'."""
    a, b = ((x.double().clamp(0, 1) * 255).round() for x in (result, truth))
    return ssim(a, b, 255.0)
