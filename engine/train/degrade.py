"""What happens to real pictures before anybody enlarges them: blur, resizing, noise and JPEG (after Wang 2021, Real-ESRGAN).

`degraded` draws all of it at random, for training; `damaged` does what it is told, for measuring.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.imaging.resize import bicubic, downscaled

_GROUP = 4  # examples that share a way of being made smaller: one for each would be slow, one for all poor


@dataclass(frozen=True)
class Damage:
    """blur: of a Gaussian before the reduction, standard deviation in pixels of the large picture. noise: standard deviation,
    of 255. jpeg: quality 1..95, 0 for none.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.jpeg, int) or isinstance(self.jpeg, bool):
            raise TypeError(f"no such damage: {self}")
        if not (0 <= self.blur <= 20 and 0 <= self.noise <= 255 and 0 <= self.jpeg <= 95):
            raise ValueError(f"no such damage: {self}")


def damaged(truth: Tensor, scale: int, damage: Damage, rng: torch.Generator) -> Tensor:
    """[1, 3, H, W] in [0, 1] -> [1, 3, H/scale, W/scale], rounded to 8 bits: blur, bicubic, noise, JPEG in this order."""
    low = downscaled(blurred(truth, torch.tensor([damage.blur])), scale)
    low = _rounded(low + torch.randn(low.shape, generator=rng) * damage.noise / 255)
    return compressed(low, [damage.jpeg], [True], rng, offset=False)


def degraded(truth: Tensor, scale: int, rng: torch.Generator, share: float = 1.0) -> Tensor:
    """[N, 3, H, W] in [0, 1] -> [N, 3, H/scale, W/scale], rounded to 8 bits; `share` of them blurred, noisy and compressed.

    How pictures are made smaller is drawn for each four that follow each other, as one: by bicubic where the first of them is
    not to be degraded, else in one of several ways, those of the four that are not to be degraded included. All randomness
    comes from rng.
    """
    count, device = len(truth), truth.device
    dice = torch.rand(8, count, generator=rng)
    spoilt = dice[0] < share
    sigma = torch.where(spoilt & (dice[1] < 0.7), dice[2] * 3.2, 0.0)
    soft = blurred(truth, sigma)
    parts = [_reduced(part, scale, rng, bool(spoilt[i * _GROUP])) for i, part in enumerate(soft.split(_GROUP))]
    low = torch.cat(parts)
    # Noise of the three colours, or of the light alone; mostly little.
    strength = torch.where(spoilt & (dice[3] < 0.7), dice[4].square() * 18 / 255, 0.0).view(-1, 1, 1, 1)
    grain = torch.randn(low.shape, generator=rng)
    grain = torch.where((dice[5] < 0.5).view(-1, 1, 1, 1), grain[:, :1], grain)
    low = _rounded(low + (strength * grain).to(device))
    quality = torch.where(spoilt & (dice[6] < 0.85), 25 + dice[7] * 70, 0.0).int().tolist()
    low = compressed(low, quality, (dice[2] < 0.6).tolist(), rng)
    twice = [q if again else 0 for q, again in zip(quality[::-1], (dice[1] < 0.2).tolist(), strict=True)]
    return compressed(low, [q if bool(s) else 0 for q, s in zip(twice, spoilt, strict=True)], [True] * count, rng)


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """[N, C, H, W] under Gaussians of N standard deviations in pixels; edges are mirrored, 0 leaves a picture alone."""
    radius = min(int(3 * float(sigma.max()) + 0.999), min(x.shape[-2:]) - 1)
    if radius < 1:
        return x
    along = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-along.square() / (2 * sigma.clamp_min(1e-3).view(-1, 1).square()))
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(x.device).repeat_interleave(x.shape[1], 0)
    flat = F.pad(x, (radius,) * 4, mode="reflect").flatten(0, 1)[None]
    for shape in ((-1, 1, 2 * radius + 1, 1), (-1, 1, 1, 2 * radius + 1)):
        flat = F.conv2d(flat, kernel.view(shape), groups=flat.shape[1])
    return flat.view_as(x)


def _rounded(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


def _reduced(x: Tensor, scale: int, rng: torch.Generator, spoilt: bool) -> Tensor:
    """Made smaller by one of the ways that programs have, a third of the time by way of another size."""
    height, width = x.shape[-2] // scale, x.shape[-1] // scale
    dice = torch.rand(3, generator=rng).tolist()
    if not spoilt or dice[0] < 0.4:
        return bicubic(x, height, width)
    if dice[0] < 0.6:
        return F.interpolate(x, (height, width), mode="area")
    if dice[0] < 0.7:
        return F.interpolate(x, (height, width), mode="bilinear", antialias=True)
    between = 0.5 + 1.5 * dice[1]
    size = max(8, round(height * between)), max(8, round(width * between))
    other = F.interpolate(x, size, mode="bilinear", antialias=True) if dice[2] < 0.5 else bicubic(x, *size)
    return bicubic(other, height, width)


def compressed(
    low: Tensor, quality: list[int], coarse: list[bool], rng: torch.Generator, offset: bool = True
) -> Tensor:
    """[N, 3, H, W] in [0, 1] as JPEG files of these qualities would hold them (0: not compressed), in 8 bits.

    coarse: colour at half the resolution. offset: the blocks of 8x8 begin anywhere, as in a crop of a larger file.
    """
    shifts = torch.randint(0, 8, (2, len(low)), generator=rng).tolist() if offset else [[0] * len(low)] * 2
    result = low.clone()
    for index, (chosen, small) in enumerate(zip(quality, coarse, strict=True)):
        if chosen:
            down, right = shifts[0][index], shifts[1][index]
            pixels = (low[index].permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
            pixels = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="symmetric")
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=chosen, subsampling=2 if small else 0)
            with Image.open(file) as opened:
                back = np.asarray(opened)[down:, right:]
            result[index] = torch.from_numpy(back.copy()).permute(2, 0, 1).to(low) / 255
    return result
