"""Zhao 2020, Differentiable Augmentation for Data-Efficient GAN Training: real and generated pictures changed alike
before they are judged, so that a discriminator cannot learn a small set by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def augmented(pictures: Tensor, kinds: Sequence[str]) -> Tensor:
    """[N, C, H, W] -> the same, each picture changed by chance in each of the ways; gradients pass."""
    for kind in kinds:
        if kind not in _WAYS:
            raise ValueError(f"there is no augmentation called {kind!r}: {', '.join(_WAYS)}")
        pictures = _WAYS[kind](pictures)
    return pictures


def _draw(pictures: Tensor) -> Tensor:
    return torch.rand(len(pictures), 1, 1, 1, device=pictures.device)


def _colour(pictures: Tensor) -> Tensor:
    """Brightness by up to a quarter, saturation from 0 to 2 times, contrast from half to one and a half."""
    pictures = pictures + (_draw(pictures) - 0.5) / 2
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (pictures - grey) * 2 * _draw(pictures)
    middle = pictures.mean((1, 2, 3), keepdim=True)
    return middle + (pictures - middle) * (0.5 + _draw(pictures))


def _shift(pictures: Tensor) -> Tensor:
    """Moved by up to an eighth of the side, the edge repeated."""
    n, _, height, width = pictures.shape
    far = max(1, height // 8)
    padded = F.pad(pictures, (far, far, far, far), mode="replicate")
    down = (torch.rand(n, 1, device=pictures.device) * (2 * far + 1)).long() + torch.arange(
        height, device=pictures.device
    )
    right = (torch.rand(n, 1, device=pictures.device) * (2 * far + 1)).long() + torch.arange(
        width, device=pictures.device
    )
    which = torch.arange(n, device=pictures.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[which, down[:, :, None], right[:, None]].permute(0, 3, 1, 2)


def _hole(pictures: Tensor) -> Tensor:
    """A square of half the side left out, wherever its middle falls."""
    height, width = pictures.shape[2:]
    rows, columns = (torch.arange(side, device=pictures.device) for side in (height, width))
    middle = _draw(pictures) * height, _draw(pictures) * width
    inside = ((rows.view(1, 1, -1, 1) - middle[0]).abs() < height / 4) & (
        (columns.view(1, 1, 1, -1) - middle[1]).abs() < width / 4
    )
    return pictures.masked_fill(inside, 0.5)


_WAYS = {"colour": _colour, "shift": _shift, "hole": _hole}
