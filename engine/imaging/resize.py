"""Keys 1981 bicubic interpolation (a = -1/2), anti-aliased when it reduces, in the convention of MATLAB's imresize.

Pixel centres at half-integers, the kernel stretched by the reduction factor, weights normalised, the border mirrored with
the edge pixel repeated. Rows or columns of the result may be asked for alone, so that a large picture is resized in parts
that equal the whole.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _cubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def weights(size: int, target: int, start: int = 0, stop: int | None = None) -> tuple[int, Tensor]:
    """The linear map from a line of `size` samples to the samples start..stop of its resized line of `target`.

    Returns (first, matrix): matrix [stop - start, span] (float64) applies to the source samples first..first + span.
    """
    stop = target if stop is None else stop
    scale = target / size
    stretch = max(1.0, 1.0 / scale)
    centres = (torch.arange(start, stop, dtype=torch.float64) + 0.5) / scale - 0.5
    reach = math.ceil(2 * stretch) + 1
    places = centres.floor().long()[:, None] + torch.arange(-reach, reach + 1)
    values = _cubic((centres[:, None] - places) / stretch)
    values = values / values.sum(1, keepdim=True)
    # Mirrored at both borders, the edge sample repeated; a line shorter than the kernel is mirrored again and again.
    places = places.remainder(2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places)
    used = places[values != 0]
    first, last = int(used.min()), int(used.max())
    places = places.clamp(first, last) - first  # entries outside have weight zero
    matrix = torch.zeros(stop - start, last - first + 1, dtype=torch.float64)
    return first, matrix.scatter_add_(1, places, values)


def apply(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x [..., H, W] resized by two matrices of weights(): rows [h, H], columns [w, W] -> [..., h, w] in x's dtype."""
    return rows.to(x) @ x @ columns.to(x).mT


def resize(x: Tensor, height: int, width: int) -> Tensor:
    """x [..., H, W] resized to [..., height, width]. Values may overshoot their range a little; the caller clamps."""
    return apply(x, weights(x.shape[-2], height)[1], weights(x.shape[-1], width)[1])
