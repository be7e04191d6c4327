"""Line drawings from coloured pictures: Winnemöller 2012 (XDoG), colour dodge, contours, and their average.

Pictures are [N, 3, H, W] in [0, 1]; a sketch is [N, 1, H, W], 1 = paper, 0 = ink. Training of line-art colorizers needs
pairs that nobody has drawn: the UNAM 2022 thesis (section 5.1.1) averages two extractors, and so do we, with three of our own.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import colour, resize, windows

PAPER_SIDE = 64  # shortest side, in pixels, at which paper is told from what is drawn on it
DARKEST = 0.3  # share of the brightest paper's brightness that paper in the shade still has


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur [N, C, H, W] -> the same, sigma in pixels, edges repeated."""
    radius = max(1, math.ceil(2.5 * sigma))
    kernel = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    for dim, pad in ((3, (radius, radius, 0, 0)), (2, (0, 0, radius, radius))):
        padded, size = F.pad(x, pad, "replicate"), x.shape[dim]
        x = torch.zeros_like(x)
        for k, value in enumerate(kernel):  # sums of shifted views: several times quicker on CPUs than a convolution
            x = x.add_(padded.narrow(dim, k, size), alpha=value / sum(kernel))
    return x


def xdog(rgb: Tensor, sigma: float = 0.8, sharpness: float = 18.0, epsilon: float = 0.6, slope: float = 10.0) -> Tensor:
    """Extended difference of Gaussians of the luma: ink where a pixel is darker than what surrounds it.

    sigma: half the width of a line in pixels; sharpness: how far the difference is exaggerated (p in the paper); epsilon:
    the brightness below which ink begins, 0..1; slope: how hard ink turns into paper (phi).
    """
    luma = colour.luma(rgb)
    fine, coarse = blur(luma, sigma), blur(luma, 1.6 * sigma)
    difference = (1 + sharpness) * fine - sharpness * coarse
    # Dark areas are no lines: what is compared with epsilon is the difference relative to the brightness around it.
    relative = difference / coarse.clamp_min(0.08)
    return torch.where(relative >= epsilon, torch.ones_like(relative), 1 + torch.tanh(slope * (relative - epsilon)))


def dodge(rgb: Tensor, sigma: float = 3.0, contrast: float = 1.0) -> Tensor:
    """Colour dodge: the grey picture divided by its own blur, as pencil drawings are made of photographs.

    sigma: width of the blur in pixels; contrast: power that darkens the strokes.
    """
    luma = colour.luma(rgb)
    return ((luma + 0.02) / (blur(luma, sigma) + 0.02)).clamp(0.0, 1.0) ** contrast


def contours(rgb: Tensor, sigma: float = 1.0, threshold: float = 0.12) -> Tensor:
    """Ink where any of red, green and blue changes quickly: finds borders between colours of the same brightness.

    sigma: blur before the gradient, in pixels; threshold: change per sigma (0..1) that gives half ink.
    """
    smooth = F.pad(blur(rgb, sigma), (1, 1, 1, 1), "replicate")
    across = smooth[..., 1:-1, 2:] - smooth[..., 1:-1, :-2]
    down = smooth[..., 2:, 1:-1] - smooth[..., :-2, 1:-1]
    change = torch.sqrt(across.square() + down.square()).amax(1, keepdim=True) * (0.5 * sigma)
    return 1.0 / (1.0 + (change / threshold) ** 2)


def average(*sketches: Tensor) -> Tensor:
    """The mean of several sketches, as the thesis makes its training drawings."""
    return torch.stack(sketches).mean(0)


def drawn(rgb: Tensor, rng: torch.Generator) -> Tensor:
    """A training sketch of every picture: a random mixture of the three extractors with random line widths and strength.

    About a third of the mixtures are nearly one extractor alone. All randomness comes from rng (a CPU generator).
    """
    n = rgb.shape[0]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (low + (high - low) * torch.rand(*shape, generator=rng)).to(rgb.device)

    # One line width, sharpness and so on a batch: kernels are shared.
    width, sharpness, epsilon, slope, contrast, threshold = (
        float(uniform(*limits, 1)) for limits in ((0.6, 1.3), (12, 28), (0.5, 0.75), (4, 14), (1.5, 4.0), (0.05, 0.14))
    )
    styles = torch.stack(
        (
            xdog(rgb, width, sharpness, epsilon, slope),
            dodge(rgb, 2.5 * width, contrast),
            contours(rgb, width, threshold),
        ),
        1,
    )
    share = torch.softmax(uniform(0.0, 5.0, n, 3), 1).view(n, 3, 1, 1, 1)
    mixed = (styles * share).sum(1)
    # The strongest ink is made dark, and some drawings keep only it: clean lines without grain.
    ink = strengthen(1 - mixed)
    floor = uniform(0.0, 0.35, n).view(n, 1, 1, 1) * (uniform(0, 1, n) < 0.6).view(n, 1, 1, 1)
    return 1 - ((ink - floor) / (1 - floor)).clamp(0, 1) * uniform(0.6, 1.0, n).view(n, 1, 1, 1)


def strengthen(ink: Tensor, share: float = 0.02) -> Tensor:
    """Ink [N, 1, H, W] (1 = black) scaled so that its darkest `share` of pixels reaches 1; blank paper stays blank.

    Thin lines fade when a drawing is made small; scaled like this, the network sees them as it saw them in training.
    """
    flat = ink.flatten(1)
    count = max(1, round(share * flat.shape[1]))
    darkest = flat.topk(count, 1).values[:, -1].view(-1, 1, 1, 1)
    return (ink / darkest.clamp_min(0.15)).clamp(0, 1)


def paper(luma: Tensor) -> Tensor:
    """How bright a drawing's paper is under each pixel of its luma [N, 1, H, W]: unevenly lit, as by a lamp, or of one tint.

    Lines and what is narrower than an eighth of the picture are closed with what lies around them (Serra 1982), at a small
    size where grain is gone. What is darker than DARKEST of the brightest tenth is no paper however large it is.
    """
    h, w = luma.shape[-2:]
    finer = max(1.0, min(h, w) / PAPER_SIDE)
    small = F.adaptive_avg_pool2d(luma, (max(1, round(h / finer)), max(1, round(w / finer))))
    side = max(1, min(small.shape[-2:]) // 16)
    closed = windows.mean(windows.lowest(windows.highest(small, side), side), side)
    closed = resize.bilinear(closed, h, w)
    bright = luma.flatten(1).float().kthvalue(max(1, round(0.9 * h * w)), dim=1).values.clamp_min(0.5).view(-1, 1, 1, 1)
    return torch.minimum(torch.maximum(closed, DARKEST * bright), bright)
